const KEPT = 200;

/** The commands that were typed into one server's console, kept in this browser. */
export class History {
  private readonly entries: string[];
  private position: number;
  private draft = "";

  constructor(private readonly key: string) {
    this.entries = read(key);
    this.position = this.entries.length;
  }

  add(command: string): void {
    if (this.entries.at(-1) !== command) this.entries.push(command);
    this.entries.splice(0, this.entries.length - KEPT);
    this.position = this.entries.length;
    this.draft = "";
    try {
      localStorage.setItem(this.key, JSON.stringify(this.entries));
    } catch {
      // A full or forbidden storage only means that the history ends with the page.
    }
  }

  /** One step back (-1) or forth (1) from what is typed now; undefined at either end. */
  step(direction: -1 | 1, typed: string): string | undefined {
    const target = this.position + direction;
    if (target < 0 || target > this.entries.length) return undefined;
    if (this.position === this.entries.length) this.draft = typed;
    this.position = target;
    return this.entries[target] ?? this.draft;
  }
}

function read(key: string): string[] {
  try {
    const stored: unknown = JSON.parse(localStorage.getItem(key) ?? "[]");
    return Array.isArray(stored) ? stored.filter((entry) => typeof entry === "string") : [];
  } catch {
    return [];
  }
}

import { element, type Problem, putContent, size, toast } from "@stellar/web";

const AT_ONCE = 2;

/** Uploads, a few at once, each with a bar and a way to stop it. */
export class Uploads {
  private readonly waiting: (() => Promise<void>)[] = [];
  private active = 0;

  constructor(
    private readonly host: HTMLElement,
    private readonly onDone: () => void,
  ) {}

  add(file: File, name: string, url: string): void {
    const controller = new AbortController();
    const bar = element("progress", { max: "1", value: "0", "aria-label": `Upload of ${name}` });
    const cancel = element("button", { class: "button quiet small", type: "button" }, "Cancel");
    cancel.addEventListener("click", () => controller.abort());
    const label = element("span", { class: "truncate" }, `${name} (${size(file.size)})`);
    const row = element("div", { class: "files-transfer" }, label, cancel, bar);
    this.host.append(row);
    this.waiting.push(async () => {
      try {
        const progress = (share: number): void => void (bar.value = share);
        if (!controller.signal.aborted) await putContent(url, file, { progress, signal: controller.signal });
      } catch (error) {
        const problem = error as Problem;
        if (problem.code !== "cancelled") toast(`${name}: ${problem.message}`, "bad");
      } finally {
        row.remove();
      }
    });
    this.pump();
  }

  private pump(): void {
    while (this.active < AT_ONCE) {
      const job = this.waiting.shift();
      if (!job) return;
      this.active += 1;
      void job().finally(() => {
        this.active -= 1;
        if (this.active === 0 && this.waiting.length === 0) this.onDone();
        this.pump();
      });
    }
  }
}

/** A line of two texts: of the first alone, of the second alone, or of both. */
interface Line {
  kind: "del" | "ins" | "";
  text: string;
}

const AROUND = 2;
const MOST = 4_000_000;

/** How one text becomes another, line by line: what changes, and a little of what is around it. */
export function difference(before: string | null, after: string | null): Line[] {
  const old = before === null ? [] : before.split("\n");
  const now = after === null ? [] : after.split("\n");
  return shortened(old.length * now.length > MOST ? replaced(old, now) : compared(old, now));
}

function replaced(old: string[], now: string[]): Line[] {
  return [...old.map((text): Line => ({ kind: "del", text })), ...now.map((text): Line => ({ kind: "ins", text }))];
}

/** Along the longest common subsequence. */
function compared(old: string[], now: string[]): Line[] {
  const width = now.length + 1;
  const common = new Uint32Array((old.length + 1) * width);
  const at = (i: number, j: number): number => common[i * width + j] ?? 0;
  for (let i = old.length - 1; i >= 0; i--) {
    for (let j = now.length - 1; j >= 0; j--) {
      common[i * width + j] = old[i] === now[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
    }
  }
  const lines: Line[] = [];
  let i = 0;
  let j = 0;
  while (i < old.length && j < now.length) {
    if (old[i] === now[j]) {
      lines.push({ kind: "", text: old[i] ?? "" });
      i++;
      j++;
    } else if (at(i + 1, j) >= at(i, j + 1)) {
      lines.push({ kind: "del", text: old[i++] ?? "" });
    } else {
      lines.push({ kind: "ins", text: now[j++] ?? "" });
    }
  }
  return [...lines, ...replaced(old.slice(i), now.slice(j))];
}

function shortened(lines: Line[]): Line[] {
  const near = (at: number): boolean => lines.slice(Math.max(at - AROUND, 0), at + AROUND + 1).some((line) => line.kind);
  const kept: Line[] = [];
  let left = false;
  lines.forEach((line, at) => {
    if (near(at)) kept.push(line);
    else if (!left) kept.push({ kind: "", text: "…" });
    left = !near(at);
  });
  return kept;
}

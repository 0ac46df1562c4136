import { all } from "./dom";
import { clock, relative } from "./format";

const SECONDS = 15;

function update(root: ParentNode): void {
  for (const time of all<HTMLTimeElement>("time[data-relative]", root)) {
    const moment = new Date(time.dateTime);
    const text = relative(moment);
    if (time.textContent === text) continue;
    time.textContent = text;
    time.title = clock(moment);
  }
}

/** Keep every `<time data-relative>` saying how long ago it was, in what arrives later too. */
export function startTimes(): void {
  update(document);
  window.setInterval(() => update(document), SECONDS * 1000);
  document.addEventListener("htmx:after:swap", () => update(document));
}

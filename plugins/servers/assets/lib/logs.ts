import { all } from "@stellar/web";

/** Why something failed stands at the end of its log: that is what is seen first. */
export function showEnds(): void {
  all("pre.log").forEach(scrollDown);
  document.addEventListener("toggle", ({ target }) => {
    if (target instanceof HTMLDetailsElement && target.open) all("pre.log", target).forEach(scrollDown);
  }, true);
}

function scrollDown(log: HTMLElement): void {
  log.scrollTop = log.scrollHeight;
}

/** Bring the page's own tab into view where a narrow screen shows only some. */
export function startTabs(): void {
  document.querySelector(".tabs [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
}

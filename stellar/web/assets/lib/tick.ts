const EVENT = "stellar:tick";
const SECONDS = 4;

/** Have everything on the page that shows live figures ask for them now (`hx-trigger="stellar:tick from:body"`). */
export function refresh(): void {
  document.body.dispatchEvent(new Event(EVENT));
}

/** Run with every refresh of the page's live figures. */
export function onTick(handler: () => void): void {
  document.body.addEventListener(EVENT, handler);
}

/** Start refreshing every few seconds, while somebody can see the page. */
export function startTicking(): void {
  window.setInterval(() => {
    if (!document.hidden) refresh();
  }, SECONDS * 1000);
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) refresh();
  });
}

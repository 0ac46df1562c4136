import { changing } from "./api";

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

interface Answered {
  ctx: { response: { raw: Response } };
}

/**
 * A refresh that is sent elsewhere, to sign in say, takes the whole page there instead of emptying a part of it; not
 * while a change is under way, which may be what ends this session and begins another.
 */
function followRedirects(): void {
  document.addEventListener("htmx:before:response", (event) => {
    const { raw } = (event as CustomEvent<Answered>).detail.ctx.response;
    if (!raw.redirected) return;
    event.preventDefault();
    if (!changing()) location.assign(raw.url);
  });
}

/** Start refreshing every few seconds, while somebody can see the page. */
export function startTicking(): void {
  followRedirects();
  window.setInterval(() => {
    if (!document.hidden) refresh();
  }, SECONDS * 1000);
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) refresh();
  });
}

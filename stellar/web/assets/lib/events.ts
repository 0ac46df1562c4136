import { changing } from "./api";
import { refresh } from "./tick";

/** What pages show, without the figures: those are asked for with every refresh. */
const TOPICS = ["created", "deleted", "disk", "installed", "status", "suspended", "unsuspended", "updated"];
const QUERY = [...TOPICS.map((topic) => `server.${topic}`), "job.*"].map((topic) => `topics=${topic}`).join("&");
const OVER = [4401, 4403];
const GATHER_MS = 250;
const RETRY_MS = [2_000, 5_000, 15_000, 30_000];

let tries = 0;
let due = 0;

/** Refresh once for all the events that come close together. */
function soon(): void {
  window.clearTimeout(due);
  due = window.setTimeout(refresh, GATHER_MS);
}

function connect(): void {
  if (document.hidden) {
    document.addEventListener("visibilitychange", connect, { once: true });
    return;
  }
  const socket = new WebSocket(`${location.origin.replace(/^http/, "ws")}/api/v1/events?${QUERY}`);
  socket.addEventListener("message", ({ data }) => {
    const { type } = JSON.parse(String(data)) as { type: string };
    if (type === "hello") tries = 0;
    if (type === "event" || type === "gap") soon();
  });
  socket.addEventListener("close", ({ code }) => {
    if (OVER.includes(code) && !changing()) {
      refresh();
      return;
    }
    window.setTimeout(connect, RETRY_MS[Math.min(tries, RETRY_MS.length - 1)]);
    tries += 1;
  });
}

/** Follow what happens on pages that show it: what has changed is there at once, not at the next refresh. */
export function startEvents(): void {
  if (!document.querySelector('[hx-trigger*="stellar:tick"]')) return;
  if (document.readyState === "complete") connect();
  else window.addEventListener("load", connect, { once: true });
}

import { element, icon } from "./dom";

const SECONDS = 6;
const ICONS = { ok: "check", bad: "alert", info: "info" } as const;

/** Say something in a corner of the page for a while; problems stay until they are closed. */
export function toast(message: string, tone: keyof typeof ICONS = "ok"): void {
  const host = document.getElementById("toasts");
  if (!host) return;
  const close = element("button", { type: "button", "aria-label": "Close", click: () => shown.remove() }, icon("x"));
  const shown = element("div", { class: `toast tone-${tone}`, "data-testid": "toast" }, icon(ICONS[tone]));
  shown.append(element("span", {}, message), close);
  if (tone === "bad") shown.setAttribute("role", "alert");
  else window.setTimeout(() => shown.remove(), SECONDS * 1000);
  raise(host);
  host.append(shown);
}

/** A modal dialog covers everything that isn't in the top layer, so the toasts go there too. */
function raise(host: HTMLElement): void {
  if (!("popover" in host)) return;
  host.popover = "manual";
  if (host.matches(":popover-open")) host.hidePopover();
  host.showPopover();
}

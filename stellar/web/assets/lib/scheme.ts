import { api } from "./api";
import { all, icon, on } from "./dom";
import { toast } from "./toast";

type Scheme = "system" | "light" | "dark";
const MEDIA: Record<Scheme, string> = { system: "(prefers-color-scheme: dark)", light: "not all", dark: "all" };
const YEAR = 31536000;

function current(): Scheme {
  return (document.documentElement.dataset["scheme"] as Scheme | undefined) ?? "system";
}

function isDark(): boolean {
  return current() === "dark" || (current() === "system" && matchMedia(MEDIA.system).matches);
}

function show(scheme: Scheme): void {
  document.documentElement.dataset["scheme"] = scheme;
  for (const link of all<HTMLLinkElement>("link[data-dark]")) link.media = MEDIA[scheme];
  for (const button of all("[data-scheme-choice]")) {
    button.setAttribute("aria-pressed", String(button.dataset["schemeChoice"] === scheme));
  }
  for (const button of all("[data-scheme-toggle]")) button.replaceChildren(icon(isDark() ? "sun" : "moon"));
  document.dispatchEvent(new Event("stellar:scheme"));
}

/** Show it, and remember it in this browser and in the account. */
async function choose(scheme: Scheme): Promise<void> {
  show(scheme);
  const secure = location.protocol === "https:" ? "; Secure" : "";
  document.cookie = `stellar_scheme=${scheme}; Path=/; Max-Age=${YEAR}; SameSite=Lax${secure}`;
  if (!document.querySelector("[data-sign-out]")) return;
  try {
    await api("PATCH", "/api/v1/users/me", { theme: scheme });
  } catch (error) {
    toast((error as Error).message, "bad");
  }
}

export function startScheme(): void {
  show(current());
  on("click", "[data-scheme-toggle]", () => void choose(isDark() ? "light" : "dark"));
  on("click", "[data-scheme-choice]", (button) => void choose(button.dataset["schemeChoice"] as Scheme));
}

import { api, Problem } from "./api";
import { on } from "./dom";
import { toast } from "./toast";

/** Buttons with `data-oauth` go to another service to sign in there; `next` is where to come back to. */
export function startElsewhere(next?: string): void {
  on("click", "[data-oauth]", (button) => void go(button.dataset["oauth"] ?? "", next === undefined ? undefined : { next }));
}

async function go(path: string, body?: { next: string }): Promise<void> {
  try {
    location.assign((await api<{ url: string }>("POST", path, body)).url);
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    toast(error.message, "bad");
  }
}

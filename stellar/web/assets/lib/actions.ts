import { api, type Method, Problem } from "./api";
import { startChecks } from "./checks";
import { confirmed, openDialog } from "./dialog";
import { on } from "./dom";
import { submitForm } from "./forms";
import { refresh } from "./tick";
import { toast } from "./toast";

async function copy(button: HTMLElement): Promise<void> {
  const text = button.dataset["copy"] ?? "";
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    copyWithoutClipboard(text);
  }
  toast("Copied.");
}

/** Pages that came by plain http have no clipboard. */
function copyWithoutClipboard(text: string): void {
  const area = document.createElement("textarea");
  area.value = text;
  document.body.append(area);
  area.select();
  document.execCommand("copy");
  area.remove();
}

/**
 * A button with `data-action="/api/v1/…"`: `data-method`, `data-body` (JSON), `data-confirm` (the question, with `data-confirm-title`,
 * `data-confirm-button` and `data-confirm-typed`), `data-next` and `data-done` as on forms.
 */
async function act(button: HTMLElement): Promise<void> {
  const { action = "", method = "POST", body, next, done } = button.dataset;
  if (!(await confirmed(button))) return;
  button.setAttribute("aria-busy", "true");
  try {
    await api(method as Method, action, body === undefined ? undefined : JSON.parse(body));
    if (done) toast(done);
    if (next === "reload") location.reload();
    else if (next) location.assign(next);
    else refresh();
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    toast(error.message, "bad");
  } finally {
    button.removeAttribute("aria-busy");
  }
}

async function signOut(): Promise<void> {
  try {
    await api("POST", "/api/v1/auth/signout");
  } catch (error) {
    if (!(error instanceof Problem) || error.status !== 401) {
      toast((error as Error).message, "bad");
      return;
    }
  }
  location.assign("/auth/signin");
}

/** What buttons and forms do by their attributes, on any page. */
export function startActions(): void {
  on("submit", "form[data-api]", (form, event) => {
    event.preventDefault();
    void submitForm(form as HTMLFormElement, event.submitter);
  });
  startChecks();
  on("click", "[data-copy]", (button) => void copy(button));
  on("click", "[data-action]", (button) => void act(button));
  on("click", "[data-sign-out]", () => void signOut());
  on("click", "[data-open-dialog]", (button) => openDialog(button.dataset["openDialog"] ?? ""));
  on("click", "[data-close-dialog]", (button) => button.closest("dialog")?.close());
  on("click", "dialog", (dialog, event) => {
    if (event.target === dialog) (dialog as HTMLDialogElement).close();
  });
  on("click", "body", (_, event) => closeMenus(event.target as Node));
  on("keydown", "details.menu[open]", (menu, event) => {
    if (event.key !== "Escape") return;
    menu.removeAttribute("open");
    menu.querySelector("summary")?.focus();
  });
}

function closeMenus(clicked: Node): void {
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!menu.contains(clicked)) menu.removeAttribute("open");
  }
}

import { api, apiPath, element, on, one, openDialog, Problem, showProblem, toast } from "@stellar/web";

import { difference } from "./lib/difference";

interface Change {
  path: string;
  before: string | null;
  after: string | null;
}

interface Update {
  url: string;
  digest: string;
  changes: Change[];
}

/** What is given of a file, an address and a text: the body of an import. */
function given(form: HTMLFormElement): FormData | { url: string } | { text: string } {
  const fields = new FormData(form);
  const file = fields.get("file");
  if (file instanceof File && file.size > 0) {
    const files = new FormData();
    files.append("file", file);
    return files;
  }
  const url = String(fields.get("url") ?? "").trim();
  return url ? { url } : { text: String(fields.get("text") ?? "") };
}

async function bring(form: HTMLFormElement): Promise<void> {
  const replace = one<HTMLInputElement>("[name=replace]", form).checked;
  const button = one("[type=submit]", form);
  button.setAttribute("aria-busy", "true");
  try {
    const made = await api<{ id: string }>("POST", `${form.action}?replace=${String(replace)}`, given(form));
    location.assign(`/blueprints/${made.id}`);
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    showProblem(form, error);
  } finally {
    button.removeAttribute("aria-busy");
  }
}

function shown(change: Change): HTMLElement {
  const lines = element("pre", { class: "log diff", tabindex: "0" });
  for (const { kind, text } of difference(change.before, change.after)) {
    lines.append(kind === "del" ? element("del", {}, `- ${text}`) : kind ? element("ins", {}, `+ ${text}`) : `  ${text}`, "\n");
  }
  return element("div", {}, element("p", { class: "label" }, element("code", {}, change.path)), lines);
}

async function look(id: string, button: HTMLElement): Promise<void> {
  button.setAttribute("aria-busy", "true");
  try {
    const found = await api<Update>("POST", apiPath("blueprints", id, "update"), {});
    if (found.changes.length === 0) {
      toast("There is nothing new.");
      return;
    }
    one("[data-update-changes]").replaceChildren(...found.changes.map(shown));
    const apply = one("[data-apply-update]");
    apply.dataset["applyUpdate"] = id;
    apply.dataset["digest"] = found.digest;
    openDialog("blueprint-update");
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    toast(error.message, "bad");
  } finally {
    button.removeAttribute("aria-busy");
  }
}

async function apply(button: HTMLElement): Promise<void> {
  button.setAttribute("aria-busy", "true");
  try {
    const { applyUpdate: id = "", digest } = button.dataset;
    await api("POST", apiPath("blueprints", id, "update"), { digest });
    location.reload();
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    toast(error.message, "bad");
    button.removeAttribute("aria-busy");
  }
}

on("submit", "#import-form", (form, event) => {
  event.preventDefault();
  void bring(form as HTMLFormElement);
});
on("click", "[data-update-blueprint]", (button) => void look(button.dataset["updateBlueprint"] ?? "", button));
on("click", "[data-apply-update]", (button) => void apply(button));

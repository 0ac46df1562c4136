import { element, icon } from "./dom";

export interface Question {
  title: string;
  text: string;
  confirm: string;
  danger?: boolean;
  /** What has to be typed before the button works. */
  typed?: string;
}

/** Ask before doing; answers whether to go on. */
export function confirmDialog(question: Question): Promise<boolean> {
  const button = element(
    "button",
    { class: `button ${question.danger ? "danger solid" : "primary"}`, value: "yes", "data-testid": "confirm" },
    question.confirm,
  );
  const body = element("div", { class: "dialog-body" }, element("p", { class: "soft" }, question.text));
  if (question.typed !== undefined) body.append(typedField(question.typed, button));
  return ask(question.title, body, button).then((dialog) => dialog.returnValue === "yes");
}

/** Ask the question of an element's `data-confirm`, if it has one. */
export async function confirmed(asking: HTMLElement): Promise<boolean> {
  const { confirm: text, confirmTitle: title, confirmButton, confirmTyped } = asking.dataset;
  if (!text) return true;
  return confirmDialog({
    title: title ?? "Are you sure?",
    text,
    confirm: confirmButton ?? "Yes",
    danger: true,
    ...(confirmTyped === undefined ? {} : { typed: confirmTyped }),
  });
}

export interface Prompt {
  title: string;
  label: string;
  value?: string;
  confirm: string;
  /** How much of the value to select, for renaming a file without its suffix. */
  select?: number;
  /** Whether it is the user's password. */
  secret?: boolean;
}

/** Ask for one line of text; answers null when the dialog is left. */
export function promptDialog(prompt: Prompt): Promise<string | null> {
  const input = element("input", {
    class: "input",
    name: "value",
    value: prompt.value ?? "",
    required: true,
    autocomplete: prompt.secret ? "current-password" : "off",
    spellcheck: "false",
    "data-testid": "prompt",
    type: prompt.secret ? "password" : "text",
  });
  const body = element(
    "div",
    { class: "dialog-body" },
    element("label", { class: "field" }, element("span", { class: "label" }, prompt.label), input),
  );
  const button = element("button", { class: "button primary", value: "yes", "data-testid": "confirm" }, prompt.confirm);
  const answered = ask(prompt.title, body, button);
  input.focus();
  input.setSelectionRange(0, prompt.select ?? input.value.length);
  return answered.then((dialog) => {
    if (dialog.returnValue !== "yes") return null;
    return (prompt.secret ? input.value : input.value.trim()) || null;
  });
}

/** Show one of the page's own dialogs. */
export function openDialog(id: string): void {
  const dialog = document.getElementById(id);
  if (dialog instanceof HTMLDialogElement) dialog.showModal();
}

function typedField(wanted: string, button: HTMLButtonElement): HTMLElement {
  button.disabled = true;
  const input = element("input", {
    class: "input",
    autocomplete: "off",
    spellcheck: "false",
    autofocus: true,
    "data-testid": "confirm-typed",
    input: () => {
      button.disabled = input.value.trim() !== wanted;
    },
  });
  const label = element("span", { class: "label" }, "Type ", element("code", {}, wanted), " to confirm");
  return element("label", { class: "field" }, label, input);
}

function ask(title: string, body: HTMLElement, button: HTMLButtonElement): Promise<HTMLDialogElement> {
  const id = `dialog-${Math.random().toString(36).slice(2)}`;
  const close = element("button", { class: "button quiet square small", "aria-label": "Close", formnovalidate: true });
  close.append(icon("x"));
  const head = element("div", { class: "dialog-head" }, element("h2", { id }, title), close);
  const cancel = element("button", { class: "button", formnovalidate: true }, "Cancel");
  const foot = element("div", { class: "dialog-foot" }, cancel, button);
  // The first submit button is what Enter presses, so the cross must not be one of them.
  close.type = cancel.type = "button";
  const form = element("form", { method: "dialog" }, head, body, foot);
  const dialog = element("dialog", { class: "dialog", "aria-labelledby": id }, form);
  close.addEventListener("click", () => dialog.close());
  cancel.addEventListener("click", () => dialog.close());
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog);
    });
  });
}

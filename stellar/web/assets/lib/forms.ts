import { api, type Method, Problem } from "./api";
import { all, element } from "./dom";
import { toast } from "./toast";

type Value = string | number | boolean | null;
export type Values = { [name: string]: Value | Values };

/**
 * A form's fields as the API wants them: `variables.NAME` nests, `data-type="number"` converts, a checkbox is a
 * boolean, and an empty field with `data-optional` is left out.
 */
export function fieldValues(form: HTMLFormElement): Values {
  const values: Values = {};
  for (const field of all<HTMLInputElement>("input[name], select[name], textarea[name]", form)) {
    if (field.matches(":disabled") || (field.type === "radio" && !field.checked)) continue;
    if (field.value === "" && field.dataset["optional"] !== undefined) continue;
    put(values, field.name, valueOf(field));
  }
  return values;
}

function valueOf(field: HTMLInputElement): Value {
  if (field.type === "checkbox") return field.checked;
  if (field.dataset["type"] !== "number") return field.value;
  const factor = Number(field.dataset["factor"] ?? 1);
  const number = Number(field.value) * factor;
  return field.value === "" || Number.isNaN(number) ? 0 : Math.round(number);
}

function put(values: Values, name: string, value: Value): void {
  const dot = name.indexOf(".");
  if (dot < 0) {
    values[name] = value;
    return;
  }
  const head = name.slice(0, dot);
  const inner = values[head];
  const nested: Values = typeof inner === "object" && inner !== null ? inner : {};
  values[head] = nested;
  put(nested, name.slice(dot + 1), value);
}

/** Show a problem in a form: beside the fields it is about, the rest above the buttons. */
export function showProblem(form: HTMLFormElement, problem: Problem): void {
  clearProblems(form);
  let first: HTMLElement | undefined;
  const elsewhere: string[] = [];
  for (const [name, message] of Object.entries(problem.fields)) {
    const place = form.querySelector<HTMLElement>(`[data-error="${CSS.escape(name)}"]`);
    const field = form.querySelector<HTMLInputElement>(`[name="${CSS.escape(name)}"]:not([type=hidden])`);
    if (place && field) {
      place.textContent = sentence(message);
      field.setAttribute("aria-invalid", "true");
      first ??= field;
    } else {
      elsewhere.push(`${name}: ${message}`);
    }
  }
  first?.focus();
  if (!first || elsewhere.length) errorPlace(form).textContent = [problem.message, ...elsewhere].join(" ");
}

/** Rules may say "is taken"; beside a field that reads better as a sentence. */
function sentence(text: string): string {
  const whole = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(whole) ? whole : `${whole}.`;
}

function clearProblems(form: HTMLFormElement): void {
  for (const place of all("[data-error], .form-error", form)) place.textContent = "";
  for (const field of all("[aria-invalid]", form)) field.removeAttribute("aria-invalid");
}

function errorPlace(form: HTMLFormElement): HTMLElement {
  const there = form.querySelector<HTMLElement>(".form-error");
  if (there) return there;
  const made = element("p", { class: "form-error", role: "alert", "data-testid": "form-error" });
  const anchor = form.querySelector(".dialog-foot, .form-actions");
  if (anchor) anchor.before(made);
  else form.append(made);
  return made;
}

/**
 * Send a form with `data-api` to the API. `data-method` is the method, `data-next` where to go afterwards (with
 * `{id}` from the answer; `reload` for the same page), `data-done` what to say, `data-event` an event that gets the
 * answer.
 */
export async function submitForm(form: HTMLFormElement, submitter: HTMLElement | null): Promise<void> {
  const button = submitter ?? form.querySelector<HTMLElement>("[type=submit], button:not([type])");
  const method = (form.dataset["method"] ?? "POST") as Method;
  const target = button?.getAttribute("formaction") ?? form.action;
  button?.setAttribute("aria-busy", "true");
  try {
    const answer = await api<Record<string, unknown> | undefined>(method, target, fieldValues(form));
    clearProblems(form);
    finish(form, answer ?? {});
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    showProblem(form, error);
  } finally {
    button?.removeAttribute("aria-busy");
  }
}

function finish(form: HTMLFormElement, answer: Record<string, unknown>): void {
  const { next, done, event } = form.dataset;
  if (done) toast(done);
  if (event) form.dispatchEvent(new CustomEvent(event, { bubbles: true, detail: answer }));
  if (form.dataset["reset"] !== undefined) form.reset();
  if (next === "reload") location.reload();
  else if (next) location.assign(next.replace("{id}", encodeURIComponent(String(answer["id"] ?? ""))));
}

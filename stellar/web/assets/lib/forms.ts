import { api, type Method, Problem } from "./api";
import { confirmed } from "./dialog";
import { all, element } from "./dom";
import { toast } from "./toast";

type Value = string | number | boolean | null | string[];
export type Values = { [name: string]: Value | Values };

const DAY = 86_400_000;

/**
 * A form's fields as the API wants them: `variables.NAME` nests, a checkbox is a boolean, and an empty field with
 * `data-optional` is left out. `data-type` converts: `number`; `list`, the values of the ticked checkboxes of a name;
 * `lines`, a text's lines that aren't empty; `days`, the time in so many days; `boolean`, the words true and false.
 */
export function fieldValues(form: HTMLFormElement): Values {
  const values: Values = {};
  for (const field of all<HTMLInputElement>("input[name], select[name], textarea[name]", form)) {
    if (field.matches(":disabled") || (field.type === "radio" && !field.checked)) continue;
    if (field.value === "" && field.dataset["optional"] !== undefined) continue;
    if (field.dataset["type"] === "list") tick(values, field);
    else put(values, field.name, valueOf(field));
  }
  return values;
}

function tick(values: Values, box: HTMLInputElement): void {
  const listed = values[box.name];
  const list = Array.isArray(listed) ? listed : [];
  values[box.name] = box.checked ? [...list, box.value] : list;
}

function valueOf(field: HTMLInputElement): Value {
  if (field.type === "checkbox") return field.checked;
  if (field.dataset["type"] === "lines") return field.value.split(/[\s,]+/).filter(Boolean);
  if (field.dataset["type"] === "boolean") return field.value === "true";
  if (field.dataset["type"] === "days") return new Date(Date.now() + Number(field.value) * DAY).toISOString();
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
  const nested: Values = typeof inner === "object" && inner !== null && !Array.isArray(inner) ? inner : {};
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
 * Send a form with `data-api` to the API, after the question of `data-confirm` (as on buttons). `data-method` is the
 * method, `data-next` where to go afterwards (`reload` for the same page; what is in braces comes from the answer, as in
 * `/servers/{id}`), `data-done` what to say, `data-event` an event that gets the answer.
 */
export async function submitForm(form: HTMLFormElement, submitter: HTMLElement | null): Promise<void> {
  const button = submitter ?? form.querySelector<HTMLElement>("[type=submit], button:not([type])");
  const method = (form.dataset["method"] ?? "POST") as Method;
  const target = button?.getAttribute("formaction") ?? form.action;
  if (!(await confirmed(form))) return;
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
  else if (next) location.assign(next.replace(/{(\w+)}/g, (_, name) => encodeURIComponent(String(answer[name] ?? ""))));
}

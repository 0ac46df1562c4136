import { all, on, one } from "@stellar/web";

/** Show the chosen blueprint's own fields, and begin with what it recommends where nothing was typed. */
function choose(radio: HTMLInputElement): void {
  const form = one<HTMLFormElement>("#new-server");
  for (const fields of all<HTMLFieldSetElement>("[data-variables-of]", form)) {
    const chosen = fields.dataset["variablesOf"] === radio.dataset["blueprint"];
    fields.hidden = fields.disabled = !chosen;
  }
  one("[data-ports]:not(input)", form).textContent = radio.dataset["ports"] ?? "";
  for (const [name, value] of [
    ["memory_mb", radio.dataset["memory"]],
    ["cpu_percent", radio.dataset["cpu"]],
    ["disk_mb", radio.dataset["disk"]],
  ] as const) {
    const field = one<HTMLInputElement>(`[name="${name}"]`, form);
    if (field.dataset["typed"] === undefined) field.value = value ?? "0";
  }
}

on("input", "#new-server input[type=number]", (field) => {
  field.dataset["typed"] = "";
});
on("change", "[data-blueprint]", (radio) => choose(radio as HTMLInputElement));

/** The form comes later where no node was online at first. */
function begin(): void {
  const chosen = document.querySelector<HTMLInputElement>("[data-blueprint]:checked");
  if (chosen) choose(chosen);
}

document.addEventListener("htmx:after:swap", begin);
begin();

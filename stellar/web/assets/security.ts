/** Two-factor sign-in and passkeys. */
import { api, apiPath, Problem } from "./lib/api";
import { promptDialog } from "./lib/dialog";
import { on, one } from "./lib/dom";
import { fieldValues, showProblem } from "./lib/forms";
import { type CreationOptions, createPasskey } from "./lib/passkeys";
import { toast } from "./lib/toast";

interface Enrolment {
  secret: string;
  qr: string;
}

interface RecoveryCodes {
  codes?: string[];
}

const section = one("#second-factor");

section.addEventListener("stellar:enrolment", (event) => {
  const { secret, qr } = (event as CustomEvent<Enrolment>).detail;
  one<HTMLImageElement>("#enrol-qr").src = qr;
  one("#enrol-secret").textContent = secret;
  one("#enrol-form").hidden = true;
  one("#confirm-form").hidden = false;
  one("#enrol-code").focus();
});

section.addEventListener("stellar:recovery-codes", (event) => {
  const { codes } = (event as CustomEvent<RecoveryCodes>).detail;
  if (!codes) {
    location.reload();
    return;
  }
  for (const form of section.querySelectorAll("form")) form.hidden = true;
  one("#recovery pre").textContent = codes.join("\n");
  one("[data-recovery-copy]").dataset["copy"] = codes.join("\n");
  one("#recovery").hidden = false;
  one("#second-state").hidden = true;
});

one("#passkey-form").addEventListener("submit", (event) => {
  event.preventDefault();
  void addPasskey(event.currentTarget as HTMLFormElement);
});
on("click", "[data-rename-passkey]", (button) => void renamePasskey(button));

async function addPasskey(form: HTMLFormElement): Promise<void> {
  const { name, password } = fieldValues(form);
  try {
    const options = await api<CreationOptions>("POST", "/api/v1/auth/passkeys/options", { password });
    await api("POST", "/api/v1/auth/passkeys", { name, credential: await createPasskey(options) });
    location.reload();
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    showProblem(form, error);
  }
}

async function renamePasskey(button: HTMLElement): Promise<void> {
  const { renamePasskey: id = "", name: value = "" } = button.dataset;
  const name = await promptDialog({ title: "Rename the passkey", label: "Name", value, confirm: "Rename" });
  if (name === null) return;
  try {
    await api("PATCH", apiPath("auth", "passkeys", id), { name });
    location.reload();
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    toast(error.message, "bad");
  }
}

/** Passkeys, and the second step of signing in. */
import { api, Problem } from "./lib/api";
import { one } from "./lib/dom";
import { startElsewhere } from "./lib/elsewhere";
import { showProblem } from "./lib/forms";
import { provePasskey, type RequestOptions } from "./lib/passkeys";

interface FirstStep {
  second_factor?: { token: string; methods: string[] };
}

interface Offer {
  token: string;
  options: RequestOptions;
}

const first = one<HTMLFormElement>("#signin-form");
const second = one<HTMLFormElement>("#second-form");
const token = one<HTMLInputElement>("[name=token]", second);
const goOn = (): void => location.assign(first.dataset["nextUrl"] ?? "/");

startElsewhere(first.dataset["nextUrl"] ?? "/");

first.addEventListener("stellar:signed-in", (event) => {
  const step = (event as CustomEvent<FirstStep>).detail.second_factor;
  if (!step) {
    goOn();
    return;
  }
  token.value = step.token;
  first.hidden = true;
  second.hidden = false;
  one("#passkey-second").hidden = !step.methods.includes("passkey");
  one("[name=code]", second).focus();
});

one("#passkey-signin").addEventListener("click", () => {
  void prove(first, "/api/v1/auth/signin/passkey/options", undefined, "/api/v1/auth/signin/passkey");
});
one("#passkey-second").addEventListener("click", () => {
  void prove(second, "/api/v1/auth/signin/second/options", { token: token.value }, "/api/v1/auth/signin/second");
});

async function prove(form: HTMLFormElement, offers: string, body: unknown, target: string): Promise<void> {
  try {
    const offer = await api<Offer>("POST", offers, body);
    await api("POST", target, { token: offer.token, credential: await provePasskey(offer.options) });
    goOn();
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    showProblem(form, error);
  }
}

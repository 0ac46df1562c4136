import {
  api,
  apiPath,
  all,
  checkedIn,
  on,
  one,
  openDialog,
  Problem,
  refresh,
  setChecked,
  toast,
} from "@stellar/web";

interface Invitation {
  email: string;
  mailed: boolean;
  url: string | null;
}

const page = one("#members-page");
const server = page.dataset["server"] ?? "";

function actionsOf(element: HTMLElement): string[] {
  return JSON.parse(element.dataset["actions"] ?? "[]") as string[];
}

/** Show which preset the ticked boxes are. */
function markPreset(form: HTMLElement): void {
  const ticked = checkedIn(form).sort().join();
  for (const button of all("[data-preset]", form)) {
    button.setAttribute("aria-pressed", String(actionsOf(button).sort().join() === ticked));
  }
}

function showLink(invitation: Invitation): void {
  refresh();
  if (!invitation.url) {
    toast(`The invitation is on its way to ${invitation.email}.`);
    return;
  }
  one("[data-link-email]").textContent = invitation.email;
  one("[data-link-url]").textContent = invitation.url;
  one("[data-link-copy]").dataset["copy"] = invitation.url;
  openDialog("invitation-link");
}

async function renew(email: string, actions: string[]): Promise<void> {
  try {
    showLink(await api<Invitation>("POST", apiPath("servers", server, "invitations"), { email, actions }));
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    toast(error.message, "bad");
  }
}

on("click", "[data-preset]", (button) => {
  const form = button.closest("form");
  if (form) setChecked(form, actionsOf(button));
});
on("change", "[data-checks]", (boxes) => {
  const form = boxes.closest("form");
  if (form) markPreset(form);
});
on("click", "[data-invite]", () => {
  setChecked(one("#invite form"), actionsOf(one("#invite [data-preset]")));
  openDialog("invite");
});
on("click", "[data-change-member]", (button) => {
  const { changeMember: id = "", name = "" } = button.dataset;
  one<HTMLFormElement>("#change-member form").action = apiPath("servers", server, "members", id);
  one("#change-member [data-name]").textContent = name;
  setChecked(one("#change-member form"), actionsOf(button));
  openDialog("change-member");
});
on("click", "[data-renew]", (button) => void renew(button.dataset["renew"] ?? "", actionsOf(button)));
page.addEventListener("stellar:invited", (event) => {
  one<HTMLDialogElement>("#invite").close();
  showLink((event as CustomEvent<Invitation>).detail);
});
page.addEventListener("stellar:member-changed", () => {
  one<HTMLDialogElement>("#change-member").close();
  toast("Saved. It counts at once.");
  refresh();
});

import { api, apiPath, clock, on, one, openDialog, Problem, toast } from "@stellar/web";

interface Link {
  url: string;
  expires_at: string;
}

on("click", "[data-change-user]", (button) => {
  const { changeUser: id = "", name = "", role = "", own } = button.dataset;
  button.closest("details")?.removeAttribute("open");
  one<HTMLFormElement>("#change-user form").action = apiPath("admin", "users", id);
  one<HTMLInputElement>("#change-name").value = name;
  const select = one<HTMLSelectElement>("#change-role");
  select.value = role;
  // Nobody demotes themselves, and a role that isn't offered stays.
  select.disabled = Boolean(own) || select.value !== role;
  openDialog("change-user");
});

on("click", "[data-reset-link]", (button) => {
  button.closest("details")?.removeAttribute("open");
  void makeLink(button.dataset["resetLink"] ?? "", button.dataset["name"] ?? "");
});

async function makeLink(id: string, name: string): Promise<void> {
  try {
    const { url, expires_at } = await api<Link>("POST", apiPath("admin", "users", id, "reset-link"));
    one("[data-link-name]").textContent = name;
    one("[data-link-url]").textContent = url;
    one("[data-link-copy]").dataset["copy"] = url;
    const until = one<HTMLTimeElement>("[data-link-until]");
    until.dateTime = expires_at;
    until.textContent = clock(new Date(expires_at));
    openDialog("reset-link");
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    toast(error.message, "bad");
  }
}

import { apiPath, on, one, openDialog, setChecked } from "@stellar/web";

on("click", "[data-change-role]", (button) => {
  const { changeRole: name = "", title = "", actions = "[]" } = button.dataset;
  const form = one<HTMLFormElement>("#change-role form");
  form.action = apiPath("admin", "roles", name);
  one<HTMLInputElement>("#role-title").value = title;
  setChecked(form, JSON.parse(actions) as string[]);
  openDialog("change-role");
});

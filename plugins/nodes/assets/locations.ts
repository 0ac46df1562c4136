import { apiPath, on, one, openDialog } from "@stellar/web";

on("click", "[data-change-location]", (button) => {
  const { changeLocation: id = "", name = "", description = "" } = button.dataset;
  const form = one<HTMLFormElement>("#change-location form");
  form.action = apiPath("locations", id);
  one<HTMLInputElement>("[name=name]", form).value = name;
  one<HTMLInputElement>("[name=description]", form).value = description;
  openDialog("change-location");
});

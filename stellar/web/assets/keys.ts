/** A new API key's token, shown once. */
import { openDialog } from "./lib/dialog";
import { one } from "./lib/dom";
import { refresh } from "./lib/tick";

document.addEventListener("stellar:key-made", (event) => {
  const { token } = (event as CustomEvent<{ token: string }>).detail;
  one<HTMLDialogElement>("#new-key").close();
  one("#made-key code").textContent = token;
  one("#made-key [data-copy]").dataset["copy"] = token;
  openDialog("made-key");
  refresh();
});

one("#made-key").addEventListener("close", () => {
  one("#made-key code").textContent = "";
  one("#made-key [data-copy]").dataset["copy"] = "";
});

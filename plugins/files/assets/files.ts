import "./lib/files.css";

import { one } from "@stellar/web";

import { Browser } from "./lib/browser";
import { Pane } from "./lib/pane";

const files = one("#files");
const browser = new Browser(files, (path) => void edit(path));
const pane = new Pane(one("#editor"), files.dataset["server"] ?? "", () => {
  files.hidden = false;
  void browser.load();
});

async function edit(path: string): Promise<void> {
  files.hidden = await pane.open(path);
}

void browser.load();
if (files.dataset["edit"]) void edit(files.dataset["edit"]);

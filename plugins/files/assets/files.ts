import "./lib/files.css";

import { one } from "@stellar/web";

import { Browser } from "./lib/browser";
import { Pane } from "./lib/pane";

const files = one("#files");
const browser = new Browser(files, (path, isNew) => void edit(path, isNew));
const { server = "", nonce = "" } = files.dataset;
const pane = new Pane(one("#editor"), server, nonce, () => {
  files.hidden = false;
  void browser.load();
});

async function edit(path: string, isNew: boolean): Promise<void> {
  files.hidden = await pane.open(path, isNew);
}

void browser.load();
if (files.dataset["edit"]) void edit(files.dataset["edit"], false);

import { clock, element, icon, relative, size } from "@stellar/web";

import { filesUrl, join } from "./paths";

export interface Entry {
  name: string;
  kind: "file" | "directory" | "symlink" | "other";
  size: number;
  mode: string;
  modified: string;
  editable: boolean;
}

export interface ListingActions {
  open(entry: Entry): void;
  rename(entry: Entry): void;
  remove(entry: Entry): void;
}

const ARCHIVE = /\.(zip|tar|gz|tgz|bz2|xz|zst|7z|rar|jar)$/i;

function symbol(entry: Entry): string {
  if (entry.kind === "directory") return "folder";
  if (entry.kind === "symlink") return "link";
  if (ARCHIVE.test(entry.name)) return "archive";
  return entry.editable ? "file-text" : "file";
}

function nameCell(entry: Entry, actions: ListingActions): HTMLElement {
  const opens = entry.kind === "directory" || entry.editable;
  const label = element("span", {}, entry.name);
  const className = `files-name${entry.kind === "directory" ? " is-folder" : ""}`;
  const name = opens
    ? element("button", { type: "button", class: className, click: () => actions.open(entry) }, icon(symbol(entry)), label)
    : element("span", { class: className }, icon(symbol(entry)), label);
  return element("td", { class: "lead" }, name);
}

function actionButton(label: string, symbolName: string, run: () => void): HTMLButtonElement {
  const attributes = { type: "button", class: "button quiet square small", "aria-label": label, title: label };
  return element("button", { ...attributes, click: run }, icon(symbolName));
}

function row(server: string, folder: string, entry: Entry, actions: ListingActions): HTMLElement {
  const modified = new Date(entry.modified);
  const group = element("div", { class: "button-group" });
  if (entry.kind === "file") {
    group.append(
      element(
        "a",
        {
          class: "button quiet square small",
          href: filesUrl(server, join(folder, entry.name), "content"),
          download: entry.name,
          "aria-label": `Download ${entry.name}`,
          title: "Download",
        },
        icon("download"),
      ),
    );
  }
  group.append(
    actionButton(`Rename ${entry.name}`, "edit", () => actions.rename(entry)),
    actionButton(`Delete ${entry.name}`, "trash", () => actions.remove(entry)),
  );
  return element(
    "tr",
    { "data-testid": "file", "data-name": entry.name },
    nameCell(entry, actions),
    element("td", { class: "numeric nowrap muted", "data-label": "Size" }, entry.kind === "file" ? size(entry.size) : ""),
    element("td", { class: "nowrap muted", "data-label": "Changed", title: clock(modified) }, relative(modified)),
    element("td", { class: "end nowrap" }, group),
  );
}

/** A folder as a table. */
export function listing(server: string, folder: string, entries: Entry[], actions: ListingActions): HTMLElement {
  const head = element("tr");
  for (const title of ["Name", "Size", "Changed"]) head.append(element("th", { scope: "col" }, title));
  head.append(element("th", {}, element("span", { class: "visually-hidden" }, "Actions")));
  const rows = entries.map((entry) => row(server, folder, entry, actions));
  return element("table", { class: "table as-cards" }, element("thead", {}, head), element("tbody", {}, ...rows));
}

export function emptyFolder(): HTMLElement {
  return element(
    "div",
    { class: "empty" },
    element("h2", {}, "This folder is empty"),
    element("p", {}, "Drop files here, or make a new one with the buttons above."),
  );
}

import { api, apiPath, confirmDialog, element, icon, one, Problem, promptDialog, toast } from "@stellar/web";

import { emptyFolder, type Entry, listing } from "./listing";
import { filesUrl, join } from "./paths";
import { Uploads } from "./upload";

const PAGE = 500;

interface Listed {
  entries: Entry[];
  total: number;
}

/** The list of files in one folder of a server. */
export class Browser {
  folder: string;
  private readonly server: string;
  private readonly uploads: Uploads;
  private loads = 0;
  private names = new Set<string>();

  constructor(
    private readonly root: HTMLElement,
    private readonly edit: (path: string, isNew: boolean) => void,
  ) {
    this.server = root.dataset["server"] ?? "";
    this.folder = root.dataset["path"] ?? "";
    this.uploads = new Uploads(one("[data-files-transfers]", root), () => void this.load());
    this.listen();
  }

  /** Ask for the folder's entries and show them. */
  async load(): Promise<void> {
    const load = ++this.loads;
    const entries: Entry[] = [];
    try {
      for (let total = 1; entries.length < total; ) {
        const url = `${filesUrl(this.server, this.folder)}&offset=${entries.length}&limit=${PAGE}`;
        const page = await api<Listed>("GET", url);
        entries.push(...page.entries);
        total = page.entries.length ? page.total : 0;
      }
    } catch (error) {
      if (load === this.loads) this.show(element("p", { class: "files-wait form-error" }, (error as Problem).message));
      return;
    }
    if (load !== this.loads) return;
    this.names = new Set(entries.map((entry) => entry.name));
    this.crumbs();
    const actions = {
      open: (entry: Entry) => this.open(entry),
      rename: (entry: Entry) => void this.rename(entry),
      remove: (entry: Entry) => void this.remove(entry),
    };
    this.show(entries.length ? listing(this.server, this.folder, entries, actions) : emptyFolder());
  }

  /** Go to a folder; the address bar follows. */
  go(folder: string, remember = true): void {
    this.folder = folder;
    if (remember) window.history.pushState({}, "", folder ? `?path=${encodeURIComponent(folder)}` : location.pathname);
    void this.load();
  }

  private show(content: HTMLElement): void {
    one("[data-files-list]", this.root).replaceChildren(content);
  }

  private crumbs(): void {
    const parts = this.folder ? this.folder.split("/") : [];
    const crumbs: Node[] = [this.crumb("Files", "", parts.length === 0)];
    parts.forEach((part, index) => {
      const path = parts.slice(0, index + 1).join("/");
      crumbs.push(icon("chevron-right"), this.crumb(part, path, index === parts.length - 1));
    });
    one("[data-files-crumbs]", this.root).replaceChildren(...crumbs);
  }

  private crumb(label: string, path: string, isLast: boolean): HTMLElement {
    if (isLast) return element("span", { "aria-current": "page" }, label);
    const go = (event: Event): void => {
      event.preventDefault();
      this.go(path);
    };
    return element("a", { href: path ? `?path=${encodeURIComponent(path)}` : location.pathname, click: go }, label);
  }

  private open(entry: Entry): void {
    const path = join(this.folder, entry.name);
    if (entry.kind === "directory") this.go(path);
    else this.edit(path, false);
  }

  private async rename(entry: Entry): Promise<void> {
    const dot = entry.kind === "file" ? entry.name.lastIndexOf(".") : -1;
    const name = await promptDialog({
      title: `Rename ${entry.name}`,
      label: "New name",
      value: entry.name,
      confirm: "Rename",
      select: dot > 0 ? dot : entry.name.length,
    });
    if (name === null || name === entry.name) return;
    const body = { from: join(this.folder, entry.name), to: join(this.folder, name) };
    await this.change(api("POST", apiPath("servers", this.server, "files", "rename"), body));
  }

  private async remove(entry: Entry): Promise<void> {
    const isFolder = entry.kind === "directory";
    const sure = await confirmDialog({
      title: `Delete ${entry.name}?`,
      text: isFolder ? "The folder and everything in it are removed for good." : "The file is removed for good.",
      confirm: "Delete",
      danger: true,
    });
    if (sure) await this.change(api("DELETE", filesUrl(this.server, join(this.folder, entry.name))));
  }

  private async newFolder(): Promise<void> {
    const name = await promptDialog({ title: "New folder", label: "Name", confirm: "Create" });
    if (name === null) return;
    await this.change(api("POST", apiPath("servers", this.server, "files", "folder"), { path: join(this.folder, name) }));
  }

  private async newFile(): Promise<void> {
    const name = await promptDialog({ title: "New file", label: "Name", confirm: "Create" });
    if (name === null) return;
    if (this.names.has(name)) toast(`There is already something called ${name} here.`, "bad");
    else this.edit(join(this.folder, name), true);
  }

  private async change(done: Promise<unknown>): Promise<void> {
    try {
      await done;
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      toast(error.message, "bad");
    }
    await this.load();
  }

  private upload(files: Iterable<File>): void {
    for (const file of files) {
      this.uploads.add(file, file.name, filesUrl(this.server, join(this.folder, file.name), "content"));
    }
  }

  private listen(): void {
    const input = one<HTMLInputElement>("[data-files-input]", this.root);
    input.addEventListener("change", () => {
      this.upload(input.files ?? []);
      input.value = "";
    });
    one("[data-files-new-file]", this.root).addEventListener("click", () => void this.newFile());
    one("[data-files-new-folder]", this.root).addEventListener("click", () => void this.newFolder());
    window.addEventListener("popstate", () => this.go(new URLSearchParams(location.search).get("path") ?? "", false));
    this.acceptDrops();
  }

  private acceptDrops(): void {
    const { root } = this;
    root.addEventListener("dragover", (event) => {
      if (!event.dataTransfer?.types.includes("Files")) return;
      event.preventDefault();
      root.classList.add("is-dropping");
    });
    root.addEventListener("dragleave", (event) => {
      if (!root.contains(event.relatedTarget as Node | null)) root.classList.remove("is-dropping");
    });
    root.addEventListener("drop", (event) => {
      event.preventDefault();
      root.classList.remove("is-dropping");
      this.upload(event.dataTransfer?.files ?? []);
    });
  }
}

import { confirmDialog, fetchContent, one, Problem, putContent, toast } from "@stellar/web";

import type { Editor } from "./editor";
import { baseName, filesUrl } from "./paths";

/** The editor's place on the page: opens, saves, and guards what isn't saved. */
export class Pane {
  private editor: Editor | undefined;
  private path = "";
  private version = "";
  private saving = false;

  constructor(
    private readonly root: HTMLElement,
    private readonly server: string,
    private readonly nonce: string,
    private readonly onClose: () => void,
  ) {
    one("[data-editor-save]", root).addEventListener("click", () => void this.save());
    one("[data-editor-close]", root).addEventListener("click", () => void this.close());
    window.addEventListener("beforeunload", (event) => {
      if (this.editor?.isChanged) event.preventDefault();
    });
  }

  /** Show a file; a new one begins empty, and exists once it is saved. Answers whether it is open. */
  async open(path: string, isNew: boolean): Promise<boolean> {
    let found = { text: "", version: "" };
    try {
      if (!isNew) found = await fetchContent(filesUrl(this.server, path, "content"));
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      toast(error.message, "bad");
      return false;
    }
    this.path = path;
    this.version = found.version;
    const { Editor: Made } = await import("./editor");
    this.root.hidden = false;
    one("[data-editor-name]", this.root).textContent = baseName(path);
    const download = one<HTMLAnchorElement>("[data-editor-download]", this.root);
    download.href = filesUrl(this.server, path, "content");
    const hooks = { changed: () => this.mark(), save: () => void this.save() };
    this.editor = new Made(one("[data-editor-body]", this.root), baseName(path), found.text, this.nonce, hooks);
    this.mark();
    return true;
  }

  private mark(): void {
    one("[data-editor-changed]", this.root).hidden = !this.editor?.isChanged;
  }

  private async save(): Promise<void> {
    if (!this.editor || this.saving) return;
    this.saving = true;
    const text = this.editor.text;
    const button = one("[data-editor-save]", this.root);
    button.setAttribute("aria-busy", "true");
    try {
      if (!(await this.put(text))) return;
      this.editor.markSaved(text);
      toast("Saved.");
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      toast(error.message, "bad");
    } finally {
      this.saving = false;
      button.removeAttribute("aria-busy");
      this.mark();
    }
  }

  /** Answers whether it is saved: over somebody else's changes only when the user says so. */
  private async put(text: string): Promise<boolean> {
    const url = filesUrl(this.server, this.path, "content");
    try {
      this.version = await putContent(url, new Blob([text]), { version: this.version });
    } catch (error) {
      if (!(error instanceof Problem) || error.status !== 412) throw error;
      if (!(await this.mayOverwrite())) return false;
      this.version = await putContent(url, new Blob([text]));
    }
    return true;
  }

  private async close(): Promise<void> {
    if (this.editor?.isChanged && !(await this.mayDiscard())) return;
    this.editor?.close();
    this.editor = undefined;
    this.root.hidden = true;
    this.onClose();
  }

  private mayOverwrite(): Promise<boolean> {
    return confirmDialog({
      title: "Overwrite the file?",
      text: `${baseName(this.path)} was changed or deleted since you opened it. Saving replaces what is there now.`,
      confirm: "Overwrite",
      danger: true,
    });
  }

  private mayDiscard(): Promise<boolean> {
    return confirmDialog({
      title: "Leave without saving?",
      text: `Your changes to ${baseName(this.path)} are lost.`,
      confirm: "Leave",
      danger: true,
    });
  }
}

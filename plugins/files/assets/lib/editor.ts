import { defaultKeymap, history, historyKeymap, indentWithTab } from "@codemirror/commands";
import {
  bracketMatching,
  defaultHighlightStyle,
  foldGutter,
  HighlightStyle,
  indentOnInput,
  syntaxHighlighting,
} from "@codemirror/language";
import { highlightSelectionMatches, search, searchKeymap } from "@codemirror/search";
import { Compartment, EditorState } from "@codemirror/state";
import {
  drawSelection,
  EditorView,
  highlightActiveLine,
  highlightActiveLineGutter,
  keymap,
  lineNumbers,
} from "@codemirror/view";
import { tags } from "@lezer/highlight";

import { languageFor } from "./language";

const look = EditorView.theme({
  "&": { backgroundColor: "var(--surface)", color: "var(--ink)" },
  "&.cm-focused": { outline: "none" },
  ".cm-scroller": { fontFamily: "var(--font-mono)", lineHeight: "1.6" },
  ".cm-gutters": { backgroundColor: "var(--sunken)", color: "var(--ink-faint)", borderColor: "var(--line)" },
  ".cm-activeLine, .cm-activeLineGutter": { backgroundColor: "color-mix(in oklab, var(--ink) 4%, transparent)" },
  ".cm-cursor": { borderLeftColor: "var(--ink)" },
  ".cm-selectionBackground, &.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground": {
    backgroundColor: "color-mix(in oklab, var(--accent) 26%, transparent)",
  },
  ".cm-panels": { backgroundColor: "var(--sunken)", color: "var(--ink)" },
  ".cm-panels input, .cm-panels button": { fontFamily: "var(--font-sans)" },
});

const colours = HighlightStyle.define([
  { tag: [tags.comment, tags.meta], color: "var(--ink-faint)", fontStyle: "italic" },
  { tag: [tags.keyword, tags.operatorKeyword, tags.modifier], color: "var(--busy)" },
  { tag: [tags.string, tags.special(tags.string)], color: "var(--ok)" },
  { tag: [tags.number, tags.bool, tags.null, tags.atom], color: "var(--warn)" },
  { tag: [tags.propertyName, tags.definition(tags.variableName), tags.attributeName, tags.tagName], color: "var(--accent)" },
  { tag: tags.invalid, color: "var(--bad)" },
]);

export interface EditorHooks {
  changed(): void;
  save(): void;
}

/** CodeMirror in its place, with one file open. */
export class Editor {
  private readonly view: EditorView;
  private saved: string;

  constructor(host: HTMLElement, name: string, text: string, nonce: string, hooks: EditorHooks) {
    const language = new Compartment();
    this.saved = text;
    this.view = new EditorView({
      parent: host,
      state: EditorState.create({
        doc: text,
        extensions: [
          EditorView.cspNonce.of(nonce),
          lineNumbers(),
          foldGutter(),
          history(),
          drawSelection(),
          indentOnInput(),
          bracketMatching(),
          highlightActiveLine(),
          highlightActiveLineGutter(),
          highlightSelectionMatches(),
          search({ top: true }),
          EditorView.contentAttributes.of({ "aria-label": `Content of ${name}` }),
          syntaxHighlighting(colours),
          syntaxHighlighting(defaultHighlightStyle, { fallback: true }),
          keymap.of([
            { key: "Mod-s", preventDefault: true, run: () => (hooks.save(), true) },
            ...searchKeymap,
            ...historyKeymap,
            indentWithTab,
            ...defaultKeymap,
          ]),
          language.of([]),
          EditorView.updateListener.of((update) => {
            if (update.docChanged) hooks.changed();
          }),
          look,
        ],
      }),
    });
    void languageFor(name)?.().then((extension) => {
      this.view.dispatch({ effects: language.reconfigure(extension) });
    });
    this.view.focus();
  }

  get text(): string {
    return this.view.state.doc.toString();
  }

  get isChanged(): boolean {
    return this.text !== this.saved;
  }

  /** What is on the node now. */
  markSaved(text: string): void {
    this.saved = text;
  }

  close(): void {
    this.view.destroy();
  }
}

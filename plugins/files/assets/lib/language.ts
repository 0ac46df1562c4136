import { StreamLanguage, type LanguageSupport } from "@codemirror/language";
import type { Extension } from "@codemirror/state";

type Loader = () => Promise<Extension>;

const LEGACY: Record<string, () => Promise<StreamLanguage<unknown>>> = {
  lua: async () => StreamLanguage.define((await import("@codemirror/legacy-modes/mode/lua")).lua),
  properties: async () => StreamLanguage.define((await import("@codemirror/legacy-modes/mode/properties")).properties),
  shell: async () => StreamLanguage.define((await import("@codemirror/legacy-modes/mode/shell")).shell),
  toml: async () => StreamLanguage.define((await import("@codemirror/legacy-modes/mode/toml")).toml),
  python: async () => StreamLanguage.define((await import("@codemirror/legacy-modes/mode/python")).python),
  xml: async () => StreamLanguage.define((await import("@codemirror/legacy-modes/mode/xml")).xml),
  javascript: async () => StreamLanguage.define((await import("@codemirror/legacy-modes/mode/javascript")).javascript),
};

async function json(): Promise<LanguageSupport> {
  return (await import("@codemirror/lang-json")).json();
}

async function yaml(): Promise<LanguageSupport> {
  return (await import("@codemirror/lang-yaml")).yaml();
}

const BY_SUFFIX: Record<string, string> = {
  cfg: "properties",
  conf: "properties",
  ini: "properties",
  js: "javascript",
  mjs: "javascript",
  properties: "properties",
  mt: "properties",
  py: "python",
  sh: "shell",
  html: "xml",
};

/** How to colour a file, by its name; fetched only when it is needed. */
export function languageFor(name: string): Loader | undefined {
  const suffix = name.slice(name.lastIndexOf(".") + 1).toLowerCase();
  if (suffix === "json") return json;
  if (suffix === "yml" || suffix === "yaml") return yaml;
  return LEGACY[BY_SUFFIX[suffix] ?? suffix];
}

/** The user documents, README.md and docs/*.md: their texts, fenced blocks and commands. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { repositoryRoot } from "./repository.ts";

export interface Document {
  /** Relative to the repository root: `docs/install.md`. */
  readonly path: string;
  readonly text: string;
}

/** README.md, then the files in docs/ in alphabetical order. */
export function userDocuments(): readonly Document[] {
  const root = repositoryRoot();
  const names = readdirSync(join(root, "docs")).filter((name) => name.endsWith(".md"));
  const paths = ["README.md", ...names.sort().map((name) => `docs/${name}`)];
  return paths.map((path) => ({ path, text: readFileSync(join(root, path), "utf8") }));
}

export interface Block {
  /** The words after the opening fence: `sh tour`. */
  readonly info: string;
  readonly text: string;
}

/** The fenced blocks of a Markdown text. */
export function blocksOf(markdown: string): readonly Block[] {
  return Array.from(markdown.matchAll(/^```(.*)\n((?:.*\n)*?)```$/gm), ([, info = "", text = ""]) => ({
    info: info.trim(),
    text,
  }));
}

/** The fenced blocks of all documents, in order. */
export function documentedBlocks(): readonly Block[] {
  return userDocuments().flatMap(({ text }) => blocksOf(text));
}

/**
 * The blocks with this info string, joined into one script.
 *
 * @throws {Error} if there is none, so that a test notices when its commands disappear.
 */
export function documentedScript(info: string): string {
  const found = documentedBlocks().filter((block) => block.info === info);
  if (found.length === 0) throw new Error(`No document has a block "${info}"`);
  return found.map(({ text }) => text).join("\n");
}

/** The inline commands outside fenced blocks that begin with `program`. */
export function inlineCommands(markdown: string, program: string): readonly string[] {
  return Array.from(withoutFences(markdown).matchAll(/`([^`]+)`/g), ([, code = ""]) =>
    code.replace(/\s+/g, " "),
  ).filter((code) => code.startsWith(`${program} `));
}

/** The link targets outside code: `docs/tls.md`, `#files-that-crest-trusts`, `https://semver.org`. */
export function linksOf(markdown: string): readonly string[] {
  return Array.from(withoutCode(markdown).matchAll(/\]\(([^)\s]+)\)/g), ([, target = ""]) => target);
}

/** The anchors of the headings, as GitHub generates them: a repeated one gets a number. */
export function anchorsOf(markdown: string): ReadonlySet<string> {
  const anchors = new Set<string>();
  for (const [, heading = ""] of withoutFences(markdown).matchAll(/^#{1,6} (.+)$/gm)) {
    const text = heading.replace(/\[([^\]]*)\]\([^)]*\)/g, "$1").toLowerCase();
    const slug = text.replace(/[^\p{L}\p{N}_ -]/gu, "").replaceAll(" ", "-");
    let anchor = slug;
    for (let count = 1; anchors.has(anchor); count++) anchor = `${slug}-${count}`;
    anchors.add(anchor);
  }
  return anchors;
}

const withoutFences = (markdown: string): string => markdown.replace(/^```.*\n(?:.*\n)*?```$/gm, "");
const withoutCode = (markdown: string): string => withoutFences(markdown).replace(/`[^`]+`/g, "");

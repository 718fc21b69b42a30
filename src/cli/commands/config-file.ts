/** Files of crictl: configurations of pods and containers, in JSON or YAML. */
import { readFile } from "node:fs/promises";
import { text } from "node:stream/consumers";
import { CrestError } from "../../client/index.ts";
import { StartError } from "../../errors.ts";
import { printable } from "../../printable.ts";
import { tellFailure } from "../tell-failure.ts";
import type { Terminal } from "../terminal.ts";

export interface ConfigFile {
  /** As it was typed; `stdin` for `-`. */
  readonly name: string;
  readonly text: string;
  readonly contentType: "application/json" | "application/yaml";
}

/** @throws {StartError} if it cannot be read. */
export async function readConfigFile({ stdin }: Pick<Terminal, "stdin">, path: string): Promise<ConfigFile> {
  const content = path === "-" ? await text(stdin) : await readText(path);
  return { name: path === "-" ? "stdin" : path, text: content, contentType: typeOf(path, content) };
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new StartError(`Cannot read the file ${path}: ${reason}`, { cause: error });
  }
}

/** JSON if it is, or is called so: its mistakes are then those of JSON. */
function typeOf(path: string, content: string): ConfigFile["contentType"] {
  if (path.endsWith(".json")) return "application/json";
  try {
    JSON.parse(content);
    return "application/json";
  } catch {
    return "application/yaml";
  }
}

/** The value of a member such as `["image", "image"]`; undefined if there is none. */
export async function valueIn({ text }: ConfigFile, path: readonly string[]): Promise<unknown> {
  const { parseDocument } = await import("yaml");
  return parseDocument(text).getIn(path);
}

/** The same file with another member at its top, in the spelling of the others. Integers stay exact. */
export async function withMember(file: ConfigFile, camelCase: string, value: string): Promise<ConfigFile> {
  const { parseDocument } = await import("yaml");
  const document = parseDocument(file.text, { intAsBigInt: true });
  if (document.errors.length > 0) return file;
  const snakeCase = camelCase.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  document.set(hasSnakeCase(document.toJS()) ? snakeCase : camelCase, value);
  return { ...file, text: document.toString(), contentType: "application/yaml" };
}

function hasSnakeCase(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  return Object.entries(value).some(([name, member]) => /^[a-z]+_/.test(name) || hasSnakeCase(member));
}

/** Tells a failure, with the line of each mistake. @throws what is no mistake in a file. */
export async function tellMistakes(
  terminal: Pick<Terminal, "stderr">,
  { name, text }: ConfigFile,
  error: unknown,
): Promise<void> {
  if (!(error instanceof CrestError) || error.errors.every(({ pointer }) => pointer === undefined))
    throw error;
  tellFailure(terminal, new CrestError(error.code, error.message));
  const lineOf = await lines(text);
  for (const { pointer, parameter, detail = "" } of error.errors) {
    const line = pointer === undefined ? undefined : lineOf(pointer);
    const place = line === undefined ? name : `${name}:${line}`;
    terminal.stderr.write(`  ${printable(`${place}: ${pointer ?? parameter ?? ""} ${detail}`)}\n`);
  }
}

/** Finds the line of a JSON pointer: of its value, else of what should have it. */
async function lines(text: string): Promise<(pointer: string) => number | undefined> {
  const { isNode, LineCounter, parseDocument } = await import("yaml");
  const lineCounter = new LineCounter();
  const document = parseDocument(text, { lineCounter });
  return (pointer) => {
    const path = pointer
      .split("/")
      .slice(1)
      .map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"));
    for (; path.length > 0; path.pop()) {
      const node = document.getIn(path, true);
      if (isNode(node) && node.range) return lineCounter.linePos(node.range[0]).line;
    }
    return undefined;
  };
}

/** The texts of `Warning` headers (RFC 9111, 5.5): `299 - "unknown field \"/kind\""`. */
export function warningsIn(header: string | null): readonly string[] {
  const quoted = (header ?? "").matchAll(/\b299 \S+ "((?:[^"\\]|\\.)*)"/g);
  return [...quoted].map(([, inner = ""]) => inner.replace(/\\(.)/g, "$1"));
}

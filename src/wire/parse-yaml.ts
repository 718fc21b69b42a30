/**
 * YAML 1.2 as an alternative syntax for JSON, as strict as our JSON parser.
 *
 * The core schema determines the type of a plain scalar: `no` and `2001-01-01` are strings, `0x1F` is a number.
 * Anything that JSON cannot express is an error with a position: a second document, directives, tags of other schemas,
 * merge keys, keys that are not scalars, infinity. Duplicate keys are errors too. Anchors and aliases are allowed, but
 * what they repeat is limited. Integers beyond the safe range become bigints, to keep all of their digits.
 */
import { isUtf8 } from "node:buffer";
import {
  Composer,
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Pair,
  type ParsedNode,
  Parser,
  type Scalar,
  type YAMLMap,
} from "yaml";
import { withoutVariables } from "../config/environment.ts";
import { jsonPointer } from "./invalid-value.ts";
import { InvalidYaml } from "./invalid-yaml.ts";
import { MAX_JSON_DEPTH, survives } from "./parse-json.ts";

/** Largest text. The package takes ten times as long as the JSON parser. */
export const MAX_YAML_BYTES = 128 * 1024;
/**
 * Variables that make the package print every parsed text to stdout. Bodies contain passwords, and the names are common
 * enough to be set for another program.
 */
const printingVariables = ["LOG_STREAM", "LOG_TOKENS"] as const;
/** Most values that aliases may repeat in total. */
const MAX_REPEATED = 10_000;

/** Control characters other than tab, line feed and carriage return, which YAML allows. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what it looks for
const controlCharacter = /[\0-\x08\x0b\x0c\x0e-\x1f\x7f]/;

/** Tags of the core schema, with a check of the value. The package accepts any text as a number. */
const coreTags: ReadonlyMap<string, (value: unknown) => boolean> = new Map<
  string,
  (value: unknown) => boolean
>([
  ["tag:yaml.org,2002:str", (value) => typeof value === "string"],
  ["tag:yaml.org,2002:int", (value) => typeof value === "bigint"],
  ["tag:yaml.org,2002:float", (value) => typeof value === "number" || typeof value === "bigint"],
  ["tag:yaml.org,2002:bool", (value) => typeof value === "boolean"],
  ["tag:yaml.org,2002:null", (value) => value === null],
  ["tag:yaml.org,2002:map", () => true],
  ["tag:yaml.org,2002:seq", () => true],
]);

/** By the package's error code. Its own messages may contain values. */
const sentences: { readonly [code: string]: string } = {
  ALIAS_PROPS: "an alias has a tag or an anchor",
  BAD_ALIAS: "an alias has no name",
  BAD_DQ_ESCAPE: "a string has an unknown escape",
  BAD_INDENT: "the indentation is wrong",
  BAD_SCALAR_START: "a value begins with a character that needs quotes",
  BLOCK_AS_IMPLICIT_KEY: "a nested mapping or list must begin on its own line",
  BLOCK_IN_FLOW: "a block is inside brackets",
  KEY_OVER_1024_CHARS: "a key is longer than 1024 characters",
  MISSING_CHAR: "a quote, a bracket, a comma or a space is missing",
  MULTILINE_IMPLICIT_KEY: "a key spans more than one line",
  MULTIPLE_ANCHORS: "a value has two anchors",
  MULTIPLE_TAGS: "a value has two tags",
  TAB_AS_INDENT: "a tab is in the indentation",
  TAG_RESOLVE_FAILED: "a value does not have the type of its tag",
};

/**
 * Parses YAML from UTF-8 bytes to JSON values and bigints. Values repeated by an alias are shared.
 *
 * @throws {InvalidYaml} For anything other than exactly one document of JSON values.
 */
export function parseYaml(bytes: Uint8Array): unknown {
  const lines = new LineCounter();
  const fail = (detail: string, offset: number, path: Path = []): never => {
    const { line, col } = lines.linePos(offset);
    throw new InvalidYaml(detail, {
      line: Math.max(1, line),
      column: Math.max(1, col),
      pointer: jsonPointer(path),
    });
  };
  if (bytes.length > MAX_YAML_BYTES) fail(`the text is over ${MAX_YAML_BYTES} bytes`, 0);
  if (!isUtf8(bytes)) fail("the bytes are not UTF-8", 0);
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("utf8");
  if (text.startsWith("\ufeff")) fail("the text begins with a byte order mark", 0);
  const control = text.search(controlCharacter);
  if (control !== -1) fail("a control character is not allowed here", control);
  const { contents } = withoutVariables(printingVariables, () => documentOf(text, lines, fail));
  return contents === null ? null : new Reader(fail).read(contents);
}

type Path = readonly (string | number)[];
type Fail = (detail: string, offset: number, path?: Path) => never;

/** Parses the single document of a text. */
function documentOf(text: string, lines: LineCounter, fail: Fail): Document.Parsed {
  const parser = new Parser(lines.addNewLine);
  const composer = new Composer({
    version: "1.2",
    schema: "core",
    merge: false,
    resolveKnownTags: false,
    intAsBigInt: true,
    // Checked below: the package compares every pair of keys.
    uniqueKeys: false,
    prettyErrors: false,
    logLevel: "silent",
  });
  let document: Document.Parsed | undefined;
  const take = (documents: Iterable<Document.Parsed>): void => {
    for (const one of documents) {
      // An unknown tag is only a warning here, and is rejected with its position below.
      const warnings = one.warnings.filter(({ code }) => code !== "TAG_RESOLVE_FAILED");
      const [error] = [...one.errors, ...warnings].sort((a, b) => a.pos[0] - b.pos[0]);
      if (error) fail(sentences[error.code] ?? "the syntax is wrong", error.pos[0]);
      if (document) fail("there is more than one document", one.range[0]);
      document = one;
    }
  };
  for (const token of parser.parse(text)) {
    if (token.type === "directive") fail("directives are not allowed", token.offset);
    // Composing is recursive.
    if (depthOf(token) > MAX_DEPTH)
      fail(`it is nested more than ${MAX_JSON_DEPTH} levels deep`, token.offset);
    take(composer.next(token));
  }
  take(composer.end(true, text.length));
  return document ?? fail("there is no document", 0);
}

/** A document, a mapping and its value each count as one level in the package. */
const MAX_DEPTH = MAX_JSON_DEPTH * 2 + 2;

/** The nesting depth of the tokens below one. */
function depthOf(token: object): number {
  let depth = 0;
  let level: object[] = [token];
  while (level.length > 0 && depth <= MAX_DEPTH) {
    const below: object[] = [];
    for (const { value, key, items } of level as { value?: unknown; key?: unknown; items?: unknown }[]) {
      for (const part of [value, key]) if (typeof part === "object" && part !== null) below.push(part);
      if (Array.isArray(items)) for (const item of items) below.push(item as object);
    }
    level = below;
    depth++;
  }
  return depth;
}

/** A value, the number of values in it, and their nesting depth. */
interface Read {
  readonly value: unknown;
  readonly size: number;
  readonly depth: number;
}

class Reader {
  readonly #fail: Fail;
  readonly #path: (string | number)[] = [];
  readonly #anchors = new Map<string, Read | undefined>();
  #repeated = 0;

  constructor(fail: Fail) {
    this.#fail = fail;
  }

  read(contents: ParsedNode): unknown {
    return this.#node(contents).value;
  }

  #node(node: ParsedNode | null): Read {
    if (node === null) return { value: null, size: 1, depth: 0 };
    if (isAlias(node)) return this.#alias(node.source, node.range[0]);
    const { tag, anchor } = node;
    this.#checkTag(node, tag);
    // Until the node is read, an alias to it would refer to itself.
    if (anchor !== undefined) this.#anchors.set(anchor, undefined);
    const read = isScalar(node) ? this.#scalar(node) : this.#collection(node);
    if (anchor !== undefined) this.#anchors.set(anchor, read);
    return read;
  }

  #checkTag(node: ParsedNode, tag: string | undefined): void {
    if (tag === undefined) return;
    const fits = coreTags.get(tag);
    if (fits === undefined) this.#error("a tag is not in the core schema", node);
    if (isScalar(node) && !fits(node.value)) this.#error("a value does not have the type of its tag", node);
  }

  #collection(node: ParsedNode): Read {
    if (this.#path.length >= MAX_JSON_DEPTH) this.#tooDeep(node.range[0]);
    if (isMap(node)) return this.#map(node as YAMLMap<ParsedNode, ParsedNode | null>);
    if (!isSeq(node)) return this.#error("a value is neither a scalar, a mapping nor a list", node);
    return this.#list(node.items as (ParsedNode | null)[]);
  }

  #map({ items }: YAMLMap<ParsedNode, ParsedNode | null>): Read {
    const object: { [key: string]: unknown } = Object.create(null);
    let size = 1;
    let depth = 0;
    for (const pair of items) {
      const key = this.#key(pair);
      this.#path.push(key);
      if (Object.hasOwn(object, key)) this.#error(`the member ${quote(key)} is repeated`, pair.key);
      const read = this.#node(pair.value);
      this.#path.pop();
      object[key] = read.value;
      size += read.size;
      depth = Math.max(depth, read.depth);
    }
    return { value: object, size, depth: depth + 1 };
  }

  #list(items: readonly (ParsedNode | null)[]): Read {
    const list: unknown[] = [];
    let size = 1;
    let depth = 0;
    for (const item of items) {
      this.#path.push(list.length);
      const read = this.#node(item);
      this.#path.pop();
      list.push(read.value);
      size += read.size;
      depth = Math.max(depth, read.depth);
    }
    return { value: list, size, depth: depth + 1 };
  }

  /** Returns a key as a string. One that looks like a number or a boolean keeps its spelling. */
  #key({ key }: Pair<ParsedNode, ParsedNode | null>): string {
    if (!isScalar(key) || key.value === null) return this.#error("a key must be a string", key);
    this.#checkTag(key, key.tag);
    if (key.anchor !== undefined) this.#error("an anchor on a key is not allowed", key);
    if (key.value === "<<" && key.type === "PLAIN") this.#error("merge keys are not supported", key);
    return typeof key.value === "string" ? key.value : (key.source ?? String(key.value));
  }

  #scalar(node: Scalar.Parsed): Read {
    return { value: this.#plain(node), size: 1, depth: 0 };
  }

  #plain(node: Scalar.Parsed): unknown {
    const { value, source } = node;
    if (typeof value === "bigint") return Number.isSafeInteger(Number(value)) ? Number(value) : value;
    if (typeof value !== "number") return value;
    if (!Number.isFinite(value) && !/\d/.test(source))
      this.#error("infinity and NaN are not supported", node);
    if (!survives(source.replace(/^\+/, ""), value))
      this.#error("the number does not fit a double without loss", node);
    return value;
  }

  #alias(name: string, offset: number): Read {
    if (!this.#anchors.has(name)) this.#fail("an alias has no anchor before it", offset, this.#path);
    const read =
      this.#anchors.get(name) ?? this.#fail("an alias is inside its own anchor", offset, this.#path);
    this.#repeated += read.size;
    if (this.#repeated > MAX_REPEATED)
      this.#fail(`aliases repeat more than ${MAX_REPEATED} values`, offset, this.#path);
    if (this.#path.length + read.depth > MAX_JSON_DEPTH) this.#tooDeep(offset);
    return read;
  }

  #tooDeep(offset: number): never {
    return this.#fail(`it is nested more than ${MAX_JSON_DEPTH} levels deep`, offset, this.#path);
  }

  #error(detail: string, node: ParsedNode | null): never {
    return this.#fail(detail, node?.range[0] ?? 0, this.#path);
  }
}

function quote(name: string): string {
  return JSON.stringify(name.length > 64 ? `${name.slice(0, 61)}...` : name);
}

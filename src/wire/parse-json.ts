/**
 * Strict JSON parser.
 *
 * JSON.parse accepts text that loses data: it drops the first of two members with the same name, turns 1e400 into
 * Infinity, and cuts digits that a double cannot hold. Here these are errors with a position, and so are invalid UTF-8
 * and a byte order mark. Objects have no prototype, so a member named `__proto__` is like any other.
 */
import { isUtf8 } from "node:buffer";
import { jsonPointer } from "./invalid-value.ts";

/** The text is not JSON, or contains something that would be lost. */
export class InvalidJson extends Error {
  override readonly name = "InvalidJson";
  /** What is wrong. Contains names of members, never values. */
  readonly detail: string;
  /** Position in the text, from 1; columns count UTF-16 units. */
  readonly line: number;
  readonly column: number;
  /** JSON pointer to the member or item being read. */
  readonly pointer: string;

  constructor(detail: string, place: { line: number; column: number; pointer: string }) {
    super(`Cannot parse JSON: ${detail}, at line ${place.line}, column ${place.column}`);
    this.detail = detail;
    this.line = place.line;
    this.column = place.column;
    this.pointer = place.pointer;
  }
}

/** Deepest nesting of objects and lists. */
export const MAX_JSON_DEPTH = 64;

export interface ParseOptions {
  /**
   * Return integers beyond the safe range as strings of their digits; default false: as the nearest doubles. For 64-bit
   * integers from a peer that writes them as numbers.
   */
  readonly exactIntegers?: boolean;
}

/**
 * Parses JSON from UTF-8 bytes.
 *
 * @throws {InvalidJson} For anything other than exactly one JSON text that can be parsed without loss.
 */
export function parseJson(bytes: Uint8Array, options: ParseOptions = {}): unknown {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const text = buffer.toString("utf8");
  if (!isUtf8(bytes)) throw notUtf8(buffer, text);
  const parser = new Parser(text, options);
  return parser.parse();
}

// Finds the first byte that differs after decoding and encoding again.
function notUtf8(buffer: Buffer, text: string): InvalidJson {
  const again = Buffer.from(text);
  let i = 0;
  while (i < buffer.length && buffer[i] === again[i]) i++;
  const before = buffer.toString("utf8", 0, i);
  return new InvalidJson("the bytes are not UTF-8", { ...placeOf(before, before.length), pointer: "" });
}

function placeOf(text: string, index: number): { line: number; column: number } {
  const before = text.slice(0, index);
  const lineStart = before.lastIndexOf("\n") + 1;
  return { line: before.split("\n").length, column: index - lineStart + 1 };
}

const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
const INTEGER = /^-?[0-9]+$/;
const TAB = 0x09;
const LINE_FEED = 0x0a;
const RETURN = 0x0d;
const SPACE = 0x20;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const HEX4 = /[0-9a-fA-F]{4}/y;
const LITERALS: ReadonlyMap<string, readonly [string, unknown]> = new Map([
  ["t", ["true", true]],
  ["f", ["false", false]],
  ["n", ["null", null]],
]);
const ESCAPES: ReadonlyMap<string, string> = new Map([
  ['"', '"'],
  ["\\", "\\"],
  ["/", "/"],
  ["b", "\b"],
  ["f", "\f"],
  ["n", "\n"],
  ["r", "\r"],
  ["t", "\t"],
]);

class Parser {
  readonly #text: string;
  readonly #exactIntegers: boolean;
  readonly #path: (string | number)[] = [];
  #at = 0;

  constructor(text: string, { exactIntegers = false }: ParseOptions) {
    this.#text = text;
    this.#exactIntegers = exactIntegers;
  }

  parse(): unknown {
    if (this.#text.startsWith("\ufeff")) throw this.#error("the text begins with a byte order mark");
    this.#space();
    const value = this.#value();
    this.#space();
    if (this.#at < this.#text.length) throw this.#error("something follows the value");
    return value;
  }

  #value(): unknown {
    const c = this.#text[this.#at];
    if (c === "{") return this.#object();
    if (c === "[") return this.#list();
    if (c === '"') return this.#string();
    if (c === "-" || (c !== undefined && c >= "0" && c <= "9")) return this.#number();
    const literal = LITERALS.get(c ?? "");
    if (literal === undefined || !this.#text.startsWith(literal[0], this.#at))
      throw this.#expected("a value");
    this.#at += literal[0].length;
    return literal[1];
  }

  #object(): unknown {
    const object: { [key: string]: unknown } = Object.create(null);
    this.#open();
    for (let more = !this.#take("}"); more; ) {
      if (this.#text[this.#at] !== '"') throw this.#expected("a name in double quotes");
      const start = this.#at;
      const key = this.#string();
      this.#path.push(key);
      if (Object.hasOwn(object, key)) {
        this.#at = start;
        throw this.#error(`the member ${JSON.stringify(shorten(key))} is repeated`);
      }
      this.#space();
      if (!this.#take(":")) throw this.#expected("a colon");
      object[key] = this.#value();
      this.#path.pop();
      this.#space();
      more = !this.#take("}");
      if (more && !this.#take(",")) throw this.#expected("a comma or }");
    }
    return object;
  }

  #list(): unknown[] {
    const list: unknown[] = [];
    this.#open();
    for (let more = !this.#take("]"); more; ) {
      this.#path.push(list.length);
      list.push(this.#value());
      this.#path.pop();
      this.#space();
      more = !this.#take("]");
      if (more && !this.#take(",")) throw this.#expected("a comma or ]");
    }
    return list;
  }

  #open(): void {
    if (this.#path.length >= MAX_JSON_DEPTH)
      throw this.#error(`it is nested more than ${MAX_JSON_DEPTH} levels deep`);
    this.#at++;
    this.#space();
  }

  #string(): string {
    let value = "";
    for (this.#at++; ; ) {
      const start = this.#at;
      this.#plain();
      value += this.#text.slice(start, this.#at);
      const c = this.#text[this.#at];
      if (c === undefined) throw this.#expected("the end of a string");
      if (c !== '"' && c !== "\\") throw this.#error("a control character in a string is not escaped");
      this.#at++;
      if (c === '"') return value;
      value += this.#escape();
    }
  }

  #escape(): string {
    const c = this.#text[this.#at];
    const plain = ESCAPES.get(c ?? "");
    if (plain !== undefined) {
      this.#at++;
      return plain;
    }
    if (c !== "u") throw this.#expected("an escape");
    this.#at++;
    const start = this.#at;
    if (!this.#match(HEX4)) throw this.#expected("four hexadecimal digits");
    return String.fromCharCode(Number.parseInt(this.#text.slice(start, this.#at), 16));
  }

  #number(): number | string {
    const start = this.#at;
    if (!this.#match(NUMBER)) throw this.#expected("a digit");
    const literal = this.#text.slice(start, this.#at);
    const value = Number(literal);
    if (this.#exactIntegers && !Number.isSafeInteger(value) && INTEGER.test(literal)) return literal;
    if (survives(literal, value)) return value;
    this.#at = start;
    throw this.#error("the number does not fit a double without loss");
  }

  /** Consumes a character and the white space after it, if present. */
  #take(c: string): boolean {
    if (this.#text[this.#at] !== c) return false;
    this.#at++;
    this.#space();
    return true;
  }

  #space(): void {
    const text = this.#text;
    let i = this.#at;
    for (let c = text.charCodeAt(i); c === SPACE || c === TAB || c === LINE_FEED || c === RETURN; ) {
      c = text.charCodeAt(++i);
    }
    this.#at = i;
  }

  /** Advances to a quote, a backslash, a control character or the end of the text. */
  #plain(): void {
    const text = this.#text;
    let i = this.#at;
    for (let c = text.charCodeAt(i); c >= SPACE && c !== QUOTE && c !== BACKSLASH; ) c = text.charCodeAt(++i);
    this.#at = i;
  }

  #match(pattern: RegExp): boolean {
    pattern.lastIndex = this.#at;
    if (!pattern.test(this.#text)) return false;
    this.#at = pattern.lastIndex;
    return true;
  }

  #expected(what: string): InvalidJson {
    const end = this.#at >= this.#text.length;
    return this.#error(`expected ${what}${end ? ", but the text ends" : ""}`);
  }

  #error(detail: string): InvalidJson {
    return new InvalidJson(detail, { ...placeOf(this.#text, this.#at), pointer: jsonPointer(this.#path) });
  }
}

/**
 * Whether a number keeps its value as a double. Integers beyond the safe range pass: the user of the value decides,
 * because they may be fine as doubles.
 */
export function survives(literal: string, value: number): boolean {
  if (String(value) === literal) return true;
  if (!Number.isFinite(value)) return false;
  if (value !== 0 && !Number.isSafeInteger(value)) return true;
  // A result that is an integer must have been one: 1.00000000000000000001 was not, 1e-400 was not 0.
  return significant(literal) === significant(String(value));
}

/** A number in normal form: its digits without leading and trailing zeros, and their exponent. */
function significant(literal: string): string {
  const [mantissa = "", exponent = "0"] = literal.replace(/^-/, "").toLowerCase().split("e");
  const [whole = "", fraction = ""] = mantissa.split(".");
  const digits = (whole + fraction).replace(/^0+/, "");
  const trimmed = withoutLastZeros(digits);
  if (trimmed === "") return "0";
  return `${trimmed}e${Number(exponent) - fraction.length + digits.length - trimmed.length}`;
}

// Not /0+$/, which searches for the end from each of a million zeros in the middle.
function withoutLastZeros(digits: string): string {
  let end = digits.length;
  while (digits[end - 1] === "0") end--;
  return digits.slice(0, end);
}

function shorten(name: string): string {
  return name.length > 64 ? `${name.slice(0, 61)}...` : name;
}

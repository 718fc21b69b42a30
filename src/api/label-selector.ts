/**
 * Kubernetes label selectors with their full syntax: `a=b`, `a==b`, `a!=b`, `a in (b,c)`, `a notin (b,c)`, `a`, `!a`,
 * joined by commas. All terms must match.
 *
 * Source: k8s.io/apimachinery, labels.Parse. As there, `!=` and `notin` match items without the label.
 *
 * One extension, `"my key"="a b"`: a key or value may be a JSON string, which is not validated, because CRI allows any
 * text as a label and Kubernetes does not. Kubernetes' syntax has no quotes, so every valid selector keeps its meaning.
 */
import { isWellFormed } from "../wire/encode-scalar.ts";
import { invalid } from "./bind.ts";

/** One term of a selector. */
export interface Requirement {
  readonly key: string;
  readonly operator: "in" | "notin" | "exists" | "absent";
  /** For `in` and `notin`; equality is `in` with one value. */
  readonly values: ReadonlySet<string>;
}

/** Whether `labels` meet every requirement. */
export function matchesLabels(
  requirements: readonly Requirement[],
  labels: ReadonlyMap<string, string>,
): boolean {
  return requirements.every(({ key, operator, values }) => {
    const value = labels.get(key);
    switch (operator) {
      case "in":
        return value !== undefined && values.has(value);
      case "notin":
        return value === undefined || !values.has(value);
      case "exists":
        return value !== undefined;
      default:
        return value === undefined;
    }
  });
}

/**
 * The terms that every runtime can apply itself: equality with one value, if key and value are valid in Kubernetes.
 * Docker reads `a=b` with the value `c` as `a` with the value `b=c`.
 */
export function equalities(requirements: readonly Requirement[]): { [key: string]: string } | undefined {
  const found = new Map<string, string>();
  for (const { key, operator, values } of requirements) {
    const [value, ...more] = values;
    if (operator !== "in" || value === undefined || more.length > 0 || found.has(key)) continue;
    if (isKey(key) && (value === "" || isValue(value))) found.set(key, value);
  }
  return found.size > 0 ? Object.fromEntries(found) : undefined;
}

/** @throws {GatewayError} invalid_request: with the position in the text. */
export function parseLabelSelector(text: string): readonly Requirement[] {
  const tokens = tokenize(text);
  const requirements: Requirement[] = [];
  let at = 0;
  const peek = (): Token => tokens[at] ?? { text: "", at: text.length, kind: "end" };
  const take = (): Token => {
    const token = peek();
    at++;
    return token;
  };
  const isText = ({ kind }: Token): boolean => kind === "word" || kind === "quoted";
  const isSymbol = (symbol: string): boolean => peek().kind === "symbol" && peek().text === symbol;
  const expect = (symbol: string): void => {
    if (!isSymbol(symbol)) throw mistake(text, peek(), `"${symbol}"`);
    take();
  };
  const key = (): string => {
    if (!isText(peek())) throw mistake(text, peek(), "a label key");
    return checkKey(text, take());
  };
  /** A value may be empty: `a=`, `a in (,b)`. */
  const value = (): string => (isText(peek()) ? checkValue(text, take()) : "");
  const list = (): ReadonlySet<string> => {
    expect("(");
    const values = new Set([value()]);
    while (isSymbol(",")) {
      take();
      values.add(value());
    }
    expect(")");
    return values;
  };
  const requirement = (): Requirement => {
    if (isSymbol("!")) {
      take();
      return { key: key(), operator: "absent", values: new Set() };
    }
    const named = key();
    if (peek().kind === "end" || isSymbol(",")) return { key: named, operator: "exists", values: new Set() };
    const operator = take();
    switch (operator.kind === "quoted" ? "" : operator.text) {
      case "=":
      case "==":
        return { key: named, operator: "in", values: new Set([value()]) };
      case "!=":
        return { key: named, operator: "notin", values: new Set([value()]) };
      case "in":
        return { key: named, operator: "in", values: list() };
      case "notin":
        return { key: named, operator: "notin", values: list() };
      default:
        throw mistake(text, operator, "=, ==, !=, in, notin or a comma");
    }
  };

  if (tokens.length === 0) return [];
  for (;;) {
    requirements.push(requirement());
    if (at >= tokens.length) return requirements;
    expect(",");
  }
}

interface Token {
  /** The content, without quotes and escapes. */
  readonly text: string;
  /** Offset in the selector, from 0. */
  readonly at: number;
  /** `word`: a key, a value, `in` or `notin`. `quoted`: a key or a value. */
  readonly kind: "symbol" | "word" | "quoted" | "end";
}

function tokenize(text: string): readonly Token[] {
  const tokens: Token[] = [];
  const pattern = /\s+|(==|!=|[=!(),])|("(?:[^"\\]|\\[\s\S])*"?)|([^\s=!(),"]+)/g;
  for (const { 1: symbol, 2: quoted, 3: word, index: at } of text.matchAll(pattern)) {
    if (symbol !== undefined) tokens.push({ text: symbol, at, kind: "symbol" });
    if (word !== undefined) tokens.push({ text: word, at, kind: "word" });
    if (quoted !== undefined) {
      const unquoted = unquote(quoted);
      if (unquoted === undefined)
        throw mistake(text, { text: quoted, at, kind: "word" }, "a JSON string in double quotes");
      tokens.push({ text: unquoted, at, kind: "quoted" });
    }
  }
  return tokens;
}

function unquote(quoted: string): string | undefined {
  try {
    const text = JSON.parse(quoted) as string;
    return isWellFormed(text) ? text : undefined;
  } catch {
    return undefined;
  }
}

const name = /^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$/;
const longest = 63;
const dnsName = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;

/** Whether `text` is a name with an optional DNS prefix: `app`, `example.com/app`. */
function isKey(text: string): boolean {
  const parts = text.split("/");
  const own = parts.at(-1) ?? "";
  const prefix = parts.length === 2 ? parts[0] : undefined;
  const prefixIsGood = prefix === undefined || (prefix.length <= 253 && dnsName.test(prefix));
  return parts.length <= 2 && name.test(own) && own.length <= longest && prefixIsGood;
}

const isValue = (text: string): boolean => name.test(text) && text.length <= longest;

function checkKey(text: string, token: Token): string {
  if (token.kind === "quoted" || isKey(token.text)) return token.text;
  throw mistake(text, token, "a label key (such as app or example.com/app; any other in double quotes)");
}

function checkValue(text: string, token: Token): string {
  if (token.kind === "quoted" || isValue(token.text)) return token.text;
  throw mistake(
    text,
    token,
    `a label value (letters, digits, "-", "_" and ".", at most ${longest}; any other in double quotes)`,
  );
}

function mistake(text: string, token: Token, wanted: string): Error {
  const found = token.kind === "end" ? "the end" : JSON.stringify(token.text);
  return invalid([
    {
      parameter: "labelSelector",
      detail: `expected ${wanted} at position ${token.at + 1} of ${JSON.stringify(text)}, found ${found}`,
    },
  ]);
}

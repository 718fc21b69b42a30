/**
 * Kubernetes' label selectors, the whole syntax: `a=b`, `a==b`, `a!=b`, `a in (b,c)`, `a notin (b,c)`,
 * `a`, `!a`, joined by commas, all of which must hold.
 *
 * Source: k8s.io/apimachinery, labels.Parse. As there, `!=` and `notin` hold for what has no such label.
 */
import { invalid } from "./bind.ts";

/** One term of a selector. */
export interface Requirement {
  readonly key: string;
  readonly operator: "in" | "notin" | "exists" | "absent";
  /** Of `in` and `notin`; equality is `in` with one value. */
  readonly values: ReadonlySet<string>;
}

/** Whether labels fulfil every requirement. */
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

/** The terms that a runtime can apply itself: equality with one value. */
export function equalities(requirements: readonly Requirement[]): { [key: string]: string } | undefined {
  const found = new Map<string, string>();
  for (const { key, operator, values } of requirements) {
    const [value, ...more] = values;
    if (operator === "in" && value !== undefined && more.length === 0 && !found.has(key))
      found.set(key, value);
  }
  return found.size > 0 ? Object.fromEntries(found) : undefined;
}

/** @throws {GatewayError} `invalid_request` with the place in the text. */
export function parseLabelSelector(text: string): readonly Requirement[] {
  const tokens = tokenize(text);
  const requirements: Requirement[] = [];
  let at = 0;
  const peek = (): Token => tokens[at] ?? { text: "", at: text.length, word: false };
  const take = (): Token => {
    const token = peek();
    at++;
    return token;
  };
  const word = (what: string): string => {
    const token = take();
    if (!token.word) throw mistake(text, token, what);
    return token.text;
  };
  const expect = (symbol: string): void => {
    const token = take();
    if (token.word || token.text !== symbol) throw mistake(text, token, `"${symbol}"`);
  };
  /** A value may be empty: `a=`, `a in (,b)`. */
  const value = (): string => (peek().word ? checkValue(text, take()) : "");
  const list = (): ReadonlySet<string> => {
    expect("(");
    const values = new Set([value()]);
    while (peek().text === ",") {
      take();
      values.add(value());
    }
    expect(")");
    return values;
  };
  const requirement = (): Requirement => {
    if (peek().text === "!" && !peek().word) {
      take();
      return { key: checkKey(text, peek(), word("a label's key")), operator: "absent", values: new Set() };
    }
    const key = checkKey(text, peek(), word("a label's key"));
    const operator = peek();
    if (operator.text === "" || operator.text === ",") return { key, operator: "exists", values: new Set() };
    take();
    switch (operator.text) {
      case "=":
      case "==":
        return { key, operator: "in", values: new Set([value()]) };
      case "!=":
        return { key, operator: "notin", values: new Set([value()]) };
      case "in":
      case "notin":
        return { key, operator: operator.text, values: list() };
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
  readonly text: string;
  /** Where it begins, from 0. */
  readonly at: number;
  /** A key, a value, `in` or `notin`; else a symbol. */
  readonly word: boolean;
}

function tokenize(text: string): readonly Token[] {
  const tokens: Token[] = [];
  for (const match of text.matchAll(/\s+|(==|!=|[=!(),])|([^\s=!(),]+)/g)) {
    const [, symbol, word] = match;
    if (symbol !== undefined) tokens.push({ text: symbol, at: match.index, word: false });
    if (word !== undefined) tokens.push({ text: word, at: match.index, word: true });
  }
  return tokens;
}

const name = /^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$/;
const longest = 63;
const dnsName = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;

/** `app`, `example.com/app`: a name, with a DNS name before it. */
function checkKey(text: string, token: Token, key: string): string {
  const parts = key.split("/");
  const own = parts.at(-1) ?? "";
  const prefix = parts.length === 2 ? parts[0] : undefined;
  const prefixIsGood = prefix === undefined || (prefix.length <= 253 && dnsName.test(prefix));
  if (parts.length > 2 || !name.test(own) || own.length > longest || !prefixIsGood) {
    throw mistake(text, token, "a label's key such as app or example.com/app");
  }
  return key;
}

function checkValue(text: string, token: Token): string {
  if (name.test(token.text) && token.text.length <= longest) return token.text;
  throw mistake(text, token, `a label's value: letters, digits, "-", "_" and ".", at most ${longest}`);
}

function mistake(text: string, token: Token, wanted: string): Error {
  const found = token.text === "" ? "the end" : JSON.stringify(token.text);
  return invalid([
    {
      parameter: "labelSelector",
      detail: `wants ${wanted} at position ${token.at + 1} of ${JSON.stringify(text)}, found ${found}`,
    },
  ]);
}

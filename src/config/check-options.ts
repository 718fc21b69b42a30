/** Checks options against the schema and describes mistakes in plain sentences. */
import { StartError } from "../errors.ts";
import type { Shape } from "./annotations.ts";
import { checks, schemas } from "./gen/settings.ts";
import { nearestSetting } from "./nearest-setting.ts";
import { wordsOf } from "./settings.ts";

/** How messages name an option: by its key in a program, by what was written on a command line. */
export type PlaceOf = (key: string, value?: unknown) => string;

/**
 * Checks the types and bounds of `options` and rejects unknown ones. Does not parse text values. Undefined options
 * count as absent.
 *
 * @throws {StartError} naming the option.
 */
export function checkOptions(options: unknown, placeOf: PlaceOf): void {
  checkAgainst("options", options, placeOf);
}

/** The same for the content of a policy file. */
export function checkPolicyFile(content: unknown, placeOf: PlaceOf): void {
  checkAgainst("policy", content, placeOf);
}

/** The same for a tokens file, an item of it, or the request for a token; also requires what must not be absent. */
export function checkRecord(
  schema: "tokensFile" | "token" | "certificate" | "tokenRequest",
  value: unknown,
  placeOf: PlaceOf,
): void {
  checkAgainst(schema, value, placeOf);
  for (const name of schemas[schema].required ?? []) {
    if ((value as { readonly [name: string]: unknown })[name] !== undefined) continue;
    const part = schemas[schema].properties?.[name] ?? {};
    const expected = part.type === undefined ? "" : `, it must be ${expectedOf(part)}`;
    throw new StartError(`${placeOf(name)}: missing${expected}`);
  }
}

function checkAgainst(schema: keyof typeof schemas, value: unknown, placeOf: PlaceOf): void {
  const whole = schema === "options" ? "The options" : placeOf("");
  const checkAt = (key: string, shape: Shape, value: unknown): void => {
    if (shape.properties === undefined) {
      if (checks[schema][key]?.(value) !== true) throw refusal(key, shape, value, placeOf);
      return;
    }
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      throw new StartError(`${key === "" ? whole : placeOf(key)}: must be an object, got ${shown(value)}`);
    }
    for (const [name, member] of Object.entries(value)) {
      if (member === undefined) continue;
      const path = key === "" ? name : `${key}.${name}`;
      const part = Object.hasOwn(shape.properties, name) ? shape.properties[name] : undefined;
      if (part === undefined) {
        throw new StartError(`${placeOf(path)}: ${unknownMember(path, key, Object.keys(shape.properties))}`);
      }
      checkAt(path, part, member);
    }
  };
  checkAt("", schemas[schema], value);
}

function unknownMember(path: string, parent: string, names: readonly string[]): string {
  const known = names.map((name) => (parent === "" ? name : `${parent}.${name}`));
  const near = nearestSetting(path, known);
  const hint = near === undefined ? `expected one of ${known.join(", ")}` : `did you mean ${near}?`;
  return `unknown option, ${hint}`;
}

function refusal(key: string, shape: Shape, value: unknown, placeOf: PlaceOf): StartError {
  const words = wordsOf(shape);
  const wrong = Array.isArray(value) ? value.find((one) => !words?.includes(one)) : value;
  if (words !== undefined && typeof wrong === "string") {
    return new StartError(`${placeOf(key)}: ${unknownWord(wrong, words)}`);
  }
  const got = shape.writeOnly ? "" : `, got ${shown(value)}`;
  return new StartError(`${placeOf(key)}: must be ${expectedOf(shape)}${got}`);
}

/** For example `unknown word "podz" (did you mean "pods"?): use any of pods,images`. */
export function unknownWord(word: string, words: readonly string[]): string {
  const near = nearestSetting(word, words);
  const hint = near === undefined ? "" : ` (did you mean "${near}"?)`;
  return `unknown word "${word}"${hint}: use any of ${words.join(",")}`;
}

function expectedOf(shape: Shape): string {
  const { expected, type, minimum, maximum, items, anyOf } = shape;
  if (expected !== undefined) return expected;
  if (type === "boolean") return "true or false";
  if (type === "string") return "a string";
  if (type === "array") {
    const words = items === undefined ? undefined : wordsOf(items);
    return words === undefined ? "a list of strings" : `a list of any of ${words.join(", ")}`;
  }
  if (type === "integer") {
    const until = maximum === undefined ? "" : ` to ${maximum}`;
    return `a whole number from ${minimum ?? 0}${until}`;
  }
  const words = wordsOf(shape);
  if (words !== undefined && anyOf?.every((one) => one.const !== undefined)) {
    return words.map((word) => `"${word}"`).join(" or ");
  }
  return (anyOf ?? []).map(expectedOf).join(", or ");
}

const maxShown = 60;

function shown(value: unknown): string {
  const text = typeof value === "function" ? "a function" : (JSON.stringify(value) ?? String(value));
  return text.length > maxShown ? `${text.slice(0, maxShown - 3)}...` : text;
}

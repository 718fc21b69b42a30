/** The settings as a table: each option that also has a flag and a variable, with all its names. */
import { type Annotations, groups, type Reader, type Shape } from "./annotations.ts";
import { schemas } from "./gen/settings.ts";
import { formatDuration, formatSize } from "./quantities.ts";

/** What the text of a setting is: one value, true or false, a list, or either of the last two. */
export type Form = "text" | "switch" | "list" | "switch-or-list";

/** One setting with all its names. */
export interface Setting extends Omit<Annotations, "default"> {
  /** The path in the options: `acceptHost`, `tls.certFile`, `grants.allow.read`. */
  readonly key: string;
  /** With its dashes: `--accept-host`. */
  readonly flag: string;
  /** For example `CREST_ACCEPT_HOST`. */
  readonly variable: string;
  readonly form: Form;
  /** How to parse each text of the value. */
  readonly reader?: Reader;
  /** The only accepted texts. */
  readonly words?: readonly string[];
  /** As written for a flag or a variable. */
  readonly default?: string | false;
}

/** Maps dotted paths to their part of the schema, in schema order. Holds only options with a value of their own. */
export const options: ReadonlyMap<string, Shape> = new Map(leavesOf(schemas.options, []));

function leavesOf({ properties = {} }: Shape, path: readonly string[]): readonly [string, Shape][] {
  return Object.entries(properties).flatMap(([name, part]): readonly [string, Shape][] =>
    part.properties === undefined ? [[[...path, name].join("."), part]] : leavesOf(part, [...path, name]),
  );
}

/** `sessionIdleMs` -> `session-idle`: the value of a flag includes its unit. `jwt.issuer` -> `jwt-issuer`. */
const flagOf = (key: string): string =>
  key
    .replace(/(Ms|Bytes)$/, "")
    .replaceAll(".", "-")
    .replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

/** The schema of the list items, if the value may be a list. */
export function itemsOf({ items, anyOf }: Shape): Shape | undefined {
  return items ?? anyOf?.find(({ type }) => type === "array")?.items;
}

/** The accepted words; undefined if any text is accepted. */
export function wordsOf(shape: Shape): readonly string[] | undefined {
  const { anyOf } = itemsOf(shape) ?? shape;
  const words = anyOf?.flatMap((one) => (one.const === undefined ? [] : [one.const]));
  return words?.length ? words : undefined;
}

function formOf({ type, anyOf }: Shape): Form {
  if (type === "boolean") return "switch";
  if (type === "array") return "list";
  return anyOf?.some((one) => one.type === "boolean") ? "switch-or-list" : "text";
}

function defaultOf({ default: value, reader }: Shape): string | false | undefined {
  if (value === undefined || value === false) return value;
  if (typeof value !== "number") return String(value);
  if (reader === "duration" || reader === "age") return formatDuration(value);
  return reader === "size" || reader === "log-size" ? formatSize(value) : String(value);
}

function settingOf([key, shape]: readonly [string, Shape]): readonly Setting[] {
  const { group, description = "", default: _typed, ...annotations } = shape;
  if (group === undefined) return [];
  const words = shape.flag ?? flagOf(key);
  const value = defaultOf(shape);
  const reader = shape.reader ?? itemsOf(shape)?.reader;
  const known = wordsOf(shape);
  const setting: Setting = {
    ...annotations,
    group,
    description,
    key,
    flag: `--${words}`,
    variable: `CREST_${words.replaceAll("-", "_").toUpperCase()}`,
    form: formOf(shape),
    ...(reader === undefined ? {} : { reader }),
    ...(known === undefined ? {} : { words: known }),
    ...(value === undefined ? {} : { default: value }),
  };
  return [setting];
}

/** Every setting, in the order of the help text. */
export const settings: readonly Setting[] = [...options, ...leavesOf(schemas.command, [])]
  .flatMap(settingOf)
  .sort((one, other) => groups.indexOf(one.group) - groups.indexOf(other.group));

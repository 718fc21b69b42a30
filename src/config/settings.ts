/** The settings of the schema as a table: each option that is also a flag and a variable, under all its names. */
import { type Annotations, groups, type Reader, type Shape } from "./annotations.ts";
import { schemas } from "./gen/settings.ts";
import { formatDuration, formatSize } from "./quantities.ts";

/** How the text of a value is written: one text, true or false, several texts, or one of the last two. */
export type Form = "text" | "switch" | "list" | "switch-or-list";

/** One setting under all its names. */
export interface Setting extends Omit<Annotations, "default"> {
  /** In the options, with dots: `acceptHost`, `tls.certFile`, `grants.allow.read`. */
  readonly key: string;
  /** With its dashes: `--accept-host`. */
  readonly flag: string;
  /** `CREST_ACCEPT_HOST` */
  readonly variable: string;
  readonly form: Form;
  /** How each text of the value is read. */
  readonly reader?: Reader;
  /** The only texts that it may be. */
  readonly words?: readonly string[];
  /** As a flag or a variable would have it. */
  readonly default?: string | false;
}

/** Dotted path -> what is there; only what has a value of its own, in the order of the schema. */
export const options: ReadonlyMap<string, Shape> = new Map(leavesOf(schemas.options, []));

function leavesOf({ properties = {} }: Shape, path: readonly string[]): readonly [string, Shape][] {
  return Object.entries(properties).flatMap(([name, part]): readonly [string, Shape][] =>
    part.properties === undefined ? [[[...path, name].join("."), part]] : leavesOf(part, [...path, name]),
  );
}

/** `sessionIdleMs` -> `session-idle`: a flag's value has its unit. */
const flagOf = (key: string): string =>
  key.replace(/(Ms|Bytes)$/, "").replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

/** The schema of a list's items, where the value may be a list. */
export function itemsOf({ items, anyOf }: Shape): Shape | undefined {
  return items ?? anyOf?.find(({ type }) => type === "array")?.items;
}

/** The words that a text of it may be; undefined: any. */
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
  if (reader === "duration") return formatDuration(value);
  return reader === "size" ? formatSize(value) : String(value);
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

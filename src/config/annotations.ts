/** What the options schema says about each option besides its type: its flag, variable and help text. */

/** How to parse the text: a key of `readers` in values.ts. */
export type Reader =
  | "path"
  | "http-url"
  | "key-set"
  | "webhook-url"
  | "unix-socket"
  | "listen-address"
  | "ip-address"
  | "host-name"
  | "origin"
  | "image-prefix"
  | "host-word"
  | "scope"
  | "forward-scope"
  | "read-item"
  | "policy"
  | "duration"
  | "age"
  | "count"
  | "size"
  | "log-size";

/** The headings of the help text, in order. */
export const groups = [
  "where",
  "who",
  "sessions",
  "limits",
  "log",
  "logs",
  "audit",
  "start",
  "grants",
  "denials",
] as const;

export type Group = (typeof groups)[number];

/** How to parse the text of a value, whatever its source. */
export interface TextAnnotations {
  readonly reader?: Reader;
}

/** An option that also has a flag and a variable. */
export interface Annotations extends TextAnnotations {
  /** Its heading in the help text. */
  readonly group: Group;
  /** The flag without its dashes, if it differs from the name that `flagOf` derives. */
  readonly flag?: string;
  /** The one-letter flag. */
  readonly short?: string;
  /** What it does, in a sentence or two, without the default. Empty if the group already says it. */
  readonly description: string;
  /** The placeholder for the value in help texts: `--listen=ADDRESS`. */
  readonly placeholder?: string;
  readonly default?: string | number | boolean | readonly string[];
  /** The default in words, if it is computed or there is none. */
  readonly defaultText?: string;
  /** A valid value. `.env.example` shows it if there is no default. */
  readonly example?: string;
  /** Only this command has the flag. The other command ignores its variable. */
  readonly command?: "up" | "serve";
}

/** A part of the schema as plain JSON Schema, as in gen/settings.ts. */
export interface Shape extends Partial<Annotations> {
  readonly type?: "string" | "boolean" | "integer" | "array" | "object";
  readonly const?: string;
  readonly pattern?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minItems?: number;
  readonly items?: Shape;
  readonly anyOf?: readonly Shape[];
  readonly properties?: { readonly [name: string]: Shape };
  readonly required?: readonly string[];
  readonly additionalProperties?: false;
  /** The value is a secret: error messages never include it. */
  readonly writeOnly?: true;
  /** What the value must be, in words, if the schema does not express it well enough. */
  readonly expected?: string;
}

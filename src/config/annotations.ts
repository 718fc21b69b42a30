/** What the schema of the options says about each, besides its type: the words of flags, variables and help texts. */

/** How text is read: the keys of `readers` in values.ts. */
export type Reader =
  | "path"
  | "unix-socket"
  | "listen-address"
  | "ip-address"
  | "host-name"
  | "image-prefix"
  | "duration"
  | "count"
  | "size";

/** The headings of the help text, in its order. */
export const groups = ["where", "who", "sessions", "limits", "start", "grants", "denials"] as const;

export type Group = (typeof groups)[number];

/** How the text of a value is read, wherever it comes from. */
export interface TextAnnotations {
  readonly reader?: Reader;
}

/** An option that is also a flag and a variable. */
export interface Annotations extends TextAnnotations {
  /** The heading of the help text under which it stands. */
  readonly group: Group;
  /** The flag without its dashes, where it is not the option's name: see `flagOf`. */
  readonly flag?: string;
  /** The one-letter flag. */
  readonly short?: string;
  /** What it is for, in a sentence or two, without the default; empty where its group says it. */
  readonly description: string;
  /** What stands for the value in help texts: `--listen=ADDRESS`. */
  readonly placeholder?: string;
  readonly default?: string | number | boolean | readonly string[];
  /** The default in words, where it is computed or there is none. */
  readonly defaultText?: string;
  /** A text that could be given; `.env.example` shows it where there is no default. */
  readonly example?: string;
  /** A flag of this command only. Its variable may be set for the other, and is not looked at there. */
  readonly command?: "up" | "serve";
  /** Whether a value other than true and false is a scope: reserved, refused by name. */
  readonly scope?: true;
}

/** A part of the schema as plain JSON Schema, as gen/settings.ts has it. */
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
  /** The value is a secret: no message repeats it. */
  readonly writeOnly?: true;
  /** What the value must be, in words, where the schema does not say it well enough. */
  readonly expected?: string;
}

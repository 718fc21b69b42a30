/**
 * The vocabulary in which the schema is written: TypeBox's schema objects, annotated with what
 * flags, variables and help texts need besides.
 *
 * TypeBox itself is not loaded: importing it costs 55 to 100 ms and 10 MB at every start, for
 * builders that add one symbol to a literal. The types are TypeBox's own and vanish at build time;
 * a unit test compares what is built here with what TypeBox builds.
 */
import type {
  TArray,
  TBoolean,
  TObject,
  TOptional,
  TProperties,
  TSchema,
  TString,
  TUnion,
  TUnsafe,
} from "@sinclair/typebox";

/** How the text of a value is read: the keys of `readers` in values.ts. */
export type Format =
  | "path"
  | "unix-socket"
  | "listen-address"
  | "ip-address"
  | "host-name"
  | "image-prefix"
  | "duration"
  | "count"
  | "size";

export type Group = "where" | "who" | "sessions" | "limits" | "start" | "grants" | "denials";

/** What a single text of a setting must be. */
export interface TextOptions {
  readonly format?: Format;
  /** The only texts that it may be. */
  readonly enum?: readonly string[];
}

/** What every setting declares besides its type. */
export interface Annotations extends TextOptions {
  /** The heading of the help text under which it stands. */
  readonly group: Group;
  /** What it is for, in a sentence or two, without the default; empty where its group says it. */
  readonly description: string;
  /** What stands for the value in help texts: `--listen=ADDRESS`. */
  readonly placeholder?: string;
  /** In the form of the value; read like any other text. */
  readonly default?: string | boolean | readonly string[];
  /** The default in words, where it is computed or there is none. */
  readonly defaultText?: string;
  /** A text that could be given; `.env.example` shows it where there is no default. */
  readonly example?: string;
  /** A flag of this command only. Its variable may be set for the other, and is not looked at there. */
  readonly command?: "up" | "serve";
  /** The one-letter flag. */
  readonly short?: string;
  /** Whether a value other than true and false is a scope: reserved, refused by name. */
  readonly scope?: true;
}

const kind = Symbol.for("TypeBox.Kind");
const optional = Symbol.for("TypeBox.Optional");

const build = <T extends TSchema>(name: string, members: object, options: object): T =>
  ({ ...options, [kind]: name, ...members }) as unknown as T;

/** The few of TypeBox's builders that the schema needs, under their names. */
export const Type = {
  String: (options: Annotations | TextOptions) => build<TString>("String", { type: "string" }, options),

  Boolean: (options: Annotations | object) => build<TBoolean>("Boolean", { type: "boolean" }, options),

  Array: <T extends TSchema>(items: T, options: Annotations | object) =>
    build<TArray<T>>("Array", { type: "array", items }, options),

  Union: <T extends TSchema[]>(anyOf: [...T], options: Annotations) =>
    build<TUnion<T>>("Union", { anyOf }, options),

  /** A text whose static type is what the reader of its format makes of it. */
  Unsafe: <T>(options: Annotations & { readonly type: "string" }) => build<TUnsafe<T>>("Unsafe", {}, options),

  Optional: <T extends TSchema>(schema: T) => ({ ...schema, [optional]: "Optional" }) as TOptional<T>,

  Object: <P extends TProperties>(properties: P) => {
    const required = Object.entries(properties).flatMap(([key, value]) => (optional in value ? [] : [key]));
    return build<TObject<P>>("Object", { type: "object", required, properties }, {});
  },
};

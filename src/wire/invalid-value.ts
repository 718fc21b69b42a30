/** One mistake in a JSON value. */
export interface Mistake {
  /** A JSON pointer (RFC 6901) in the sender's own spelling; empty for the value itself. */
  readonly pointer: string;
  /** What is wrong and what would be valid. Never contains the value of a redacted field. */
  readonly detail: string;
  /** `unknown`: the message has no such field. `type`: the value has the wrong type. Absent: anything else. */
  readonly kind?: "unknown" | "type";
}

/** The value does not match the message. `pointer` and `detail` are those of the first mistake. */
export class InvalidValue extends Error {
  override readonly name = "InvalidValue";
  readonly pointer: string;
  readonly detail: string;
  /** The mistakes found, in the order of the message's fields; at most {@link MOST_MISTAKES}. */
  readonly mistakes: readonly Mistake[];

  constructor(message: string, mistakes: readonly [Mistake, ...Mistake[]], options?: ErrorOptions) {
    const [{ pointer, detail }] = mistakes;
    super(`Cannot encode ${message}: ${pointer === "" ? "" : `${pointer} `}${detail}`, options);
    this.pointer = pointer;
    this.detail = detail;
    this.mistakes = mistakes;
  }
}

/** The encoder stops after this many mistakes. */
export const MOST_MISTAKES = 10;

/** Builds a JSON pointer (RFC 6901) from its parts. */
export function jsonPointer(path: readonly (string | number)[]): string {
  return path.map((part) => `/${String(part).replaceAll("~", "~0").replaceAll("/", "~1")}`).join("");
}

/** Longest value shown in an error. */
const LONGEST = 40;

/** Describes a value for an error: short, and only by type if it is secret or large. */
export function describe(value: unknown, secret: boolean): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "a list";
  switch (typeof value) {
    case "object":
      return "an object";
    case "string":
      return secret ? "a string" : shorten(JSON.stringify(value));
    case "number":
      return secret ? "a number" : String(value);
    case "bigint":
      return secret ? "a number" : shorten(String(value));
    case "boolean":
      return secret ? "a boolean" : String(value);
    default:
      return `a JavaScript ${typeof value}`;
  }
}

function shorten(text: string): string {
  return text.length > LONGEST ? `${text.slice(0, LONGEST - 4)}..."` : text;
}

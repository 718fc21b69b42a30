/** Collects a body's unknown fields, if they are left out instead of refused. */
import type { Spellings } from "../wire/spellings.ts";

/** The unknown fields of one body. */
export interface UnknownFields {
  /** Records the path of one, in the caller's spelling. */
  note(path: readonly (string | number)[]): void;
  /** Clears the record, before the same body is encoded again. */
  clear(): void;
  /**
   * A `Warning` header for each, in Kubernetes' form (RFC 9111, 5.5): `299 - "unknown field \"/kind\""`, and one for
   * all beyond the first 20.
   */
  warnings(pointerOf: (path: readonly (string | number)[]) => string): readonly string[];
}

/** Limits on the fields listed individually and on the characters per name, to keep headers short. */
const maxNamed = 20;
const maxLength = 200;

/**
 * Returns a collector; undefined if unknown fields are refused. `asked` is the value of `fieldValidation`. By default,
 * crictl files are accepted as crictl accepts them, but with warnings.
 */
export function unknownFieldsOf(asked: unknown, { json, proto }: Spellings): UnknownFields | undefined {
  switch (asked ?? (proto && !json ? "Warn" : "Strict")) {
    case "Warn":
      return createUnknownFields();
    case "Ignore":
      return { note: () => {}, clear: () => {}, warnings: () => [] };
    default:
      return undefined;
  }
}

function createUnknownFields(): UnknownFields {
  let named: (readonly (string | number)[])[] = [];
  let count = 0;
  return {
    note(path) {
      count++;
      if (named.length < maxNamed) named.push([...path]);
    },
    clear() {
      named = [];
      count = 0;
    },
    warnings(pointerOf) {
      const texts = named.map((path) => `unknown field "${printable(pointerOf(path))}"`);
      if (count > named.length) texts.push(`${count - named.length} more unknown fields`);
      return texts.map((text) => `299 - "${text.replace(/["\\]/g, "\\$&")}"`);
    },
  };
}

/** Escapes characters that a header cannot hold, as `\u00e9`, and truncates long text. */
function printable(text: string): string {
  const short = text.length > maxLength ? `${text.slice(0, maxLength)}...` : text;
  return short.replace(
    /[^ -~]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

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
export const maxNamed = 20;
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
      const texts = named.map((path) => `unknown field "${shortened(pointerOf(path))}"`);
      if (count > named.length) texts.push(`${count - named.length} more unknown fields`);
      return texts.map(warningOf);
    },
  };
}

const shortened = (text: string): string =>
  text.length > maxLength ? `${text.slice(0, maxLength)}...` : text;

/** A `Warning` header. Characters that it cannot hold are escaped, as `\u00e9`. */
export function warningOf(text: string): string {
  const printable = text.replace(
    /[^ -~]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
  return `299 - "${printable.replace(/["\\]/g, "\\$&")}"`;
}

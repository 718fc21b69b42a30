/** The fields of a body that the message does not have, where they are left out instead of refused. */
import type { Spellings } from "../wire/spellings.ts";

/** Gathers what one body has of them. */
export interface UnknownFields {
  /** Notes the path of one, in the caller's spelling. */
  note(path: readonly (string | number)[]): void;
  /** Forgets what was noted, before the same body is encoded again. */
  clear(): void;
  /**
   * A `Warning` header for each, in the form of Kubernetes' (RFC 9111, 5.5): `299 - "unknown field \"/kind\""`, and
   * one for all beyond the first 20.
   */
  warnings(pointerOf: (path: readonly (string | number)[]) => string): readonly string[];
}

/** Fields named each for itself, and characters of a name: a header is no place for more. */
const maxNamed = 20;
const maxLength = 200;

/**
 * What gathers them for a body; undefined where they are refused. `asked` is the value of `fieldValidation`. Without
 * one, files of crictl are taken as crictl takes them, but not in silence.
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

/** A text in the characters that a header may have, the others as `\u00e9`, and cut where it is long. */
function printable(text: string): string {
  const short = text.length > maxLength ? `${text.slice(0, maxLength)}...` : text;
  return short.replace(
    /[^ -~]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

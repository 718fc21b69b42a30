/**
 * Patterns for the error texts of runtimes. Anyone can influence such a text, for example a registry, so each pattern
 * must run in time linear in its length. A regular expression with `.*` after something that can occur often does not.
 */

/** A regular expression, or another test on a text. */
export interface TextPattern {
  test(text: string): boolean;
}

/** Matches if any of the patterns matches. */
export function anyOf(...patterns: readonly TextPattern[]): TextPattern {
  return { test: (text) => patterns.some((pattern) => pattern.test(text)) };
}

/** Matches if the text contains these parts in this order, with anything between them. */
export function inOrder(...parts: readonly string[]): TextPattern {
  return {
    test(text) {
      let at = 0;
      for (const part of parts) {
        const found = text.indexOf(part, at);
        if (found === -1) return false;
        at = found + part.length;
      }
      return true;
    },
  };
}

/** Matches if one line of the text contains these parts in this order. */
export function onOneLine(...parts: readonly string[]): TextPattern {
  const pattern = inOrder(...parts);
  return { test: (text) => text.split("\n").some((line) => pattern.test(line)) };
}

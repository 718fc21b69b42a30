/**
 * What runtimes' texts are matched against. Everybody may write into such a text, a registry for one, so each
 * pattern takes time in proportion to its length. A regular expression with `.*` after something that can occur
 * often does not.
 */

/** A regular expression, or another question to a text. */
export interface TextPattern {
  test(text: string): boolean;
}

/** Whether one of the patterns is in the text. */
export function anyOf(...patterns: readonly TextPattern[]): TextPattern {
  return { test: (text) => patterns.some((pattern) => pattern.test(text)) };
}

/** Whether the text has these parts one after the other, with anything between them. */
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

/** Whether a line of the text has these parts one after the other. */
export function onOneLine(...parts: readonly string[]): TextPattern {
  const pattern = inOrder(...parts);
  return { test: (text) => text.split("\n").some((line) => pattern.test(line)) };
}

/** Keeps a line of text one line, and from moving a terminal. */

/**
 * What starts a line, moves a terminal's cursor or changes the direction of text: control characters (C0, DEL, C1),
 * line and paragraph separators, bidirectional controls.
 */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what it looks for
const unprintable = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/** Writes characters that are not printable as JSON does: `\u001b`. */
export const printable = (text: string): string =>
  text.replace(unprintable, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`);

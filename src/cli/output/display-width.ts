/** How many columns of a terminal a text takes. */

const ascii = /^[\x20-\x7e]*$/;
/** Marks that are drawn over the character before them, joiners and other characters of no width. */
const zeroWidth = /[\p{Mn}\p{Me}\p{Cf}]/u;
/** East Asian scripts, full-width forms and emoji, which take two columns. */
const doubleWidth =
  /[\u1100-\u115f\u2329\u232a\u2e80-\u303e\u3041-\ua4cf\ua960-\ua97c\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1f64f}\u{1f680}-\u{1f6ff}\u{1f900}-\u{1faff}\u{20000}-\u{3fffd}]/u;

/** Columns of a text without control characters: see `printable`. */
export function displayWidth(text: string): number {
  if (ascii.test(text)) return text.length;
  let width = 0;
  for (const character of text) width += widthOf(character);
  return width;
}

/** The beginning of the text in at most so many columns, with `…` at its end if it was cut. */
export function fit(text: string, columns: number): string {
  // A text has at most two columns for each of its units.
  if (text.length * 2 <= columns || (text.length <= columns && ascii.test(text))) return text;
  let kept = "";
  let width = 0;
  for (const character of text) {
    width += widthOf(character);
    if (width > columns) return `${cutTo(kept, columns - 1)}…`;
    kept += character;
  }
  return text;
}

/** Without `…`. `text` has at most one column too many, or two with a wide character. */
function cutTo(text: string, columns: number): string {
  const characters = [...text];
  while (characters.length > 0 && displayWidth(characters.join("")) > columns) characters.pop();
  return characters.join("");
}

function widthOf(character: string): number {
  if (ascii.test(character)) return 1;
  if (zeroWidth.test(character)) return 0;
  return doubleWidth.test(character) ? 2 : 1;
}

/**
 * HTML templates that escape by default.
 *
 * Invariant: text becomes markup only in `html` templates, so text from a document or a table cannot open a tag or
 * break out of an attribute. Attributes are always written with double quotes.
 */

/** A fragment of markup. */
export class Html {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** A template value. Markup is inserted unchanged, text is escaped, and undefined or false produce nothing. */
export type Piece = Html | string | number | undefined | false | readonly Piece[];

/** html`<p>${text}</p>`: the literal parts are markup, and values are escaped unless they are markup themselves. */
export function html(strings: TemplateStringsArray, ...pieces: readonly Piece[]): Html {
  let text = strings[0] ?? "";
  pieces.forEach((piece, index) => {
    text += markup(piece) + (strings[index + 1] ?? "");
  });
  return new Html(text);
}

function markup(piece: Piece): string {
  if (piece instanceof Html) return piece.text;
  if (piece === undefined || piece === false) return "";
  if (typeof piece === "object") return piece.map(markup).join("");
  return escapeText(String(piece));
}

const entities: { readonly [character: string]: string } = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
};

function escapeText(text: string): string {
  return /[&<>"]/.test(text)
    ? text.replace(/[&<>"]/g, (character) => entities[character] ?? character)
    : text;
}

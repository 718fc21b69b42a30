/**
 * HTML that is escaped unless it says otherwise.
 *
 * Invariant: text becomes markup in `html` templates and nowhere else, so what comes from a document or a
 * table cannot open a tag or leave an attribute. Attributes are always written with double quotes.
 */

/** A piece of markup. */
export class Html {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** What may stand in a template: markup as it is, texts escaped, nothing for what is absent. */
export type Piece = Html | string | number | undefined | false | readonly Piece[];

/** html`<p>${text}</p>`: the literal parts are markup, the rest is escaped unless it is markup itself. */
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

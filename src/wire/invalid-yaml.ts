/** What is wrong with a YAML text. Apart from its parser, which loads a package that most requests do not need. */

/** The text is not YAML, or holds what has no meaning as JSON or would be lost. */
export class InvalidYaml extends Error {
  override readonly name = "InvalidYaml";
  /** What is wrong. Shows names of members, never values. */
  readonly detail: string;
  /** Where in the text, from 1; columns count UTF-16 units. */
  readonly line: number;
  readonly column: number;
  /** The member or item that was being read: a JSON pointer. */
  readonly pointer: string;

  constructor(detail: string, place: { line: number; column: number; pointer: string }) {
    super(`Cannot parse YAML: ${detail}, at line ${place.line}, column ${place.column}`);
    this.detail = detail;
    this.line = place.line;
    this.column = place.column;
    this.pointer = place.pointer;
  }
}

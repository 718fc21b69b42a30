/** The error for YAML, separate from its parser, which loads a package that most requests do not need. */

/** The text is not YAML, or contains something that JSON cannot express or that would be lost. */
export class InvalidYaml extends Error {
  override readonly name = "InvalidYaml";
  /** What is wrong. Contains names of members, never values. */
  readonly detail: string;
  /** Position in the text, from 1; columns count UTF-16 units. */
  readonly line: number;
  readonly column: number;
  /** JSON pointer to the member or item being read. */
  readonly pointer: string;

  constructor(detail: string, place: { line: number; column: number; pointer: string }) {
    super(`Cannot parse YAML: ${detail}, at line ${place.line}, column ${place.column}`);
    this.detail = detail;
    this.line = place.line;
    this.column = place.column;
    this.pointer = place.pointer;
  }
}

/** Builds the source text of writers. Merges adjacent constant output into one literal. */

/** The literals of a file, without duplicates. */
export class Literals {
  readonly #names = new Map<string, string>();

  /** The name of the constant for `text`. */
  nameOf(text: string): string {
    const known = this.#names.get(text);
    if (known !== undefined) return known;
    const name = `t${this.#names.size}`;
    this.#names.set(text, name);
    return name;
  }

  /** The declarations of the constants. */
  print(): string[] {
    return [...this.#names].map(([text, name]) => `const ${name} = literal(${quote(text)});`);
  }
}

/** The body of one writer. */
export class Code {
  readonly #literals: Literals;
  readonly #lines: string[] = [];
  #indent = "";
  #pending = "";

  constructor(literals: Literals) {
    this.#literals = literals;
  }

  /** Adds JSON text that is always written at this point. */
  text(json: string): void {
    this.#pending += json;
  }

  line(...lines: readonly string[]): void {
    this.#flush();
    for (const line of lines) this.#lines.push(this.#indent + line);
  }

  /** Adds a block with the output of `fill` inside. */
  block(head: string, fill: () => void): void {
    this.line(`${head} {`);
    this.#indent += "  ";
    fill();
    this.#flush();
    this.#indent = this.#indent.slice(2);
    this.line("}");
  }

  /** The text so far, with each line prefixed by `indent`. */
  print(indent: string): string {
    this.#flush();
    return this.#lines.map((line) => indent + line).join("\n");
  }

  #flush(): void {
    const text = this.#pending;
    if (text === "") return;
    this.#pending = "";
    const store =
      text.length === 1
        ? `d.setUint8(w++, ${text.charCodeAt(0)}); // ${text}`
        : `w = put(${this.#literals.nameOf(text)}, d, w); // ${text}`;
    this.#lines.push(this.#indent + store);
  }
}

function quote(text: string): string {
  return text.includes("'") ? JSON.stringify(text) : `'${text}'`;
}

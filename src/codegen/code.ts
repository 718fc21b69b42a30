/** The source text of writers. Constant output is collected for as long as nothing stands between. */

/** The literals of a file: each text once. */
export class Literals {
  readonly #names = new Map<string, string>();

  /** The name of the constant that holds `text`. */
  nameOf(text: string): string {
    const known = this.#names.get(text);
    if (known !== undefined) return known;
    const name = `t${this.#names.size}`;
    this.#names.set(text, name);
    return name;
  }

  /** The constants' declarations. */
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

  /** Adds JSON text that is always written here. */
  text(json: string): void {
    this.#pending += json;
  }

  line(...lines: readonly string[]): void {
    this.#flush();
    for (const line of lines) this.#lines.push(this.#indent + line);
  }

  /** Adds a block; what `fill` adds stands inside. */
  block(head: string, fill: () => void): void {
    this.line(`${head} {`);
    this.#indent += "  ";
    fill();
    this.#flush();
    this.#indent = this.#indent.slice(2);
    this.line("}");
  }

  /** The text so far, each line after `indent`. */
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

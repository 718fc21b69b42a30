/**
 * Parser for files of variables, as named by `--config`.
 *
 * One `KEY=VALUE` per line; blank lines and lines that begin with `#` are skipped. An unquoted value is literal,
 * without surrounding spaces or a trailing comment that begins with ` #`. Single quotes make a value literal; in double
 * quotes the only escapes are `\n`, `\"` and `\\`. `$` is not special. Unquoted values mean the same as in Docker and
 * systemd.
 */
import { StartError } from "../errors.ts";

export interface EnvLine {
  readonly name: string;
  readonly value: string;
  /** Counted from 1. */
  readonly line: number;
}

const assignment = /^([A-Za-z_][A-Za-z0-9_]*)\s*=(.*)$/;
const doubleQuoted = /^"((?:[^"\\]|\\.)*)"(?:\s+#.*)?$/;
const singleQuoted = /^'([^']*)'(?:\s+#.*)?$/;

/**
 * Parses the text of such a file. `path` is for messages.
 *
 * @throws {StartError} with the file and line: not an assignment, an unterminated quote, a duplicate name.
 */
export function parseEnvFile(text: string, path: string): readonly EnvLine[] {
  const found = new Map<string, EnvLine>();
  for (const [index, content] of text
    .replace(/^\uFEFF/, "")
    .split(/\r?\n/)
    .entries()) {
    if (/^\s*(#|$)/.test(content)) continue;
    const line = index + 1;
    const refuse = (reason: string) => new StartError(`${path}, line ${line}: ${reason}`);
    const [, name, written] = assignment.exec(content.trim()) ?? [];
    if (name === undefined || written === undefined) {
      throw refuse("not an assignment: write NAME=VALUE, or begin a comment with #");
    }
    const value = readValue(written.trim());
    if (value === undefined) throw refuse(`${name}: the quote is not closed, or text follows it`);
    const earlier = found.get(name);
    if (earlier) throw refuse(`${name} is already set on line ${earlier.line}`);
    found.set(name, { name, value, line });
  }
  return [...found.values()];
}

/** Returns undefined if the value is badly quoted. */
function readValue(written: string): string | undefined {
  if (written.startsWith('"')) {
    const inner = doubleQuoted.exec(written)?.[1];
    return inner?.replace(/\\([n"\\])/g, (_, letter: string) => (letter === "n" ? "\n" : letter));
  }
  if (written.startsWith("'")) return singleQuoted.exec(written)?.[1];
  return written.replace(/(^|\s)#[\s\S]*$/, "").trimEnd();
}

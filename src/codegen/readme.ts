/**
 * The parts of README.md that are made from something else: between `<!-- made: NAME -->` and
 * `<!-- end: NAME -->` stands what its source says, and nothing written by hand.
 */
import { settingsTable } from "../config.ts";

/** By the name of the part. */
const makers: { readonly [name: string]: () => string } = { settings: settingsTable };

/** The README with its parts as they are to be. @throws {Error} for a part without an end, or that nobody makes. */
export function readme(markdown: string): string {
  return markdown.replace(
    /^<!-- made: (.+) -->\n([\s\S]*?)^<!-- (?:made|end): (.+) -->$/gm,
    (_, name: string, _old: string, end: string) => {
      const make = makers[name];
      if (make === undefined) throw new Error(`Cannot make "${name}" of README.md: it has no source`);
      if (end !== name) throw new Error(`Cannot make "${name}" of README.md: it does not end`);
      return `<!-- made: ${name} -->\n\n${make()}\n<!-- end: ${name} -->`;
    },
  );
}

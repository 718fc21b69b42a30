/**
 * The parts of README.md that are made from something else: between `<!-- made: NAME -->` and
 * `<!-- end: NAME -->` stands what its source says, and nothing written by hand.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { settingsTable } from "../config.ts";

const tours = {
  typescript: { file: join("typescript", "tour.ts"), language: "ts" },
  python: { file: join("python", "tour.py"), language: "python" },
  go: { file: join("go", "tour.go"), language: "go" },
  java: { file: join("java", "Tour.java"), language: "java" },
} as const;

/** By the name of the part. */
const makers: { readonly [name: string]: () => string } = {
  settings: settingsTable,
  ...Object.fromEntries(
    Object.entries(tours).map(([name, { file, language }]) => [
      name,
      () => `\`\`\`${language}\n${excerptOf(readFileSync(join("test", "sdk", file), "utf8"))}\`\`\`\n`,
    ]),
  ),
};

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

/** What stands between `region README` and `endregion` of a program, without the indentation of all of it. */
export function excerptOf(program: string): string {
  const [, excerpt] = /^.*region README\n([\s\S]*?)^.*endregion$/m.exec(program) ?? [];
  if (excerpt === undefined) throw new Error("Cannot take an excerpt: there is no region README");
  const lines = excerpt.split("\n");
  const margins = lines
    .filter((line) => line.trim() !== "")
    .map((line) => /^\s*/.exec(line)?.[0].length ?? 0);
  const margin = Math.min(...margins);
  return lines.map((line) => line.slice(margin).replaceAll("\t", "    ")).join("\n");
}

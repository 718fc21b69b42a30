/**
 * The parts of the documents that are generated: the text between `<!-- made: NAME -->` and `<!-- end: NAME -->`.
 * Nothing in between is written by hand.
 */

import { settings } from "../config/settings.ts";
import { settingsTable } from "../config.ts";

/** By the name of the part. */
const makers: { readonly [name: string]: () => string } = { settings: settingsTable, grants: grantsTable };

/**
 * The document with its generated parts made anew. `path` is for the message.
 *
 * @throws {Error} for a part with an unknown name or without an end.
 */
export function withMadeParts(path: string, markdown: string): string {
  return markdown.replace(
    /^<!-- made: (.+) -->\n([\s\S]*?)^<!-- (?:made|end): (.+) -->$/gm,
    (_, name: string, _old: string, end: string) => {
      const make = makers[name];
      if (make === undefined) throw new Error(`Cannot make "${name}" of ${path}: it has no source`);
      if (end !== name) throw new Error(`Cannot make "${name}" of ${path}: it does not end`);
      return `<!-- made: ${name} -->\n\n${make()}\n<!-- end: ${name} -->`;
    },
  );
}

/** The flags that grant something, as a table in Markdown. */
function grantsTable(): string {
  const rows = settings
    .filter(({ group }) => group === "grants")
    .map(({ flag, short, form, placeholder, description }) => {
      const long = form === "switch-or-list" ? `${flag}[=${placeholder}]` : flag;
      const names = short === undefined ? [long] : [`-${short}`, long];
      return `| ${names.map((name) => `\`${name}\``).join(", ")} | ${description} |\n`;
    });
  return `| flag | permits |\n|---|---|\n${rows.join("")}`;
}

/**
 * The generated parts of the documents: the text between `<!-- made: NAME -->` and `<!-- end: NAME -->`. Do not edit it
 * by hand.
 */

import { settings } from "../config/settings.ts";
import { settingsTable } from "../config.ts";

/** Generators by part name. */
const makers: { readonly [name: string]: () => string } = { settings: settingsTable, grants: grantsTable };

/**
 * Returns the document with its generated parts regenerated. `path` is for error messages.
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

/** The flags that grant something, as a Markdown table. */
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

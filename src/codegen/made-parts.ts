/**
 * The generated parts of the documents: the text between `<!-- made: NAME -->` and `<!-- end: NAME -->`. Do not edit it
 * by hand.
 */

import { settings } from "../config/settings.ts";
import { settingsTable } from "../config.ts";
import { hostWords } from "../grants.ts";
import { commandGroups, commandReference, commandsTable, globalFlagsTable } from "./command-parts.ts";

/** Generators by part name. */
const makers: { readonly [name: string]: () => string } = {
  settings: settingsTable,
  grants: grantsTable,
  "host words": hostWordsTable,
  commands: commandsTable,
  "groups of commands": commandGroups,
  "flags of all commands": globalFlagsTable,
  "command reference": commandReference,
};

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

/** What `--allow-host` may name, as a Markdown table. */
function hostWordsTable(): string {
  const rows = Object.entries(hostWords).map(([name, word]) => {
    const example = "example" in word ? `${name}:${word.example}` : name;
    const more = word.takes === "names" ? "; may end in `*`" : "";
    return `| \`${example}\` | ${word.summary}${more} |\n`;
  });
  return `| word | a pod may |\n|---|---|\n${rows.join("")}`;
}

/** The commands of `crest` as Markdown, from their declarations. */
import { commandNames, declarationOf } from "../cli/commands.ts";
import { type Flag, type Flags, globalFlags, groups } from "../cli/declare.ts";
import { usageOf } from "../cli/usage.ts";

/** A row for each group. */
export function commandGroups(): string {
  const rows = Object.entries(groups).map(([group, heading]) => {
    const names = commandNames.filter((name) => declarationOf(name).group === group);
    return `| ${heading} | ${names.map((name) => `\`${name}\``).join(", ")} |\n`;
  });
  return `| to | \`crest\` and one of |\n|---|---|\n${rows.join("")}`;
}

/** A row for each command. */
export function commandsTable(): string {
  const rows = Object.entries(groups).flatMap(([group, heading]) => {
    const names = commandNames.filter((name) => declarationOf(name).group === group);
    return names.map(
      (name) => `| ${heading} | \`crest ${name}\` | ${escaped(declarationOf(name).title)} |\n`,
    );
  });
  return `| | command | what it does |\n|---|---|---|\n${rows.join("")}`;
}

/** The flags that every command has. */
export const globalFlagsTable = (): string => flagsTable(globalFlags);

/** A section for each command: usage, sentences, flags, examples. */
export function commandReference(): string {
  const sections = commandNames.map((name) => {
    const { title, about, flags, examples } = declarationOf(name);
    return [
      `### crest ${name}`,
      `${sentence(title)}${about === undefined ? "" : ` ${about}`}`.replaceAll(/[<>*_]/g, "\\$&"),
      ["```", usageOf(name, declarationOf(name)), "```"].join("\n"),
      ...(Object.keys(flags).length === 0 ? [] : [flagsTable(flags).trimEnd()]),
      `For example: ${examples.map((example) => `\`${example}\``).join(", ")}`,
    ].join("\n\n");
  });
  return `${sections.join("\n\n")}\n`;
}

function flagsTable(flags: Flags): string {
  const rows = Object.entries(flags).map(([name, flag]) => `| ${usage(name, flag)} | ${aboutOf(flag)} |\n`);
  return `| flag | what it does |\n|---|---|\n${rows.join("")}`;
}

function usage(name: string, { short, form, placeholder = "VALUE" }: Flag): string {
  const long = form === "switch" ? `--${name}` : `--${name}=${placeholder}`;
  return [...(short === undefined ? [] : [`-${short}`]), long].map((one) => `\`${one}\``).join(", ");
}

function aboutOf({ about, values, keys, form }: Flag): string {
  const parts = [
    about,
    ...(values === undefined ? [] : [`One of ${values.join(", ")}.`]),
    ...(keys === undefined ? [] : [`Keys: ${keys.join(", ")}.`]),
    ...(form === "list" ? ["May be repeated."] : []),
  ];
  return escaped(parts.join(" "));
}

const escaped = (text: string): string => text.replaceAll(/[|<>*_]/g, "\\$&");

const sentence = (title: string): string => `${title[0]?.toUpperCase()}${title.slice(1)}.`;

/** The text of `crest --help` and of `crest COMMAND --help`. Plain, no colours. */
import { commandNames as gatewayCommandNames, commands as gatewayCommands } from "../config/commands.ts";
import { wrap } from "../config/wrap.ts";
import { type CommandName, commandNames, commands, declarationOf } from "./commands.ts";
import { type Flag, type Flags, globalFlags, groups } from "./declare.ts";
import { usageOf } from "./usage.ts";

/** Every command, by groups, on one screen of 80 columns and 24 lines. */
export function overview(): string {
  const namesOf = (group: string): string =>
    commandNames.filter((name) => commands[name].group === group).join(" ");
  const lines = Object.entries(groups).flatMap(([group, title]) => {
    const names = namesOf(group);
    return names === "" ? [] : hanging(title, names);
  });
  return text([
    "Crest: the containers of a node (Kubernetes' CRI) over REST and WebSocket",
    "",
    "Usage: crest COMMAND [FLAGS]",
    "",
    ...lines,
    ...hanging("Gateway", gatewayCommandNames.join(" ")),
    "",
    "Where to begin",
    "  crest up --install          a gateway for a private containerd",
    "  crest serve --allow-read    a gateway for the node's own runtime",
    "  crest run -it --rm busybox  then, in another terminal: a shell in a container",
    "  crest ps                    what runs",
    "",
    "crest COMMAND --help shows the flags of a command, and examples.",
  ]);
}

function hanging(title: string, words: string): string[] {
  const [first = "", ...more] = wrap(words, 68);
  return [`  ${title.padEnd(10)}${first}`, ...more.map((line) => `  ${"".padEnd(10)}${line}`)];
}

/** `columns`: of the terminal; lines wrap at 80 (the default) to 100. */
export function commandHelp(name: CommandName, columns = 80): string {
  const width = Math.min(Math.max(columns, 80), 100);
  const declaration = declarationOf(name);
  const { title, about, flags, examples } = declaration;
  return text([
    `crest ${name}: ${title}`,
    "",
    `Usage: ${usageOf(name, declaration)}`,
    ...(about === undefined ? [] : ["", ...wrap(about, width)]),
    ...section("Flags", flags, width),
    ...section("Flags of all commands", globalFlags, width),
    ...(examples.length === 0 ? [] : ["", "Examples", ...examples.map((line) => `  ${line}`)]),
  ]);
}

function section(title: string, flags: Flags, width: number): string[] {
  const entries = Object.entries(flags).map(([name, flag]) => [usage(name, flag), aboutOf(flag)] as const);
  if (entries.length === 0) return [];
  const column = Math.min(Math.max(...entries.map(([flag]) => flag.length)), 26) + 4;
  return [
    "",
    title,
    ...entries.flatMap(([flag, about]) => {
      const [first = "", ...more] = wrap(about, width - column);
      const rest = more.map((line) => " ".repeat(column) + line);
      const start = `  ${flag}`;
      if (start.length + 2 > column) return [start, " ".repeat(column) + first, ...rest];
      return [start.padEnd(column) + first, ...rest];
    }),
  ];
}

const aboutOf = ({ about, values, keys }: Flag): string =>
  [
    about,
    ...(values === undefined ? [] : [`One of ${values.join(", ")}.`]),
    ...(keys === undefined ? [] : [`Keys: ${keys.join(", ")}.`]),
  ].join(" ");

/** `-o, --output FORMAT` */
function usage(name: string, { short, form, placeholder = "VALUE" }: Flag): string {
  const flag = short === undefined ? `    --${name}` : `-${short}, --${name}`;
  return form === "switch" ? flag : `${flag} ${placeholder}`;
}

const text = (lines: readonly string[]): string => `${lines.join("\n")}\n`;

/** Titles of all commands, for completion and the documents. */
export const titles: readonly (readonly [name: string, title: string])[] = [
  ...commandNames.map((name) => [name, commands[name].title] as const),
  ...gatewayCommandNames.map((name) => [name, gatewayCommands[name].title] as const),
];

/** Generates text from the schema: `--help`, `.env.example`, the table in docs/configuration.md. Plain, no colours. */

import { type Group, groups } from "./annotations.ts";
import { type CommandName, commands, operandsOf, type ServingCommand } from "./commands.ts";
import { type Setting, settings } from "./settings.ts";
import { tokenPlaces, tokenSettings } from "./token-settings.ts";
import { wrap } from "./wrap.ts";

const titles: { readonly [G in Group]: string } = {
  where: "Where",
  who: "Who",
  sessions: "Sessions and commands",
  limits: "Limits",
  log: "Log and traces",
  logs: "Logs",
  audit: "Audit log",
  start: "Starting and stopping",
  grants: "What is granted",
  denials: "What is denied, whatever is granted",
};

const asVariables =
  "As variables: true or false (1, yes, on; 0, no, off) or the value, CREST_ALLOW_READ=pods,images.";
const aboutGrants: { readonly [C in ServingCommand]: string } = {
  up: `Without one of these everything is granted; with one, exactly what they say. ${asVariables}`,
  serve: `Nothing is granted that none of these grants. ${asVariables}`,
};

/**
 * Returns the text of `crest COMMAND --help`.
 *
 * `columns` is the terminal width. Lines wrap at it, clamped to 80 (the default) to 100.
 */
export function helpText(command: CommandName, columns = 80): string {
  const width = Math.min(Math.max(columns, 80), 100);
  const { title, about } = commands[command];
  const intro = [`crest ${command}: ${title}`, "", ...wrap(about, width)];
  if (command === "token")
    return lines([
      ...intro,
      "",
      `Usage: crest token ${operandsOf(command).join(" ")} [FLAGS]`,
      "",
      // The variables of grants are for gateways.
      ...tokenSettings.flatMap((setting) =>
        entry(tokenPlaces.has(setting.key) ? setting : { ...setting, variable: "" }, width),
      ),
    ]);
  if (command !== "up" && command !== "serve")
    return lines([...intro, "", `Usage: ${["crest", command, ...operandsOf(command)].join(" ")}`]);
  return lines([
    ...intro,
    "",
    `Usage: crest ${command} [FLAGS]`,
    ...groups.flatMap((group) => section(group, command, width)),
    "",
    ...wrap(
      "Flags beat variables, which beat the file of --config. An unknown flag or CREST_ variable stops the start.",
      width,
    ),
  ]);
}

function section(group: Group, command: ServingCommand, width: number): string[] {
  const members = settings.filter(
    (setting) => setting.group === group && (setting.command ?? command) === command,
  );
  const about = group === "grants" ? wrap(aboutGrants[command], width - 2).map((line) => `  ${line}`) : [];
  return ["", titles[group], ...about, ...members.flatMap((setting) => entry(setting, width))];
}

/** The flag, its variable right-aligned, then the description and default below. */
function entry(setting: Setting, width: number): string[] {
  const flag = `  ${setting.short ? `-${setting.short}, ` : ""}${usage(setting)}`;
  const fallback = setting.default === false ? "" : ` Default: ${defaultText(setting)}.`;
  const text = `${setting.description}${fallback}`;
  const about = text === "" ? [] : wrap(text, width - 6).map((line) => `      ${line}`);
  return [(flag + setting.variable.padStart(width - flag.length)).trimEnd(), ...about];
}

/** `--listen=ADDRESS`, `--allow-read[=KINDS]`, `--install` */
function usage({ flag, form, placeholder }: Setting): string {
  if (form === "switch") return flag;
  return form === "switch-or-list" ? `${flag}[=${placeholder}]` : `${flag}=${placeholder}`;
}

const defaultText = (setting: Setting): string => setting.defaultText ?? String(setting.default);

/**
 * Returns the text of `.env.example`: every variable, commented out, with its default. A variable whose default is
 * computed or missing gets an example.
 */
export function envExample(): string {
  const intro =
    "The settings of Crest as variables: for the environment, or for a file that --config names. " +
    "Generated from the schema of the flags (crest serve --help). What stands here are the defaults, or " +
    "examples where the default is computed. Relative paths start in the folder in which crest is started. " +
    "A variable CREST_... that is none of these stops the start.";
  const about: { readonly [G in Group]?: string } = {
    grants:
      "Each is true or false (1, yes, on; 0, no, off), or a list where one is named. With crest up everything is " +
      "granted unless one of these is set.",
    denials: "With the same values. A denial beats every grant.",
  };
  const sections = groups.flatMap((group) => [
    "",
    `# ---- ${titles[group]} ----`,
    ...(about[group] ? wrapComment(about[group]) : []),
    ...(group === "denials" ? [""] : []),
    ...settings.filter((setting) => setting.group === group).flatMap(example),
  ]);
  return lines([...wrapComment(intro), ...sections]);
}

/** Every flag as a Markdown table, except the denials, which repeat the names of the grants. */
export function settingsTable(): string {
  const rows = settings
    .filter(({ group }) => group !== "denials")
    .map((setting) => {
      const flag = [...(setting.short ? [`-${setting.short}`] : []), usage(setting)];
      const only = setting.command ? ` Only with \`crest ${setting.command}\`.` : "";
      const fallback = setting.default === false ? "off" : defaultText(setting);
      const cells = [
        ...[flag.map(code).join(", "), code(setting.variable)],
        ...[setting.description + only, fallback],
      ];
      return `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
    });
  return lines(["| flag | variable | what it does | default |", "|---|---|---|---|", ...rows]);
}

const code = (text: string): string => `\`${text}\``;

function example(setting: Setting): string[] {
  // A config file cannot name another one.
  if (setting.key === "config") return [];
  const value = `#${setting.variable}=${setting.default ?? setting.example}`;
  if (setting.description === "") return [value];
  const only = setting.command ? ` Only with crest ${setting.command}.` : "";
  const computed = setting.default === undefined ? ` Default: ${defaultText(setting)}.` : "";
  return ["", ...wrapComment(`${setting.description}${only}${computed}`), value];
}

const wrapComment = (text: string): string[] => wrap(text, 98).map((line) => `# ${line}`);

const lines = (all: readonly string[]): string => `${all.join("\n")}\n`;

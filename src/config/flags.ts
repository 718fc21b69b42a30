/** Arguments -> the command, and what was written for each setting. */
import { parseArgs } from "node:util";
import { StartError } from "../errors.ts";
import { type CommandName, commandNames } from "./commands.ts";
import { nearestSetting } from "./nearest-setting.ts";
import { type Setting, settings } from "./settings.ts";
import type { Written, WrittenSettings } from "./values.ts";

export interface Arguments {
  /** Undefined: none was given. */
  readonly command: CommandName | undefined;
  /** Help was asked for, with `--help`, `-h` or `crest help`. */
  readonly help: boolean;
  readonly flags: WrittenSettings;
}

type Option = { type: "string" | "boolean"; short?: string };

const byName = new Map(settings.map((setting) => [setting.flag.slice(2), setting]));

const options: { [name: string]: Option } = {
  help: { type: "boolean", short: "h" },
  version: { type: "boolean" },
};
for (const [name, { form, short }] of byName) {
  // A setting that may stand bare is a boolean here, so that it never takes the next argument.
  const type = form.startsWith("switch") ? "boolean" : "string";
  options[name] = short === undefined ? { type } : { type, short };
}

/**
 * Reads arguments (without node and the script). Values are not looked at.
 *
 * @throws {StartError} an unknown command or flag, a flag without its value, an argument too many.
 */
export function parseFlags(argv: readonly string[]): Arguments {
  const args = [...argv];
  const { tokens } = parseArgs({ args, options, strict: false, allowPositionals: true, tokens: true });
  const given = tokens.filter((token) => token.kind === "option");
  const words = tokens.filter((token) => token.kind === "positional");
  const none: WrittenSettings = new Map();
  // Whoever asks for help or the version gets it, whatever else is wrong.
  if (given.some(({ name }) => name === "help") || words[0]?.value === "help") {
    const command = commandNames.find((name) => words.some(({ value }) => value === name));
    return { command, help: true, flags: none };
  }
  if (given.some(({ name }) => name === "version")) return { command: "version", help: false, flags: none };

  for (const { name, rawName, index } of given) {
    if (!byName.has(name)) throw unknownFlag(args[index] ?? rawName);
  }
  const command = readCommand(words[0]?.value, given[0]?.rawName);
  const flags = new Map<string, Written[]>();
  for (const token of given) {
    const setting = settingOf(token.name, command);
    flags.set(setting.key, [...(flags.get(setting.key) ?? []), writtenOf(token, setting)]);
  }
  const extra = words[1];
  if (extra) {
    const before = given.find(({ index, value }) => index === extra.index - 1 && value === undefined);
    const hint = before === undefined ? "" : `; a value is written ${before.rawName}=${extra.value}`;
    throw new StartError(`${extra.value}: unexpected argument, crest ${command} takes flags only${hint}`);
  }
  return { command, help: false, flags };
}

interface OptionToken {
  /** With its dashes, as it was written. */
  readonly rawName: string;
  readonly value: string | undefined;
  /** The value stood behind `=`. */
  readonly inlineValue: boolean | undefined;
}

function writtenOf({ rawName, value, inlineValue }: OptionToken, { form, placeholder }: Setting): Written {
  // What begins with a dash is the next flag, not this one's value.
  const missing = value === undefined || (!inlineValue && value.startsWith("-"));
  if (missing && !form.startsWith("switch")) {
    throw new StartError(`${rawName}: no value, write ${rawName}=${placeholder}`);
  }
  return { text: value, place: value === undefined ? rawName : `${rawName}=${value}`, bare: rawName };
}

function unknownFlag(argument: string): StartError {
  const flag = argument.replace(/=.*$/s, "");
  const known = [...settings.map((one) => one.flag), "--help", "--version"];
  const near = nearestSetting(flag.replace(/^-+/, "--"), known);
  const hint = near === undefined ? "crest serve --help shows all" : `the nearest is ${near}`;
  return new StartError(`${flag}: unknown flag, ${hint}`);
}

function readCommand(word: string | undefined, flag: string | undefined): CommandName | undefined {
  const command = commandNames.find((name) => name === word);
  if (command) return command;
  if (word === undefined) {
    if (flag === undefined) return undefined;
    throw new StartError(`${flag}: no command, write crest up or crest serve before the flags`);
  }
  const near = nearestSetting(word, commandNames);
  const hint = near === undefined ? `there are ${commandNames.join(", ")}` : `the nearest is ${near}`;
  throw new StartError(`${word}: unknown command, ${hint}`);
}

/** The setting behind a known flag's name, if the command has it. */
function settingOf(name: string, command: CommandName | undefined): Setting {
  const setting = byName.get(name);
  if (setting && (command === "up" || command === "serve")) {
    if (command === (setting.command ?? command)) return setting;
    throw new StartError(`${setting.flag}: a flag of crest ${setting.command}, not of crest ${command}`);
  }
  throw new StartError(`--${name}: crest ${command} has no flags`);
}

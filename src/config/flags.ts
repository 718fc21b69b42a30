/** Parses command-line arguments into the command and the text written for each setting. */
import { parseArgs } from "node:util";
import { StartError } from "../errors.ts";
import { type CommandName, commandNames, operandsOf } from "./commands.ts";
import { nearestSetting } from "./nearest-setting.ts";
import { type Setting, settings } from "./settings.ts";
import { ownTokenSettings, tokenSettings } from "./token-settings.ts";
import type { Written, WrittenSettings } from "./values.ts";

export interface Arguments {
  /** Undefined if none was given. */
  readonly command: CommandName | undefined;
  /** True if the user asked for help with `--help`, `-h` or `crest help`. */
  readonly help: boolean;
  /** True for `--version`, wherever it was written. */
  readonly version: boolean;
  readonly flags: WrittenSettings;
  /** What follows the command; as many as it takes. */
  readonly operands: readonly string[];
}

type Option = { type: "string" | "boolean"; short?: string };

const byName = new Map([...settings, ...ownTokenSettings].map((setting) => [setting.flag.slice(2), setting]));

const options: { [name: string]: Option } = {
  help: { type: "boolean", short: "h" },
  version: { type: "boolean" },
};
for (const [name, { form, short }] of byName) {
  // A setting that may omit its value is a boolean here, so that it never consumes the next argument.
  const type = form.startsWith("switch") ? "boolean" : "string";
  options[name] = short === undefined ? { type } : { type, short };
}

/**
 * Parses the arguments (without node and the script). Does not parse values.
 *
 * @throws {StartError} for an unknown command or flag, a flag without its value, or an extra argument.
 */
export function parseFlags(argv: readonly string[]): Arguments {
  const args = [...argv];
  const { tokens } = parseArgs({ args, options, strict: false, allowPositionals: true, tokens: true });
  const given = tokens.filter((token) => token.kind === "option");
  const words = tokens.filter((token) => token.kind === "positional");
  const none: WrittenSettings = new Map();
  // Help and version work even if other arguments are wrong.
  if (given.some(({ name }) => name === "help") || words[0]?.value === "help") {
    const command = commandNames.find((name) => words.some(({ value }) => value === name));
    return { command, help: true, version: false, flags: none, operands: [] };
  }
  if (given.some(({ name }) => name === "version"))
    return { command: undefined, help: false, version: true, flags: none, operands: [] };

  for (const { name, rawName, index } of given) {
    if (!byName.has(name)) throw unknownFlag(args[index] ?? rawName);
  }
  const command = readCommand(words[0]?.value, given[0]?.rawName);
  const flags = new Map<string, Written[]>();
  for (const token of given) {
    const setting = settingOf(token.name, command);
    flags.set(setting.key, [...(flags.get(setting.key) ?? []), writtenOf(token, setting)]);
  }
  const taken = command === undefined ? [] : operandsOf(command);
  const operands = words.slice(1, 1 + taken.length).map(({ value }) => value);
  if (taken.some((one, index) => !isTaken(one, operands[index])))
    throw new StartError(`crest ${command}: write crest ${command} ${taken.join(" ")}`);
  const extra = words[1 + taken.length];
  if (extra) {
    const before = given.find(({ index, value }) => index === extra.index - 1 && value === undefined);
    const hint = before === undefined ? "" : `; write the value as ${before.rawName}=${extra.value}`;
    throw new StartError(
      `${extra.value}: unexpected argument, crest ${command} takes only ${[...taken, "flags"].join(" ")}${hint}`,
    );
  }
  return { command, help: false, version: false, flags, operands };
}

/** Whether `given` is what the command takes here. */
function isTaken(operand: string, given: string | undefined): boolean {
  if (given === undefined) return operand.startsWith("[");
  const isLiteral = operand === operand.toLowerCase();
  return !isLiteral || operand.split("|").includes(given);
}

interface OptionToken {
  /** As written, with dashes. */
  readonly rawName: string;
  readonly value: string | undefined;
  /** True if the value followed `=`. */
  readonly inlineValue: boolean | undefined;
}

function writtenOf({ rawName, value, inlineValue }: OptionToken, { form, placeholder }: Setting): Written {
  // Text that begins with a dash is the next flag, not the value of this one.
  const missing = value === undefined || (!inlineValue && value.startsWith("-"));
  if (missing && !form.startsWith("switch")) {
    throw new StartError(`${rawName}: missing value, write ${rawName}=${placeholder}`);
  }
  return { text: value, place: value === undefined ? rawName : `${rawName}=${value}` };
}

function unknownFlag(argument: string): StartError {
  const flag = argument.replace(/=.*$/s, "");
  const known = [...settings.map((one) => one.flag), "--help", "--version"];
  const near = nearestSetting(flag.replace(/^-+/, "--"), known);
  const hint = near === undefined ? "see crest serve --help" : `did you mean ${near}?`;
  return new StartError(`${flag}: unknown flag, ${hint}`);
}

function readCommand(word: string | undefined, flag: string | undefined): CommandName | undefined {
  const command = commandNames.find((name) => name === word);
  if (command) return command;
  if (word === undefined) {
    if (flag === undefined) return undefined;
    throw new StartError(`${flag}: missing command, write crest up or crest serve before the flags`);
  }
  const near = nearestSetting(word, commandNames);
  const hint = near === undefined ? `expected one of ${commandNames.join(", ")}` : `did you mean ${near}?`;
  throw new StartError(`${word}: unknown command, ${hint}`);
}

/** The setting for a known flag name, if the command has it. */
function settingOf(name: string, command: CommandName | undefined): Setting {
  const setting = byName.get(name);
  if (setting && command === "token") {
    if (tokenSettings.includes(setting)) return setting;
    throw new StartError(`${setting.flag}: not a flag of crest token, see crest token --help`);
  }
  if (setting && (command === "up" || command === "serve")) {
    if (ownTokenSettings.includes(setting))
      throw new StartError(`${setting.flag}: a flag of crest token create, not of crest ${command}`);
    if (command === (setting.command ?? command)) return setting;
    throw new StartError(`${setting.flag}: a flag of crest ${setting.command}, not of crest ${command}`);
  }
  throw new StartError(`--${name}: crest ${command} has no flags`);
}

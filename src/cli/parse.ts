/** Parses the arguments of a command by its declaration. */
import { parseArgs } from "node:util";
import { StartError } from "../errors.ts";
import { nearest } from "../nearest.ts";
import { type CommandName, declarationOf, type FlagsOf } from "./commands.ts";
import { type Declaration, type Flag, type Flags, globalFlags } from "./declare.ts";
import { usageOf } from "./usage.ts";

export interface Parsed<N extends CommandName> {
  readonly flags: FlagsOf<N>;
  readonly operands: readonly string[];
  /** The command line for a container; empty if there is none. */
  readonly commandLine: readonly string[];
}

/**
 * Parses what follows the command. Where a command line for a container follows, flags end at the first operand, as with
 * docker: `crest exec -it web ls -l`.
 *
 * @throws {StartError} for an unknown flag, a flag without its value or with a wrong one, missing or extra operands.
 */
export function parseArguments<N extends CommandName>(name: N, argv: readonly string[]): Parsed<N> {
  const declaration = declarationOf(name);
  const known: Flags = { ...declaration.flags, ...globalFlags };
  const args = [...argv];
  const { tokens } = parseArgs({
    args,
    options: optionsOf(known),
    strict: false,
    allowPositionals: true,
    tokens: true,
  });
  const { before, commandLine: line } = splitOperands(declaration.operands);
  const words = tokens.filter((token) => token.kind === "positional");
  const last = before.length === 0 ? undefined : words[before.length - 1];
  const terminator = tokens.find((token) => token.kind === "option-terminator");
  // The command line begins behind the last operand, or behind the dashes without one.
  const lineStart = line === undefined ? undefined : (last?.index ?? terminator?.index);
  const end = lineStart === undefined ? args.length : lineStart;

  const values: { [flag: string]: boolean | string | string[] | undefined } = {};
  for (const [flag, { form }] of Object.entries(known))
    values[flag] = form === "switch" ? false : form === "list" ? [] : undefined;
  const set = (flag: string, { form }: Flag, value: boolean | string): void => {
    if (form === "list") (values[flag] as string[]).push(String(value));
    else values[flag] = value;
  };
  const setByKey = (pair: string, filter: string, keys: readonly string[]): void => {
    const { key, value } = splitPair(pair, filter, keys);
    const flag = known[key];
    if (flag === undefined) throw new TypeError(`${key} is not a flag`);
    if (flag.form !== "list" && values[key] !== undefined)
      throw new StartError(`${filter} ${pair}: there is another value for ${key}, write one`);
    set(key, flag, readValue({ rawName: `--${key}`, value }, flag));
  };
  for (const token of tokens) {
    if (token.kind !== "option" || token.index > end) continue;
    const flag = known[token.name];
    if (flag === undefined) throw unknownFlag(name, args[token.index] ?? token.rawName, known);
    const value = readValue(token, flag);
    if (flag.keys !== undefined) setByKey(String(value), token.rawName, flag.keys);
    else set(token.name, flag, value);
  }
  const operands = words.filter(({ index }) => index <= end).map(({ value }) => value);
  const rest = lineStart === undefined ? [] : args.slice(lineStart + 1);
  const commandLine = rest[0] === "--" ? rest.slice(1) : rest;
  if (values.help !== true) checkOperands(name, declaration, operands, commandLine);
  return { flags: values as FlagsOf<N>, operands, commandLine };
}

/** The operands before a command line, and that of the command line. */
export function splitOperands(operands: readonly string[]): {
  readonly before: readonly string[];
  readonly commandLine: string | undefined;
} {
  const commandLine = operands.find((operand) => operand.includes("-- "));
  return { before: operands.filter((operand) => operand !== commandLine), commandLine };
}

function optionsOf(flags: Flags): { [name: string]: { type: "string" | "boolean"; short?: string } } {
  return Object.fromEntries(
    Object.entries(flags).map(([name, { form, short }]) => {
      const type = form === "switch" ? "boolean" : "string";
      return [name, short === undefined ? { type } : { type, short }];
    }),
  );
}

/** @throws {StartError} */
function splitPair(
  pair: string,
  filter: string,
  keys: readonly string[],
): { readonly key: string; readonly value: string } {
  const [, key = "", value] = /^([^=]*)=(.*)$/s.exec(pair) ?? [];
  if (value === undefined)
    throw new StartError(`${filter} ${pair}: write KEY=VALUE, such as ${keys[0]}=VALUE`);
  if (keys.includes(key)) return { key, value };
  const near = nearest(key, keys);
  const hint = near === undefined ? `expected ${keys.join(", ")}` : `did you mean ${near}?`;
  throw new StartError(`${filter} ${pair}: ${hint}`);
}

interface OptionToken {
  readonly rawName: string;
  readonly value?: string | undefined;
}

/** @throws {StartError} */
function readValue(
  { rawName, value }: OptionToken,
  { form, placeholder = "VALUE", values }: Flag,
): boolean | string {
  if (form === "switch") {
    if (value === undefined) return true;
    if (value === "true" || value === "false") return value === "true";
    throw new StartError(`${rawName}=${value}: takes no value, write ${rawName}`);
  }
  const separator = rawName.startsWith("--") ? "=" : " ";
  if (value === undefined)
    throw new StartError(`${rawName}: missing value, write ${rawName}${separator}${placeholder}`);
  if (values !== undefined && !values.includes(value)) {
    const near = nearest(value, values);
    const hint = near === undefined ? `expected ${values.join(", ")}` : `did you mean ${near}?`;
    throw new StartError(`${rawName}${separator}${value}: ${hint}`);
  }
  return value;
}

function unknownFlag(name: CommandName, argument: string, known: Flags): StartError {
  const flag = argument.replace(/=.*$/s, "");
  const near = nearest(
    flag.replace(/^-+/, ""),
    Object.keys(known).filter((one) => one.length > 1),
  );
  const hint =
    near === undefined || !flag.startsWith("--") ? `see crest ${name} --help` : `did you mean --${near}?`;
  return new StartError(`${flag}: not a flag of crest ${name}, ${hint}`);
}

/** @throws {StartError} */
function checkOperands(
  name: CommandName,
  declaration: Declaration,
  operands: readonly string[],
  commandLine: readonly string[],
): void {
  const { before, commandLine: line } = splitOperands(declaration.operands);
  const usage = `write ${usageOf(name, declaration)}`;
  const needed = before.filter((operand) => !operand.startsWith("["));
  const missing = needed[operands.length];
  if (missing !== undefined) throw new StartError(`crest ${name}: ${wordOf(missing)} is missing, ${usage}`);
  const takesMore = before.some((operand) => operand.includes("..."));
  const extra = takesMore ? undefined : operands[before.length];
  if (extra !== undefined) throw new StartError(`${extra}: unexpected argument, ${usage}`);
  for (const [index, operand] of before.entries()) {
    const given = operands[index];
    const isLiteral = operand === operand.toLowerCase();
    if (isLiteral && given !== undefined && !wordOf(operand).split("|").includes(given))
      throw new StartError(`${given}: expected ${wordOf(operand).replaceAll("|", ", ")}, ${usage}`);
  }
  if (line !== undefined && !line.startsWith("[") && commandLine.length === 0)
    throw new StartError(`crest ${name}: the command to run is missing, ${usage}`);
}

const wordOf = (operand: string): string => operand.replace(/^\[|\.\.\.|\]$/g, "");

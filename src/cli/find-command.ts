/** Finds out which command the arguments ask for, before anything else is loaded. */
import { type CommandName as GatewayCommandName, commands as gatewayCommands } from "../config/commands.ts";
import { type CommandName, isCommand } from "./commands.ts";
import { globalFlags } from "./declare.ts";

export type FoundCommand =
  /** One of a person at a terminal. */
  | { readonly kind: "client"; readonly name: CommandName; readonly argv: readonly string[] }
  /** What the completion of a shell asks. */
  | { readonly kind: "completion"; readonly argv: readonly string[] }
  /** Help for everything. */
  | { readonly kind: "overview" }
  /** One of the gateway. */
  | { readonly kind: "gateway" }
  /** None: a word that is no command, or a flag of the commands without one. */
  | { readonly kind: "unknown"; readonly word: string };

export const isGatewayCommand = (name: string | undefined): name is GatewayCommandName =>
  name !== undefined && Object.hasOwn(gatewayCommands, name);

/** @param argv Without node and the script. */
export function findCommand(argv: readonly string[]): FoundCommand {
  const [first, ...rest] = argv;
  if (isCommand(first)) return { kind: "client", name: first, argv: rest };
  if (first === "__complete") return { kind: "completion", argv: rest };
  const isHelp = first === "help" || first === "--help" || first === "-h";
  if (first === undefined || (isHelp && rest.length === 0)) return { kind: "overview" };
  const [second] = rest;
  if (isHelp && isCommand(second)) return { kind: "client", name: second, argv: ["--help"] };
  const word = isHelp ? (second ?? "") : first;
  if (!word.startsWith("-") && !isGatewayCommand(word)) return { kind: "unknown", word };
  const flag = /^--([^=]+)/.exec(word)?.[1] ?? "";
  return Object.hasOwn(globalFlags, flag) && flag !== "help" && !isServing(argv)
    ? { kind: "unknown", word }
    : { kind: "gateway" };
}

/** --token-file is a setting of gateways, too; what is wrong with those is told by the parser of settings. */
const isServing = (argv: readonly string[]): boolean => argv.some(isGatewayCommand);

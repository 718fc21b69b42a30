/** Finds out which command the arguments ask for, before anything else is loaded. */
import { type CommandName, isCommand } from "./commands.ts";

export type FoundCommand =
  /** One of a person at a terminal. */
  | { readonly kind: "client"; readonly name: CommandName; readonly argv: readonly string[] }
  /** Help for everything. */
  | { readonly kind: "overview" }
  /** One of the gateway, or none at all. */
  | { readonly kind: "gateway" };

/** @param argv Without node and the script. */
export function findCommand(argv: readonly string[]): FoundCommand {
  const [first, ...rest] = argv;
  if (isCommand(first)) return { kind: "client", name: first, argv: rest };
  const isHelp = first === "help" || first === "--help" || first === "-h";
  if (first === undefined || (isHelp && rest.length === 0)) return { kind: "overview" };
  const [second] = rest;
  if (isHelp && isCommand(second)) return { kind: "client", name: second, argv: ["--help"] };
  return { kind: "gateway" };
}

/** The commands of a person at a terminal, as data. Their work is loaded when one of them runs: see `load.ts`. */
import { changeCommands } from "./commands/change.ts";
import { lookCommands } from "./commands/look.ts";
import { serverCommands } from "./commands/servers.ts";
import { useCommands } from "./commands/use.ts";
import type { Declaration, globalFlags, ValuesOf } from "./declare.ts";

export const commands = {
  ...lookCommands,
  ...changeCommands,
  ...serverCommands,
  ...useCommands,
} as const satisfies { readonly [name: string]: Declaration };

export type CommandName = keyof typeof commands;

/** In the order of the help text. */
export const commandNames = Object.keys(commands) as readonly CommandName[];

export const isCommand = (name: string | undefined): name is CommandName =>
  name !== undefined && Object.hasOwn(commands, name);

export const declarationOf = (name: CommandName): Declaration => commands[name];

/** What was written for the flags of a command. */
export type FlagsOf<N extends CommandName> = ValuesOf<(typeof commands)[N]["flags"]> &
  ValuesOf<typeof globalFlags>;

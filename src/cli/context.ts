/** What a command gets to do its work. */
import type { Client } from "../client/index.ts";
import type { CommandName } from "./commands.ts";
import type { Parsed } from "./parse.ts";
import type { Terminal } from "./terminal.ts";

/** A gateway that was found. Nothing is connected before a request is sent. */
export interface Connection {
  readonly crest: Client;
  /** As messages name it: `http://127.0.0.1:8585`, `unix:/run/crest.sock`. */
  readonly address: string;
}

export interface ConnectOptions {
  /** Whether sessions will be opened, which need another library. Default: false. */
  readonly sessions?: boolean;
}

export interface CommandContext<N extends CommandName> extends Parsed<N>, Terminal {
  readonly name: N;
  /** Finds the gateway that the flags, the environment or the machine say. @throws {StartError} */
  connect(options?: ConnectOptions): Promise<Connection>;
}

/** The work of a command. Returns the exit code; default: 0. */
export type Run<N extends CommandName> = (ctx: CommandContext<N>) => Promise<number | undefined>;

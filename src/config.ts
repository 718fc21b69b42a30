/**
 * Flags, environment and file, or the options of a program -> one frozen configuration.
 *
 * Flags beat the environment, which beats the file: setting by setting, whole values. Whatever is
 * unknown or does not read stops the start; nothing is guessed and nothing is dropped.
 */
import { isUtf8 } from "node:buffer";
import { readOptions } from "./config/command-options.ts";
import type { ServingCommand } from "./config/commands.ts";
import { environment } from "./config/environment.ts";
import { parseFlags } from "./config/flags.ts";
import { helpText } from "./config/help.ts";
import type { GatewaySettings } from "./config/options.ts";
import { type Config, type Environment, resolveOptions } from "./config/resolve.ts";
import { readTrustedFile } from "./files/trusted-file.ts";

export { envExample, settingsTable } from "./config/help.ts";
export { nameOptions } from "./config/name-options.ts";
export type { ListenAddress } from "./config/options.ts";
export type { Config } from "./config/resolve.ts";

/** What to do. Only the commands that serve have a configuration: the others read no settings. */
export type Command =
  | { readonly name: ServingCommand; readonly config: Config }
  | { readonly name: "version" | "openapi" }
  | { readonly name: "help"; readonly text: string };

/** What the result depends on besides arguments and environment; by default this process's. */
export interface CommandLineOptions {
  /** Root (0) has another default data folder. */
  readonly uid?: number | undefined;
  /** Where relative paths start. */
  readonly cwd?: string;
  /** Of the terminal; help is 80 to 100 wide, 80 without a terminal. */
  readonly columns?: number | undefined;
  /** Reads the file of `--config`. */
  readonly readFile?: (path: string) => string;
}

/**
 * Arguments (without node and the script) and environment -> what to do. No arguments: help.
 *
 * @throws {StartError} that names the flag, the variable or the line of the file, what is wrong with
 *   it and what would be right.
 */
export function parseCommandLine(
  argv: readonly string[],
  env: Environment,
  options: CommandLineOptions = {},
): Command {
  const { command, help, flags } = parseFlags(argv);
  if (help || command === undefined) {
    return { name: "help", text: helpText(command, options.columns ?? process.stdout.columns) };
  }
  if (command !== "up" && command !== "serve") return { name: command };
  const around = {
    env,
    uid: "uid" in options ? options.uid : process.getuid?.(),
    cwd: options.cwd ?? process.cwd(),
    readFile: options.readFile ?? readText,
  };
  const { options: given, placeOf } = readOptions(command, flags, around);
  return { name: command, config: resolveOptions(given, around, placeOf) };
}

/**
 * The options of a program -> the configuration. Of the environment only HOME and XDG_STATE_HOME are read, for the
 * default of `dataDir`.
 *
 * @throws {StartError} that names the option.
 */
export function configOf(options: GatewaySettings): Config {
  return resolveOptions(options, { env: environment, uid: process.getuid?.(), cwd: process.cwd() });
}

/** Bytes that are not UTF-8 would become other ones, in a path for one, and nobody would be told. */
function readText(path: string): string {
  const bytes = readTrustedFile(path);
  if (!isUtf8(bytes)) throw new Error("it is not UTF-8");
  return bytes.toString("utf8");
}

/** `parseCommandLine` of this process. */
export function readCommandLine(): Command {
  return parseCommandLine(process.argv.slice(2), environment);
}

/** What systemd, or another service manager, tells a process that it starts. */
export interface ServiceManager {
  /** The socket on which it waits to be told that the process serves (sd_notify(3)). */
  readonly notifySocket: string | undefined;
  /** It kills a process that says nothing there for so long (sd_watchdog_enabled(3)). */
  readonly watchdogMs: number | undefined;
}

/** Takes it out of the environment: a containerd that is started later would speak to the same manager. */
export function takeServiceManager(): ServiceManager {
  const { NOTIFY_SOCKET: socket, WATCHDOG_USEC: microseconds, WATCHDOG_PID: watched } = environment;
  delete environment.NOTIFY_SOCKET;
  delete environment.WATCHDOG_USEC;
  delete environment.WATCHDOG_PID;
  const watchdogMs = Math.floor(Number(microseconds) / 1000);
  const isWatched = watchdogMs > 0 && (watched === undefined || watched === String(process.pid));
  return { notifySocket: socket === "" ? undefined : socket, watchdogMs: isWatched ? watchdogMs : undefined };
}

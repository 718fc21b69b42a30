/**
 * Turns flags, environment and config file, or the options of a program, into one frozen configuration.
 *
 * Flags override the environment, which overrides the file. This applies to each setting as a whole. Anything unknown
 * or invalid stops the start; nothing is guessed or ignored.
 */
import { isUtf8 } from "node:buffer";
import { type LogFormat, readOptions } from "./config/command-options.ts";
import type { ServingCommand } from "./config/commands.ts";
import { defaultDataDir } from "./config/data-dir.ts";
import { environment } from "./config/environment.ts";
import { parseFlags } from "./config/flags.ts";
import { helpText } from "./config/help.ts";
import type { GatewaySettings } from "./config/options.ts";
import { type Config, type Environment, resolveOptions } from "./config/resolve.ts";
import { readTokenCommand, type TokenCommand } from "./config/token-command.ts";
import { readTrustedFile } from "./files/trusted-file.ts";

export { envExample, settingsTable } from "./config/help.ts";
export { nameOptions } from "./config/name-options.ts";
export type { ListenAddress } from "./config/options.ts";
export { readPolicy, withPolicy } from "./config/policy-file.ts";
export type { Config } from "./config/resolve.ts";
export type { TokenCommand } from "./config/token-command.ts";

/** What to do. Only the commands that serve have a configuration; the others read no settings. */
export type Command =
  | {
      readonly name: ServingCommand;
      readonly config: Config;
      /** Default: text on a terminal, otherwise JSON. */
      readonly logFormat?: LogFormat;
    }
  | { readonly name: "version" | "openapi" }
  /** `policy` is a level or a path, `file` the path of a config. */
  | { readonly name: "policy"; readonly policy: string; readonly file: string }
  | ({ readonly name: "token" } & TokenCommand)
  | { readonly name: "help"; readonly text: string }
  /** Help for all commands. */
  | { readonly name: "overview" };

/** Other inputs of the result besides arguments and environment. They default to those of this process. */
export interface CommandLineOptions {
  /** Root (0) has a different default data folder. */
  readonly uid?: number | undefined;
  /** The base of relative paths. */
  readonly cwd?: string;
  /** Width of the terminal. Help text is 80 to 100 columns wide; 80 without a terminal. */
  readonly columns?: number | undefined;
  /** Reads the `--config` file. */
  readonly readFile?: (path: string) => string;
}

/**
 * Parses the arguments (without node and the script) and the environment. No arguments: the overview.
 *
 * @throws {StartError} naming the flag, the variable or the line of the file, what is wrong, and what would be right.
 */
export function parseCommandLine(
  argv: readonly string[],
  env: Environment,
  options: CommandLineOptions = {},
): Command {
  const parsed = parseFlags(argv);
  const { command, help, version, flags, operands } = parsed;
  if (version) return { name: "version" };
  if (command === undefined) return { name: "overview" };
  if (help) return { name: "help", text: helpText(command, options.columns ?? process.stdout.columns) };
  if (command === "policy") {
    const [, policy = "", file = ""] = operands;
    return { name: command, policy, file };
  }
  const around = {
    env,
    uid: "uid" in options ? options.uid : process.getuid?.(),
    cwd: options.cwd ?? process.cwd(),
    readFile: options.readFile ?? readText,
  };
  if (command === "token") return { name: command, ...readTokenCommand(parsed, around) };
  if (command !== "up" && command !== "serve") return { name: command };
  const { options: given, placeOf, ...rest } = readOptions(command, flags, around);
  return { name: command, config: resolveOptions(given, around, placeOf), ...rest };
}

/**
 * Turns the options of a program into a configuration. From the environment it reads only HOME and XDG_STATE_HOME, for
 * the default of `dataDir`.
 *
 * @throws {StartError} naming the option.
 */
export function configOf(options: GatewaySettings): Config {
  return resolveOptions(options, { env: environment, uid: process.getuid?.(), cwd: process.cwd() });
}

/** Decoding would silently replace bytes that are not UTF-8, for example in a path. */
function readText(path: string): string {
  const bytes = readTrustedFile(path);
  if (!isUtf8(bytes)) throw new Error("it is not UTF-8");
  return bytes.toString("utf8");
}

/** `parseCommandLine` with the arguments and environment of this process. */
export function readCommandLine(): Command {
  return parseCommandLine(process.argv.slice(2), environment);
}

/** Where commands of this user look for their gateway; undefined if that cannot be told. */
export function usualDataDir(): string | undefined {
  const uid = process.getuid?.();
  try {
    return defaultDataDir({ env: environment, uid });
  } catch {
    return undefined;
  }
}

/** The collector to which OpenTelemetry's variables tell every program to send its traces. */
export function environmentEndpoint(): string | undefined {
  const { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint, OTEL_SDK_DISABLED: disabled } = environment;
  return endpoint === undefined || endpoint === "" || disabled === "true"
    ? undefined
    : endpoint.replace(/\/$/, "");
}

/** What systemd, or another service manager, passes to a process that it starts. */
export interface ServiceManager {
  /** The socket on which the service manager expects readiness messages (sd_notify(3)). */
  readonly notifySocket: string | undefined;
  /** The service manager kills a process that is silent for this long (sd_watchdog_enabled(3)). */
  readonly watchdogMs: number | undefined;
}

/** Removes the variables from the environment, so that a containerd started later does not notify the same manager. */
export function takeServiceManager(): ServiceManager {
  const { NOTIFY_SOCKET: socket, WATCHDOG_USEC: microseconds, WATCHDOG_PID: watched } = environment;
  delete environment.NOTIFY_SOCKET;
  delete environment.WATCHDOG_USEC;
  delete environment.WATCHDOG_PID;
  const watchdogMs = Math.floor(Number(microseconds) / 1000);
  const isWatched = watchdogMs > 0 && (watched === undefined || watched === String(process.pid));
  return { notifySocket: socket === "" ? undefined : socket, watchdogMs: isWatched ? watchdogMs : undefined };
}

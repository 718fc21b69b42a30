/** Merges flags, the environment and a file into the options of a gateway. */
import { StartError } from "../errors.ts";
import type { PlaceOf } from "./check-options.ts";
import type { ServingCommand } from "./commands.ts";
import { parseEnvFile } from "./env-file.ts";
import type { GatewaySettings } from "./options.ts";
import { put, type Surroundings } from "./resolve.ts";
import { settings } from "./settings.ts";
import { readSetting, type Written, type WrittenSettings } from "./values.ts";
import { readEnvironment, readEnvLines } from "./variables.ts";

export interface CommandSurroundings extends Surroundings {
  /** Reads the file that `--config` names. */
  readonly readFile: (path: string) => string;
}

export interface CommandOptions {
  readonly options: GatewaySettings;
  /** How an option was written: `--listen=x`, `CREST_LISTEN=x (environment)`. Its flag if it was not. */
  readonly placeOf: PlaceOf;
  /** How the log is written. Default: text on a terminal, otherwise JSON. */
  readonly logFormat?: LogFormat;
}

export type LogFormat = "json" | "text";

/** Settings of the command line that are no options of a gateway. */
const commandOnly: ReadonlySet<string> = new Set(["config", "logFormat"]);

/**
 * For each setting, a flag overrides the environment, which overrides the file. `crest up` uses an embedded runtime and
 * grants everything unless a grant is written.
 *
 * @throws {StartError} for an unknown variable or an invalid value.
 */
export function readOptions(
  command: ServingCommand,
  flags: WrittenSettings,
  around: CommandSurroundings,
): CommandOptions {
  const outside: WrittenSettings = new Map([...readEnvironment(around.env), ...flags]);
  const inFile = readConfigFile(outside.get("config"), around);
  const written: WrittenSettings = new Map([...inFile, ...outside]);

  const options: { [key: string]: unknown } = {};
  if (command === "up") {
    put(options, "runtime", "embedded");
    const isGranted = settings.some(({ group, key }) => group === "grants" && written.has(key));
    if (!isGranted) put(options, "grants.all", true);
  }
  for (const setting of settings) {
    const texts = written.get(setting.key);
    // Ignore variables of the other command: one environment may serve both.
    const applies = setting.command === undefined || setting.command === command;
    if (!texts || !applies || commandOnly.has(setting.key)) continue;
    put(options, setting.key, readSetting(setting, texts, around));
  }
  const format = settings.find(({ key }) => key === "logFormat");
  const formatTexts = written.get("logFormat");
  return {
    options,
    ...(format && formatTexts ? { logFormat: readSetting(format, formatTexts, around) as LogFormat } : {}),
    placeOf: (key) =>
      written.get(key)?.at(-1)?.place ?? settings.find((setting) => setting.key === key)?.flag ?? key,
  };
}

/** The settings in the `--config` file, or none if no file is named. */
function readConfigFile(texts: readonly Written[] | undefined, around: CommandSurroundings): WrittenSettings {
  const setting = settings.find(({ key }) => key === "config");
  if (!setting || !texts) return new Map();
  const path = String(readSetting(setting, texts, around));
  let content: string;
  try {
    content = around.readFile(path);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new StartError(`${texts[0]?.place}: cannot be read: ${reason}`, { cause: error });
  }
  return readEnvLines(parseEnvFile(content, path), path);
}

/** Text -> value, for every setting and wherever the text stood. */
import { StartError } from "../errors.ts";
import {
  type ReadOptions,
  readHostName,
  readIpAddress,
  readListenAddress,
  readPath,
  readUnixSocket,
} from "./addresses.ts";
import { readImagePrefix } from "./image-prefix.ts";
import { nearestSetting } from "./nearest-setting.ts";
import { readCount, readDuration, readSize } from "./quantities.ts";
import type { Setting } from "./schema.ts";
import type { Format, TextOptions } from "./setting.ts";

/** A value as somebody wrote it. */
export interface Written {
  /** Undefined: a flag without a value. */
  readonly text: string | undefined;
  /** For messages: `--listen=x`, `CREST_LISTEN=x (environment)`. */
  readonly place: string;
  /** How the setting is switched on there: `--allow-exec`, `CREST_ALLOW_EXEC=true`. */
  readonly bare: string;
}

/** setting key -> what was written for it; several where a flag stands repeatedly, never none. */
export type WrittenSettings = ReadonlyMap<string, readonly Written[]>;

const readers: { readonly [F in Format]: (text: string, options: ReadOptions) => unknown } = {
  path: readPath,
  "unix-socket": readUnixSocket,
  "listen-address": readListenAddress,
  "ip-address": readIpAddress,
  "host-name": readHostName,
  "image-prefix": readImagePrefix,
  duration: readDuration,
  count: readCount,
  size: readSize,
};

/**
 * How a switch is turned on and off, in any case: the words of systemd's configuration files, which people write in
 * environments. None of them is a kind of a grant or a registry, so that they never mean a list.
 */
const switches: ReadonlyMap<string, boolean> = new Map([
  ...["true", "1", "yes", "on"].map((word) => [word, true] as const),
  ...["false", "0", "no", "off"].map((word) => [word, false] as const),
]);

function readText(text: string, of: TextOptions, options: ReadOptions): unknown {
  if (of.enum && !of.enum.includes(text)) {
    const near = nearestSetting(text, of.enum);
    const hint = near === undefined ? "" : `, the nearest is "${near}"`;
    throw new StartError(`unknown word "${text}"${hint}: write some of ${of.enum.join(",")}`);
  }
  return of.format === undefined ? text : readers[of.format](text, options);
}

function readList(text: string, setting: Setting, options: ReadOptions): readonly unknown[] {
  return text.split(",").map((part) => {
    const item = part.trim();
    if (item === "") throw new StartError("an empty place in the list, write A,B");
    return readText(item, setting.text, options);
  });
}

function readOne(setting: Setting, { text = "true", bare }: Written, options: ReadOptions): unknown {
  const { form } = setting;
  if (text.trim() === "") {
    throw new StartError(
      form.startsWith("switch") ? "empty, write true or false" : "empty, leave it out for the default",
    );
  }
  if (form === "text") return readText(text, setting.text, options);
  if (form === "list") return readList(text, setting, options);
  const turned = switches.get(text.trim().toLowerCase());
  if (turned !== undefined) return turned;
  if (form === "switch-or-list") return readList(text, setting, options);
  if (setting.scope) throw new StartError(`scopes are not supported yet, write ${bare} to cover all`);
  throw new StartError("takes no value but true and false (or 1, yes, on; 0, no, off)");
}

/**
 * Reads what was written for one setting: one text, or several where a flag stands repeatedly.
 * Lists add up, and `true` is the whole of a list; anything else that is repeated must agree.
 *
 * @throws {StartError} that begins with the place of the mistake.
 */
export function readSetting(setting: Setting, written: readonly Written[], options: ReadOptions): unknown {
  const values = written.map((one) => {
    try {
      return readOne(setting, one, options);
    } catch (error) {
      if (!(error instanceof StartError)) throw error;
      throw new StartError(`${one.place}: ${error.message}`, { cause: error });
    }
  });
  if (setting.form.endsWith("list") && !values.includes(false)) {
    return values.includes(true) ? true : Object.freeze([...new Set(values.flat())]);
  }
  const meanings = setting.form === "switch" ? values : written.map(({ text }) => text ?? "true");
  if (new Set(meanings).size > 1) {
    const places = written.map(({ place }) => place).join(" and ");
    throw new StartError(`${setting.flag}: given as ${places}, write it once`);
  }
  return Object.freeze(values[0]);
}

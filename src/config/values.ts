/** Parses the text of every setting, whatever its source. */
import { StartError } from "../errors.ts";
import { isPolicyLevel } from "../grants.ts";
import {
  type ReadOptions,
  readHostName,
  readHttpUrl,
  readIpAddress,
  readKeySet,
  readListenAddress,
  readOrigin,
  readPath,
  readUnixSocket,
  readWebhookUrl,
} from "./addresses.ts";
import type { Reader } from "./annotations.ts";
import { unknownWord } from "./check-options.ts";
import { readHostWord } from "./host-word.ts";
import { readImagePrefix } from "./image-prefix.ts";
import { maxAgeMs, readCount, readDuration, readLogSize, readSize } from "./quantities.ts";
import { readForwardScope, readReadItem, readScope, splitForwardScopes } from "./scope-text.ts";
import type { Setting } from "./settings.ts";

/** A value as the user wrote it. */
export interface Written {
  /** Undefined for a flag without a value. */
  readonly text: string | undefined;
  /** For messages: `--listen=x`, `CREST_LISTEN=x (environment)`. */
  readonly place: string;
}

/** Maps a setting's key to what was written for it: at least one entry, more if a flag is repeated. */
export type WrittenSettings = ReadonlyMap<string, readonly Written[]>;

/** The parser for each kind of text. A parser that returns text accepts its own result and returns it unchanged. */
export const readers: { readonly [R in Reader]: (text: string, options: ReadOptions) => unknown } = {
  path: readPath,
  "http-url": readHttpUrl,
  "key-set": readKeySet,
  "webhook-url": readWebhookUrl,
  "unix-socket": readUnixSocket,
  "listen-address": readListenAddress,
  "ip-address": readIpAddress,
  "host-name": readHostName,
  origin: readOrigin,
  "image-prefix": readImagePrefix,
  "host-word": readHostWord,
  scope: readScope,
  "forward-scope": readForwardScope,
  "read-item": readReadItem,
  policy: (text, options) => (isPolicyLevel(text) ? text : readPath(text, options)),
  duration: (text) => readDuration(text),
  age: (text) => readDuration(text, maxAgeMs),
  count: readCount,
  size: readSize,
  "log-size": readLogSize,
};

/**
 * Words that turn a switch on or off, case-insensitive. They are those of systemd's configuration files, which people
 * also use in environments. No grant kind or registry has such a name, so they are never taken for a list.
 */
const switches: ReadonlyMap<string, boolean> = new Map([
  ...["true", "1", "yes", "on"].map((word) => [word, true] as const),
  ...["false", "0", "no", "off"].map((word) => [word, false] as const),
]);

function readText(text: string, { words, reader }: Setting, options: ReadOptions): unknown {
  if (words && !words.includes(text)) throw new StartError(unknownWord(text, words));
  return reader === undefined ? text : readers[reader](text, options);
}

function readList(text: string, setting: Setting, options: ReadOptions): readonly unknown[] {
  const parts = setting.reader === "forward-scope" ? splitForwardScopes(text) : text.split(",");
  return parts.map((part) => {
    const item = part.trim();
    if (item === "") throw new StartError("empty item in the list, write A,B");
    return readText(item, setting, options);
  });
}

function readOne(setting: Setting, { text = "true" }: Written, options: ReadOptions): unknown {
  const { form } = setting;
  if (text.trim() === "") {
    throw new StartError(
      form.startsWith("switch") ? "empty, write true or false" : "empty, omit it for the default",
    );
  }
  if (form === "text") return readText(text, setting, options);
  if (form === "list") return readList(text, setting, options);
  const turned = switches.get(text.trim().toLowerCase());
  if (turned !== undefined) return turned;
  if (form === "switch-or-list") return readList(text, setting, options);
  throw new StartError("must be true or false (or 1, yes, on; 0, no, off)");
}

/**
 * Parses what was written for one setting: one text, or several if a flag is repeated. Lists are merged, and `true`
 * covers the whole list. Any other repeated setting must have the same value each time.
 *
 * @throws {StartError} beginning with the place of the mistake.
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

/**
 * The level of a line, as programs write it.
 *
 * Looks at one place after the other, from the most certain one on: members of a JSON object, klog's header, the start
 * of the line, `[LEVEL]`, `level=`, a word in capitals. Two levels in one place mean that it is not known. Source of
 * the order: Dozzle (https://github.com/amir20/dozzle, internal/container/level_guesser.go).
 */

/** From the least severe on. */
export const logLevels = ["trace", "debug", "info", "warn", "error", "fatal"] as const;
export type LogLevel = (typeof logLevels)[number];

const words: { readonly [word: string]: LogLevel } = {
  trace: "trace",
  trc: "trace",
  verbose: "trace",
  debug: "debug",
  dbg: "debug",
  dbug: "debug",
  info: "info",
  inf: "info",
  information: "info",
  notice: "info",
  warn: "warn",
  wrn: "warn",
  warning: "warn",
  error: "error",
  err: "error",
  eror: "error",
  severe: "error",
  fatal: "fatal",
  ftl: "fatal",
  crit: "fatal",
  critical: "fatal",
  panic: "fatal",
  alert: "fatal",
  emerg: "fatal",
  emergency: "fatal",
};

const levelOfWord = (word: string): LogLevel | undefined => {
  const key = word.toLowerCase();
  return Object.hasOwn(words, key) ? words[key] : undefined;
};

/** Whether `level` is at least as severe as `least`. */
export const isAtLeast = (level: LogLevel, least: LogLevel): boolean =>
  logLevels.indexOf(level) >= logLevels.indexOf(least);

/** Longer lines are no structured ones, and their level is near their beginning. */
const maxJsonLength = 64 * 1024;
const maxTextLength = 512;

export type Fields = { readonly [name: string]: unknown };

/** The members of a line that is a JSON object; undefined for any other. */
export function fieldsOf(text: string): Fields | undefined {
  if (!text.startsWith("{") || text.length > maxJsonLength || !text.trimEnd().endsWith("}")) return undefined;
  try {
    return JSON.parse(text) as Fields;
  } catch {
    return undefined;
  }
}

/** The level of a line; undefined if it is not known. `fields`: as `fieldsOf` found them. */
export function levelOf(text: string, fields: Fields | undefined): LogLevel | undefined {
  if (fields !== undefined) return levelOfFields(fields);
  const start = text.length > maxTextLength ? text.slice(0, maxTextLength) : text;
  const plain = start.includes(escapeCharacter) ? withoutColors(start) : start;
  const klog = /^([DIWEF])\d{4} \d{2}:\d{2}:\d{2}\./.exec(plain)?.[1];
  if (klog !== undefined) return klogLevels[klog];
  const tiers: readonly RegExp[] = [
    /^[ <[(]?([A-Za-z]{3,11})(?![A-Za-z0-9_-])/g,
    /[[<(]\s{0,2}([A-Za-z]{3,11})\s{0,2}[\])>]/g,
    /\b(?:level|lvl|severity|loglevel)["']?\s{0,2}[=:]\s{0,2}["']?([A-Za-z]{3,11})(?![A-Za-z])/gi,
    /(?<![A-Za-z0-9_-])([A-Z]{3,11})(?![A-Za-z0-9_-])/g,
  ];
  for (const tier of tiers) {
    const found = new Set<LogLevel>();
    for (const [, word = ""] of plain.matchAll(tier)) {
      const level = levelOfWord(word);
      if (level !== undefined) found.add(level);
    }
    if (found.size > 1) return undefined;
    for (const level of found) return level;
  }
  return undefined;
}

const escapeCharacter = "\u001b";

/** Terminals take `ESC [ 31 m` for a color. */
function withoutColors(text: string): string {
  const [first = "", ...others] = text.split(escapeCharacter);
  return first + others.map((part) => part.replace(/^\[[0-9;]{0,20}m/, "")).join("");
}

const klogLevels: { readonly [letter: string]: LogLevel } = {
  D: "debug",
  I: "info",
  W: "warn",
  E: "error",
  F: "fatal",
};

const levelKeys = ["level", "@l", "log.level", "severity", "lvl", "levelname"] as const;

function levelOfFields(fields: Fields): LogLevel | undefined {
  const nested = fields.log;
  const values: readonly unknown[] = [
    ...levelKeys.map((key) => fields[key]),
    typeof nested === "object" && nested !== null ? (nested as Fields).level : undefined,
  ];
  const found = new Set<LogLevel>();
  for (const value of values) {
    const level = typeof value === "string" ? levelOfWord(value) : pinoLevel(value);
    if (level !== undefined) found.add(level);
  }
  const [only, ...others] = found;
  return others.length > 0 ? undefined : only;
}

/** Numbers as pino and bunyan write them: 10 for trace, 60 for fatal. */
function pinoLevel(value: unknown): LogLevel | undefined {
  if (typeof value !== "number" || value < 10 || value >= 70) return undefined;
  return logLevels[Math.floor(value / 10) - 1];
}

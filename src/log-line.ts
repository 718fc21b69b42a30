/** Log entries as lines: JSON for machines, text for people. No line can hold a second one, or move a terminal. */
import { cutText } from "./cri/runtime-text.ts";
import { printable } from "./printable.ts";
import type { LogEntry } from "./server/log-entry.ts";

/** One line of JSON. Includes the stack of an error in Crest, but only the cause of a runtime failure. */
export function jsonLine(entry: LogEntry): string {
  const { level, error } = entry;
  // JSON has no members that are undefined.
  const line = { time: new Date().toISOString(), ...entry, error: undefined, ...detailOf(level, error) };
  return `${printable(JSON.stringify(line))}\n`;
}

/**
 * One line of text: time, level, message, and the rest as `name=value`. A stack follows on indented lines.
 *
 * `2026-11-29T07:00:00.000Z info  GET /v1/pods/{podSandboxId} 200 caller=token durationMs=1.2 requestId=...`
 */
export function textLine({ error, level, message, method, route, status, ...entry }: LogEntry): string {
  const { stack, cause } = detailOf(level, error);
  const members = Object.entries({ ...entry, cause }).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}=${plainWord.test(String(value)) ? value : JSON.stringify(value)}`],
  );
  const line = [new Date().toISOString(), level.padEnd(5), message, ...members].join(" ");
  const more = stack === undefined ? [] : stack.split("\n").map((one) => `    ${one}`);
  return `${[line, ...more].map(printable).join("\n")}\n`;
}

/** A value that needs no quotes. */
const plainWord = /^[\w./:{}+-]+$/;

function detailOf(level: LogEntry["level"], error: unknown): { stack?: string; cause?: string } {
  if (error === undefined) return {};
  const { stack, cause } = error instanceof Error ? error : { stack: String(error), cause: undefined };
  if (level === "error") return stack === undefined ? {} : { stack };
  return cause instanceof Error ? { cause: cutText(cause.message) } : {};
}

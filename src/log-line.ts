/** The process log: one line of JSON per entry. */
import { cutText } from "./cri/runtime-text.ts";
import type { LogEntry } from "./http/server.ts";

/** Formats an entry. Includes the stack of an error in Crest, but only the cause of a runtime failure. */
export function logLine({ error, ...entry }: LogEntry): string {
  const { stack, cause } = error instanceof Error ? error : { stack: String(error), cause: undefined };
  const detail =
    entry.level === "error"
      ? { stack }
      : { cause: cause instanceof Error ? cutText(cause.message) : undefined };
  return JSON.stringify({ time: new Date().toISOString(), ...entry, ...detail });
}

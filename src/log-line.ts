/** The log of a process: a line of JSON for each entry. */
import { cutText } from "./cri/runtime-text.ts";
import type { LogEntry } from "./http/server.ts";

/** With the stack of an error of ours; of what the runtime did wrong only the cause. */
export function logLine({ error, ...entry }: LogEntry): string {
  const { stack, cause } = error instanceof Error ? error : { stack: String(error), cause: undefined };
  const detail =
    entry.level === "error"
      ? { stack }
      : { cause: cause instanceof Error ? cutText(cause.message) : undefined };
  return JSON.stringify({ time: new Date().toISOString(), ...entry, ...detail });
}

/** The signals that end a command. */
import { Interrupted } from "./terminal.ts";

/** Aborted by the first of them. The second ends the process at once, as without Crest. */
export function interruptions(): AbortSignal {
  const stop = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
    process.once(signal, () => stop.abort(new Interrupted(signal)));
  return stop.signal;
}

/** What ends a command before its end: signals, and outputs that nobody reads any more. */
import { Interrupted, type Output } from "./terminal.ts";

const signals = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 } as const;

/**
 * Aborted by the first of the signals. The second ends the process at once, as without Crest. A reader that leaves, as in
 * `crest ps | head -1`, ends the command without an error; so does a terminal that is gone.
 */
export function interruptions(stdout: Output, stderr: Output): AbortSignal {
  const stop = new AbortController();
  for (const [signal, number] of Object.entries(signals))
    process.once(signal, () => stop.abort(new Interrupted(`Stopped by ${signal}`, 128 + number)));
  for (const output of [stdout, stderr])
    output.on("error", (error: NodeJS.ErrnoException) => {
      const isLeft = error.code === "EPIPE" || error.code === "EIO";
      if (!isLeft && output === stdout && !stop.signal.aborted)
        stderr.write(`crest: Cannot write the output: ${error.message}\n`);
      stop.abort(new Interrupted("The reader of the output has left", isLeft ? 0 : 1));
    });
  return stop.signal;
}

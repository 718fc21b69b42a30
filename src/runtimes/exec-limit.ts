/** Limits how long an ExecSync command may run. CRI has no default limit, so a hanging command never ends its call. */
import { refusal } from "./refusals.ts";

/**
 * Returns the timeout to send, in seconds: the caller's, or `maxMs` if there is none. The runtime gets it too, so that
 * it kills the process.
 *
 * @param maxMs Milliseconds, rounded up to whole seconds; 0 means no limit.
 * @throws {InvalidValue} When the caller asks for more.
 */
export function limitedTimeout(asked: string | undefined, maxMs: number): string {
  const seconds = BigInt(asked ?? "0");
  const most = BigInt(Math.ceil(maxMs / 1000));
  if (most === 0n) return String(seconds);
  if (seconds > most)
    throw refusal(
      "/timeout",
      `must be at most ${most} seconds (the limit that --exec-max sets), got ${seconds}`,
    );
  return String(seconds === 0n ? most : seconds);
}

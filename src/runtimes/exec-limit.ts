/** How long a command of ExecSync may take. CRI has no limit by default, so a command that hangs never ends its call. */
import { refusal } from "./refusals.ts";

/**
 * The timeout to send, in seconds: the caller's, or `maxMs` when it gives none. The runtime gets it too, so that it
 * kills the process.
 *
 * @param maxMs Milliseconds, rounded up to whole seconds; 0 sets no limit.
 * @throws {InvalidValue} when the caller asks for more.
 */
export function limitedTimeout(asked: string | undefined, maxMs: number): string {
  const seconds = BigInt(asked ?? "0");
  const most = BigInt(Math.ceil(maxMs / 1000));
  if (most === 0n) return String(seconds);
  if (seconds > most)
    throw refusal("/timeout", `must be at most ${most} seconds, which --exec-max sets, got ${seconds}`);
  return String(seconds === 0n ? most : seconds);
}

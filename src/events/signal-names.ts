import { constants } from "node:os";

/** Names by number. If a number has two names, the first: SIGABRT, not SIGIOT. */
const names = new Map(
  Object.entries(constants.signals)
    .toReversed()
    .map(([name, number]) => [number, name]),
);

/** Returns the signal for an exit code of 128 plus its number, such as `SIGKILL` for 137; undefined for other codes. */
export function signalOf(exitCode: number): string | undefined {
  return names.get(exitCode - 128);
}

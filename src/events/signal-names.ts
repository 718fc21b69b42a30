import { constants } from "node:os";

/** Name by number. Where two names have a number, the first: SIGABRT, not SIGIOT. */
const names = new Map(
  Object.entries(constants.signals)
    .toReversed()
    .map(([name, number]) => [number, name]),
);

/** The signal that an exit code stands for (128 plus its number), such as `SIGKILL` for 137; undefined if there is none. */
export function signalOf(exitCode: number): string | undefined {
  return names.get(exitCode - 128);
}

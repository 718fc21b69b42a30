/**
 * Raw mode of the terminal: every key goes to the command, Ctrl-C included.
 *
 * Invariant: it is undone on every way out: when the command ends or fails, by a signal, before a second signal could end the
 * process, and when the process exits for any other reason.
 */
import type { EventEmitter } from "node:events";
import type { Input } from "../terminal.ts";

/** What is used of `process`. */
export type ProcessEvents = Pick<EventEmitter, "on" | "off">;

/**
 * Puts a terminal into raw mode, until the function that is returned is called, or the signal aborts. Not for another input.
 *
 * @param continued Called when the process goes on after it was stopped, in raw mode again.
 */
export function enterRawMode(
  stdin: Input,
  signal: AbortSignal,
  { events = process, continued = () => undefined }: { events?: ProcessEvents; continued?: () => void } = {},
): () => void {
  if (stdin.isTTY !== true || stdin.setRawMode === undefined || signal.aborted) return () => undefined;
  const wasRaw = stdin.isRaw === true;
  const set = (mode: boolean): void => void stdin.setRawMode?.(mode);
  // The shell has changed the terminal meanwhile, which Node does not know.
  const goOn = (): void => {
    set(false);
    set(true);
    continued();
  };
  let isRaw = true;
  function restore(): void {
    if (!isRaw) return;
    isRaw = false;
    events.off("exit", restore);
    events.off("SIGCONT", goOn);
    signal.removeEventListener("abort", restore);
    set(wasRaw);
  }
  events.on("exit", restore);
  events.on("SIGCONT", goOn);
  signal.addEventListener("abort", restore, { once: true });
  set(true);
  return restore;
}

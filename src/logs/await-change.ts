/**
 * Waits until a log may have changed.
 *
 * A busy log is looked at every 50 ms, so that a notification for each of its lines costs nothing. Once it has been
 * quiet for a second, its folder is watched, and looked at once a second besides: some file systems notify nobody.
 */
import { type FSWatcher, watch } from "node:fs";

const busyMs = 50;
const quietMs = 1000;

export class ChangeWaiter {
  readonly #folder: string;
  readonly #signal: AbortSignal;
  #watcher: FSWatcher | undefined;
  #quietFrom = performance.now();
  #wake: () => void = () => undefined;

  constructor(folder: string, signal: AbortSignal) {
    this.#folder = folder;
    this.#signal = signal;
  }

  /** There was something to read. */
  sawChange(): void {
    this.#quietFrom = performance.now();
    this.#stopWatching();
  }

  /** Settles when there may be something to read, when `wake` is called, or when the signal aborts. */
  async wait(): Promise<void> {
    if (this.#signal.aborted) return;
    const isQuiet = performance.now() - this.#quietFrom >= quietMs;
    // What is written before the folder is watched would be seen a second later only.
    const begins = isQuiet && this.#startWatching();
    if (begins) return;
    await new Promise<void>((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.#signal.removeEventListener("abort", done);
        this.#wake = () => undefined;
        resolve();
      };
      const timer = setTimeout(done, isQuiet ? quietMs : busyMs);
      this.#signal.addEventListener("abort", done);
      this.#wake = done;
    });
  }

  /** Ends the present `wait`. */
  wake(): void {
    this.#wake();
  }

  close(): void {
    this.#stopWatching();
    this.#wake();
  }

  /** Whether the folder is watched from now on, and was not before. */
  #startWatching(): boolean {
    if (this.#watcher !== undefined) return false;
    try {
      this.#watcher = watch(this.#folder, { persistent: false }, () => this.#wake());
      this.#watcher.on("error", () => this.#stopWatching());
      return true;
    } catch {
      // No folder yet, or no more watches: looking once a second is enough.
      return false;
    }
  }

  #stopWatching(): void {
    this.#watcher?.close();
    this.#watcher = undefined;
  }
}

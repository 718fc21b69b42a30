/** Writes many lines to stdout and stderr in few writes, in their order, and at the pace of their readers. */
import { once } from "node:events";
import type { Output, Terminal } from "../terminal.ts";

/** Characters that wait at most. */
const batchLength = 64 * 1024;

export interface LineWriter {
  /** Resolves when there is room for more. Lines that come at once are written at once. */
  write(output: Output, text: string | Uint8Array): Promise<void>;
  /** Writes what waits. */
  end(): Promise<void>;
}

/** Waiting ends with the signal. */
export function createLineWriter({ stdout, signal }: Pick<Terminal, "stdout" | "signal">): LineWriter {
  let target = stdout;
  let pending = "";
  let isScheduled = false;
  let drained: Promise<unknown> | undefined;

  function flush(): void {
    if (pending === "") return;
    const text = pending;
    pending = "";
    send(text);
  }

  function send(data: string | Uint8Array): void {
    if (target.write(data) || drained !== undefined) return;
    drained = once(target, "drain", { signal }).finally(() => {
      drained = undefined;
    });
    // Whoever waits for it gets its failure.
    drained.catch(() => undefined);
  }

  return {
    async write(output, text) {
      while (drained !== undefined) await drained;
      if (output !== target) flush();
      target = output;
      if (typeof text !== "string") {
        flush();
        send(text);
        return;
      }
      pending += text;
      if (pending.length >= batchLength) flush();
      else if (!isScheduled) {
        isScheduled = true;
        setImmediate(() => {
          isScheduled = false;
          flush();
        });
      }
    },
    async end() {
      flush();
      while (drained !== undefined) await drained;
    },
  };
}

/** Sends what is typed or piped, at the pace of the command. */
import type { ByteWriter } from "../../client/index.ts";
import type { Input } from "../terminal.ts";
import { DetachFilter } from "./detach-keys.ts";

/** A key that may begin the detach keys is held back for so long, in milliseconds. */
const holdMs = 600;

export interface InputOptions {
  /** Keys that leave the session. Default: none. */
  readonly detachKeys?: Uint8Array | undefined;
  /** The keys were pressed. */
  readonly detached?: (() => void) | undefined;
  /** The input cannot be read. */
  readonly failed: (error: Error) => void;
}

/** Sends the input until its end, which is passed on, or until the function that is returned is called. */
export function sendInput(stdin: Input, writer: ByteWriter, options: InputOptions): () => void {
  const { detachKeys = new Uint8Array(), detached, failed } = options;
  const filter = new DetachFilter(detachKeys);
  let hold: NodeJS.Timeout | undefined;
  let isOver = false;
  // The session says itself why it has ended.
  const write = (data: Uint8Array): Promise<void> =>
    data.length === 0 ? Promise.resolve() : writer.write(data).catch(stop);
  function take(chunk: Buffer): void {
    clearTimeout(hold);
    const { data, isDetached } = filter.take(chunk);
    stdin.pause();
    void write(data).then(() => {
      if (isOver) return;
      if (isDetached) {
        stop();
        detached?.();
        return;
      }
      if (filter.isHolding) hold = setTimeout(() => void write(filter.release()), holdMs);
      stdin.resume();
    });
  }
  function end(): void {
    clearTimeout(hold);
    void write(filter.release()).then(() => writer.end().catch(() => undefined));
    stop();
  }
  function fail(error: Error): void {
    stop();
    failed(error);
  }
  function stop(): void {
    if (isOver) return;
    isOver = true;
    clearTimeout(hold);
    stdin.off("data", take).off("end", end).off("error", fail);
    stdin.pause();
  }
  stdin.on("data", take).on("end", end).on("error", fail);
  if (stdin.readableEnded) end();
  else stdin.resume();
  return stop;
}

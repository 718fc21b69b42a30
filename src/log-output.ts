/**
 * Writes the log without ever waiting for its reader.
 *
 * Lines are gathered for some milliseconds and written together, because each write is a system call that wakes the
 * reader. Warnings and errors are written at once, with the lines before them.
 *
 * Node writes to pipes and sockets without blocking and keeps what does not fit, so a reader that stalls would fill the
 * memory. Beyond a limit, lines are dropped and counted, and the log says how many were lost once there is room again.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { LogEntry } from "./server/log-entry.ts";

/** What is needed of `process.stderr`. */
export interface LogStream {
  /** Bytes that wait for the reader. */
  readonly writableLength: number;
  readonly destroyed: boolean;
  write(text: string, written?: () => void): boolean;
}

export interface LogOutput {
  log(entry: LogEntry): void;
  /** Hands everything to the stream now. */
  flush(): void;
  /** Settles when the stream has written everything, or after `endMs` with a reader that stalls. */
  end(): Promise<void>;
}

export interface LogOutputOptions {
  /** Default: 1 MiB, about 3,000 requests. */
  readonly maxWaitingBytes?: number;
  /** How long a line may wait for others. Default: 20. */
  readonly gatherMs?: number;
  /** Default: 500. */
  readonly endMs?: number;
}

export function createLogOutput(
  stream: LogStream,
  format: (entry: LogEntry) => string,
  { maxWaitingBytes = 2 ** 20, gatherMs = 20, endMs = 500 }: LogOutputOptions = {},
): LogOutput {
  let text = "";
  let lost = 0;
  let timer: NodeJS.Timeout | undefined;

  function flush(): void {
    clearTimeout(timer);
    timer = undefined;
    const gathered = text;
    text = "";
    if (gathered !== "" && !stream.destroyed) stream.write(gathered);
  }

  function add(line: string): void {
    timer ??= setTimeout(flush, gatherMs);
    text += line;
  }

  function tellLost(): void {
    if (lost === 0) return;
    const message = `The log's reader is too slow: ${lost} ${lost === 1 ? "entry was" : "entries were"} lost`;
    lost = 0;
    add(format({ level: "warn", message }));
  }

  return {
    log(entry) {
      if (text.length + stream.writableLength > maxWaitingBytes) {
        lost++;
        return;
      }
      tellLost();
      add(format(entry));
      if (entry.level === "warn" || entry.level === "error") flush();
    },
    flush,
    async end() {
      tellLost();
      flush();
      if (stream.destroyed || stream.writableLength === 0) return;
      const written = new Promise<void>((resolve) => void stream.write("", resolve));
      await Promise.race([written, sleep(endMs)]);
    },
  };
}

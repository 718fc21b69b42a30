/**
 * Writes the log without ever waiting for its reader.
 *
 * Lines of one turn of the event loop are written together. Node writes to pipes and sockets without blocking and keeps
 * what does not fit, so a reader that stalls would fill the memory. Beyond a limit, lines are dropped and counted, and
 * the log says how many were lost once there is room again.
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
  /** Default: 500. */
  readonly endMs?: number;
}

export function createLogOutput(
  stream: LogStream,
  format: (entry: LogEntry) => string,
  { maxWaitingBytes = 2 ** 20, endMs = 500 }: LogOutputOptions = {},
): LogOutput {
  let lines: string[] = [];
  let length = 0;
  let lost = 0;

  function flush(): void {
    if (lines.length === 0) return;
    const text = lines.join("");
    lines = [];
    length = 0;
    if (!stream.destroyed) stream.write(text);
  }

  function add(line: string): void {
    if (lines.length === 0) setImmediate(flush);
    lines.push(line);
    length += line.length;
  }

  function tellLost(): void {
    if (lost === 0) return;
    const message = `The log's reader is too slow: ${lost} ${lost === 1 ? "entry was" : "entries were"} lost`;
    lost = 0;
    add(format({ level: "warn", message }));
  }

  return {
    log(entry) {
      if (length + stream.writableLength > maxWaitingBytes) {
        lost++;
        return;
      }
      tellLost();
      add(format(entry));
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

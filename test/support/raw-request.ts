import { connect } from "node:net";

export interface RawRequestOptions {
  /** When to give up; 5,000 by default. */
  readonly timeoutMs?: number;
  /** Whether to end our side after the bytes. False by default: many servers take that for a client that left. */
  readonly end?: boolean;
  /** Returns as soon as what came fulfils it, instead of waiting for the other side to close. */
  readonly until?: (response: Buffer) => boolean;
}

/**
 * Sends bytes as they are over a plain socket and gives all that comes back until the other side closes.
 *
 * For HTTP ask for `Connection: close`, or give `until`.
 *
 * @param target A port of 127.0.0.1, or the path of a Unix socket.
 * @throws {Error} if it cannot connect, or the time is over: the message tells what had come.
 */
export function rawRequest(
  target: number | string,
  bytes: string | Uint8Array,
  { timeoutMs = 5000, end = false, until }: RawRequestOptions = {},
): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const socket = typeof target === "number" ? connect(target, "127.0.0.1") : connect(target);
    const chunks: Buffer[] = [];
    const timer = setTimeout(() => {
      const came = Buffer.concat(chunks).toString("latin1").slice(0, 200);
      socket.destroy(
        new Error(`Cannot wait longer for the answer: after ${timeoutMs} ms there is "${came}"`),
      );
    }, timeoutMs);
    socket.on("connect", () => {
      socket.write(bytes);
      if (end) socket.end();
    });
    socket.on("data", (chunk) => {
      chunks.push(chunk);
      if (until?.(Buffer.concat(chunks))) socket.destroy();
    });
    socket.on("error", (error: NodeJS.ErrnoException) => {
      // A server that refuses may reset the connection behind its answer.
      if (error.code === "ECONNRESET" && chunks.length > 0) return;
      reject(error);
    });
    socket.on("close", () => {
      clearTimeout(timer);
      resolve(Buffer.concat(chunks));
    });
  });
}

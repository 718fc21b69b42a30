import { connect } from "node:net";

export interface RawRequestOptions {
  /** Default: 5,000. */
  readonly timeoutMs?: number;
  /** Whether to end our side after the bytes. Default: false, since many servers treat that as a disconnect. */
  readonly end?: boolean;
  /** Returns as soon as the received bytes satisfy it, instead of waiting for the other side to close. */
  readonly until?: (response: Buffer) => boolean;
}

/**
 * Sends raw bytes over a plain socket and returns everything received until the other side closes.
 *
 * For HTTP, send `Connection: close` or pass `until`.
 *
 * @param target A port of 127.0.0.1, or the path of a Unix socket.
 * @throws {Error} if it cannot connect, or on timeout, with what was received in the message.
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
      // A server that rejects a request may reset the connection after its response.
      if (error.code === "ECONNRESET" && chunks.length > 0) return;
      reject(error);
    });
    socket.on("close", () => {
      clearTimeout(timer);
      resolve(Buffer.concat(chunks));
    });
  });
}

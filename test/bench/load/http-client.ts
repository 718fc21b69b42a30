import { connect } from "node:net";

/** One keep-alive connection with one request on it at a time. */
export interface HttpClient {
  /** Sends a request as it stands and reads its answer to the end: the status. @throws {Error} when it breaks. */
  send(request: Buffer): Promise<number>;
  close(): void;
}

interface Waiting {
  resolve(status: number): void;
  reject(error: Error): void;
}

const endOfHead = Buffer.from("\r\n\r\n");
const roomBytes = 256 * 1024;

/**
 * Connects to a port of 127.0.0.1.
 *
 * Knows just as much of HTTP/1.1 as the answers of a gateway need (a status, Content-Length), and keeps
 * nothing of the body: what measures must cost less than what it measures.
 */
export async function openHttp(port: number): Promise<HttpClient> {
  let waiting: Waiting | undefined;
  let head: Buffer = Buffer.alloc(0);
  let status = 0;
  /** Bytes of the body that have yet to come; undefined while the head is read. */
  let missing: number | undefined;

  function settle(): void {
    const settled = waiting;
    waiting = undefined;
    missing = undefined;
    settled?.resolve(status);
  }

  function read(chunk: Buffer): void {
    if (missing !== undefined) {
      missing -= chunk.length;
    } else {
      head = head.length === 0 ? chunk : Buffer.concat([head, chunk]);
      const at = head.indexOf(endOfHead);
      if (at === -1) {
        // The buffer that the socket reads into is about to be used again.
        head = Buffer.from(head);
        return;
      }
      const answer = parseHead(head.toString("latin1", 0, at));
      status = answer.status;
      missing = answer.length - (head.length - at - endOfHead.length);
      head = Buffer.alloc(0);
    }
    if (missing < 0) throw new Error("Cannot read the answer: it is longer than it says");
    if (missing === 0) settle();
  }

  function fail(error: Error): void {
    waiting?.reject(error);
    waiting = undefined;
    socket.destroy();
  }

  const socket = connect({
    host: "127.0.0.1",
    port,
    noDelay: true,
    onread: {
      buffer: Buffer.allocUnsafe(roomBytes),
      callback(count, room) {
        try {
          read((room as Buffer).subarray(0, count));
        } catch (error) {
          fail(error as Error);
        }
        return true;
      },
    },
  });
  socket.on("error", fail);
  socket.on("close", () => fail(new Error("the connection closed before the answer was complete")));
  await new Promise<void>((resolve, reject) => {
    waiting = { resolve: () => undefined, reject };
    socket.once("connect", () => {
      waiting = undefined;
      resolve();
    });
  });
  return {
    send(request) {
      return new Promise((resolve, reject) => {
        waiting = { resolve, reject };
        socket.write(request);
      });
    },
    close: () => socket.destroy(),
  };
}

function parseHead(head: string): { readonly status: number; readonly length: number } {
  const status = Number(head.slice(9, 12));
  const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1];
  // Without a body, whatever the header says (RFC 9110, 8.6 and 15.4.5).
  if (status === 204 || status === 304) return { status, length: 0 };
  if (length === undefined) throw new Error(`Cannot read the answer: it has no Content-Length\n${head}`);
  return { status, length: Number(length) };
}

/** A stream of the runtime -> messages to the client, as fast as the client takes them. */
import type { Readable } from "node:stream";
import type { Socket } from "./socket.ts";

/** Counts what waits for a session's client, together with that of other sessions. */
export interface WaitingOutput {
  /** Bytes that wait now. */
  force(bytes: number): void;
  /** Whether more waits in all than may. */
  readonly isOver: boolean;
}

export interface OutflowOptions {
  readonly socket: Socket;
  readonly waiting: WaitingOutput;
  /** What to send for a chunk. */
  readonly encode: (chunk: Buffer) => Buffer | string;
  /** Called with each chunk that was sent. */
  readonly sent: () => void;
  /**
   * What to do about a client that does not keep up. Absent: the stream is paused until it does, which
   * stalls the process behind it as a slow terminal would. Attaching must not do that to a container, so
   * there a limited amount is kept, and then this is called.
   */
  readonly tooSlow?: () => void;
}

const highWaterBytes = 1024 * 1024;
const lowWaterBytes = 256 * 1024;
/** What is kept for a client that may not stall the stream. */
const maxHeldBytes = 4 * 1024 * 1024;
/** What a session may always have, so that it goes on however much waits for others. */
const minHeldBytes = 64 * 1024;

const readyState = { open: 1, closing: 2 } as const;

/** Settles when the stream has ended and everything was handed to the socket. */
export function pumpOut(
  stream: Readable,
  { socket, waiting, encode, sent, tooSlow }: OutflowOptions,
): Promise<void> {
  const maxBytes = tooSlow === undefined ? highWaterBytes : maxHeldBytes;
  /** Whether as many bytes wait as may, counted anew. */
  const isFull = (limitBytes: number): boolean => {
    const bytes = socket.bufferedAmount;
    waiting.force(bytes);
    return bytes > limitBytes || (bytes > minHeldBytes && waiting.isOver);
  };
  return new Promise((resolve) => {
    stream.on("data", (chunk: Buffer) => {
      // A socket that is closing sends nothing more, but would count it as waiting.
      if (socket.readyState !== readyState.open) {
        if (tooSlow === undefined && socket.readyState === readyState.closing) stream.pause();
        return;
      }
      sent();
      socket.send(encode(chunk), () => {
        if (!isFull(lowWaterBytes) && stream.isPaused()) stream.resume();
      });
      if (!isFull(maxBytes)) return;
      if (tooSlow === undefined) stream.pause();
      else tooSlow();
    });
    stream.once("end", resolve);
    stream.once("close", resolve);
  });
}

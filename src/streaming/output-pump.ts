/** Sends a runtime stream to the client as messages, as fast as the client reads. */
import type { Readable } from "node:stream";
import type { Socket } from "./socket.ts";

/** Counts the bytes that wait for the client of a session, and the total of all sessions. */
export interface WaitingOutput {
  /** Sets the number of bytes that wait now. */
  force(bytes: number): void;
  /** Whether the total exceeds its limit. */
  readonly isOver: boolean;
}

export interface OutflowOptions {
  readonly socket: Socket;
  readonly waiting: WaitingOutput;
  /** Encodes a chunk as a message. */
  readonly encode: (chunk: Buffer) => Buffer | string;
  /** Called before each chunk is sent, with its length. */
  readonly sent: (bytes: number) => void;
  /**
   * Called when the client falls behind and its buffer is full. If absent, the stream is paused instead, which blocks
   * the process like a slow terminal. Attach must not block a container, so it sets this.
   */
  readonly tooSlow?: () => void;
}

const highWaterBytes = 1024 * 1024;
const lowWaterBytes = 256 * 1024;
/** Buffer limit for a client that must not block the stream. */
const maxHeldBytes = 4 * 1024 * 1024;
/** What each session may always buffer, so that it makes progress however much waits for others. */
const minHeldBytes = 64 * 1024;

const readyState = { open: 1, closing: 2 } as const;

/** Settles when the stream has ended and all data was passed to the socket. */
export function pumpOut(
  stream: Readable,
  { socket, waiting, encode, sent, tooSlow }: OutflowOptions,
): Promise<void> {
  const maxBytes = tooSlow === undefined ? highWaterBytes : maxHeldBytes;
  /** Updates the count and returns whether the buffer is full. */
  const isFull = (limitBytes: number): boolean => {
    const bytes = socket.bufferedAmount;
    waiting.force(bytes);
    return bytes > limitBytes || (bytes > minHeldBytes && waiting.isOver);
  };
  return new Promise((resolve) => {
    stream.on("data", (chunk: Buffer) => {
      // A closing socket sends nothing more but would still count the data as waiting.
      if (socket.readyState !== readyState.open) {
        if (tooSlow === undefined && socket.readyState === readyState.closing) stream.pause();
        return;
      }
      sent(chunk.length);
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

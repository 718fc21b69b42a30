/** A stream of the runtime -> messages to the client, as fast as the client takes them. */
import type { Readable } from "node:stream";
import type { Socket } from "./socket.ts";

export interface OutflowOptions {
  readonly socket: Socket;
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

/** Settles when the stream has ended and everything was handed to the socket. */
export function pumpOut(stream: Readable, { socket, encode, sent, tooSlow }: OutflowOptions): Promise<void> {
  return new Promise((resolve) => {
    stream.on("data", (chunk: Buffer) => {
      sent();
      socket.send(encode(chunk), () => {
        if (stream.isPaused() && socket.bufferedAmount < lowWaterBytes) stream.resume();
      });
      if (tooSlow !== undefined) {
        if (socket.bufferedAmount > maxHeldBytes) tooSlow();
      } else if (socket.bufferedAmount > highWaterBytes) {
        stream.pause();
      }
    });
    stream.once("end", resolve);
    stream.once("close", resolve);
  });
}

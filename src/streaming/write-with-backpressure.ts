/** Writes from a WebSocket to a slower sink. */
import type { Duplex } from "node:stream";
import type { Socket } from "./socket.ts";

/** Writes client data to `sink`. Pauses the WebSocket while the sink has no room. */
export function writeWithBackpressure(
  payload: Buffer,
  sink: Duplex,
  socket: Pick<Socket, "isPaused" | "pause" | "resume">,
): void {
  if (sink.writableEnded || sink.destroyed) return;
  if (sink.write(payload) || socket.isPaused) return;
  socket.pause();
  const resume = (): void => {
    sink.off("drain", resume);
    sink.off("close", resume);
    if (socket.isPaused) socket.resume();
  };
  sink.on("drain", resume);
  sink.on("close", resume);
}

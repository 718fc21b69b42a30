/** Intercepts the data between a connection and its reader. See README.md. */
import type { Socket } from "node:net";

/**
 * Passes incoming data to `handle` instead of the connection's only reader; `receive` passes data on to that reader.
 * Call this before the connection's next data event.
 *
 * @throws {TypeError} when the connection has no reader.
 */
export function interceptData(
  connection: Socket,
  handle: (chunk: Buffer, receive: (part: Buffer) => void) => void,
): void {
  const [reader] = connection.listeners("data") as ((chunk: Buffer) => void)[];
  if (reader === undefined) throw new TypeError("The connection has no reader");
  connection.off("data", reader);
  connection.on("data", (chunk: Buffer) => handle(chunk, (part) => reader.call(connection, part)));
}

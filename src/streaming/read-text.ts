/** Reads text that a runtime sends on a stream: a status, or why a port refused. */
import type { Readable } from "node:stream";
import { decodeText } from "../cri/runtime-text.ts";

/** Resolves with the text when the stream has ended; over `maxBytes`, it is cut and marked. Never rejects. */
export function readText(stream: Readable, maxBytes: number): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  return new Promise((resolve) => {
    const done = (): void => resolve(decodeText(Buffer.concat(chunks), maxBytes));
    stream.on("data", (chunk: Buffer) => {
      // One byte more than the limit, to show that there is more.
      if (length <= maxBytes) chunks.push(chunk.subarray(0, maxBytes + 1 - length));
      length += chunk.length;
    });
    stream.once("end", done);
    stream.once("close", done);
  });
}

/** What a runtime says in words on a stream: a status, why a port refused. */
import type { Readable } from "node:stream";
import { decodeText } from "../cri/runtime-text.ts";

/** The text of a stream when it has ended; of one over `maxBytes` the beginning and a mark. Never rejects. */
export function readText(stream: Readable, maxBytes: number): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  return new Promise((resolve) => {
    const done = (): void => resolve(decodeText(Buffer.concat(chunks), maxBytes));
    stream.on("data", (chunk: Buffer) => {
      // One byte more than is wanted, as the sign that there are more.
      if (length <= maxBytes) chunks.push(chunk.subarray(0, maxBytes + 1 - length));
      length += chunk.length;
    });
    stream.once("end", done);
    stream.once("close", done);
  });
}

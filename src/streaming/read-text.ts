/** What a runtime says in words: a status, why a port refused. */
import type { Readable } from "node:stream";

/** The text of a stream up to a length, when it has ended; the rest is passed over. Never rejects. */
export function readText(stream: Readable, maxBytes: number): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  return new Promise((resolve) => {
    const done = (): void => resolve(Buffer.concat(chunks).toString("utf8"));
    stream.on("data", (chunk: Buffer) => {
      if (length < maxBytes) chunks.push(chunk.subarray(0, maxBytes - length));
      length += chunk.length;
    });
    stream.once("end", done);
    stream.once("close", done);
  });
}

/** The bytes of a log file, compressed or not. */
import type { FileHandle } from "node:fs/promises";
import { pipeline, Readable } from "node:stream";
import { createGunzip, type Gunzip } from "node:zlib";
import { GatewayError } from "../errors.ts";

export interface ByteSource {
  /** Whether reading backwards starts again from the beginning. */
  readonly isSequential: boolean;
  /** Up to `length` bytes from `position` on; fewer only at the end, none behind it. */
  read(position: number, length: number): Promise<Buffer>;
  /** The number of bytes; Infinity if only reading tells. */
  size(): Promise<number>;
  close(): Promise<void>;
}

/** The bytes of a file that may grow. */
export function plainSource(file: FileHandle): ByteSource {
  return {
    isSequential: false,
    async read(position, length) {
      const buffer = Buffer.allocUnsafeSlow(length);
      let filled = 0;
      while (filled < length) {
        const { bytesRead } = await file.read(buffer, filled, length - filled, position + filled);
        if (bytesRead === 0) break;
        filled += bytesRead;
      }
      return buffer.subarray(0, filled);
    },
    size: async () => (await file.stat()).size,
    close: () => file.close(),
  };
}

/**
 * The unpacked bytes of a gzip file. Holds only what the last read left over, so memory does not depend on the size.
 * `name` is for messages.
 */
export function gzipSource(file: FileHandle, name: string): ByteSource {
  let unpacked: AsyncIterator<Buffer> | undefined;
  let stream: Gunzip | undefined;
  /** Unpacked bytes from `at` on that nobody has read. */
  let rest: Buffer = Buffer.alloc(0);
  let at = 0;
  let isAtEnd = false;

  function start(): void {
    stop();
    // Not the stream of the file, which closes it when it is destroyed.
    const output = createGunzip({ chunkSize: 64 * 1024 });
    pipeline(Readable.from(bytesOf(file), { objectMode: false }), output, () => undefined);
    stream = output;
    unpacked = stream[Symbol.asyncIterator]();
    rest = Buffer.alloc(0);
    at = 0;
    isAtEnd = false;
  }

  function stop(): void {
    stream?.destroy();
    stream = undefined;
    unpacked = undefined;
  }

  async function more(): Promise<Buffer | undefined> {
    try {
      const next = await unpacked?.next();
      if (next !== undefined && !next.done) return next.value;
      isAtEnd = true;
      return undefined;
    } catch (error) {
      throw new GatewayError("log_not_readable", `Cannot unpack the rotated log ${name}: it is damaged`, {
        cause: error,
      });
    }
  }

  return {
    isSequential: true,
    async read(position, length) {
      if (unpacked === undefined || position < at) start();
      while (!isAtEnd && at + rest.length < position) {
        at += rest.length;
        rest = (await more()) ?? Buffer.alloc(0);
      }
      const skipped = Math.min(position - at, rest.length);
      const parts = [rest.subarray(skipped)];
      at += skipped;
      let bytes = parts[0]?.length ?? 0;
      while (!isAtEnd && bytes < length) {
        const part = await more();
        if (part === undefined) break;
        parts.push(part);
        bytes += part.length;
      }
      rest = parts.length === 1 ? (parts[0] ?? Buffer.alloc(0)) : Buffer.concat(parts);
      return at === position ? rest.subarray(0, length) : Buffer.alloc(0);
    },
    size: async () => Number.POSITIVE_INFINITY,
    async close() {
      stop();
      await file.close();
    },
  };
}

const packedBytes = 64 * 1024;

async function* bytesOf(file: FileHandle): AsyncGenerator<Buffer> {
  for (let position = 0; ; ) {
    const { buffer, bytesRead } = await file.read(
      Buffer.allocUnsafeSlow(packedBytes),
      0,
      packedBytes,
      position,
    );
    if (bytesRead === 0) return;
    position += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}

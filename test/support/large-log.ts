/** Writes a large log fast, in containerd's format. */
import { createWriteStream } from "node:fs";
import { mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { FakeContainer, FakeRuntime } from "./fake-runtime.ts";

export interface LargeLog {
  readonly container: FakeContainer;
  readonly path: string;
  readonly bytes: number;
  readonly lines: number;
}

export interface LargeLogInit {
  /** The gateway's data folder. */
  readonly dataDir: string;
  /** Rounded up to a block. */
  readonly bytes: number;
}

const linesInBlock = 1000;
const blocksInChunk = 500;
/** Time between two blocks. 2 GiB of them are 4 hours. */
const blockMs = 1000;
const secondsLength = "2026-11-29T10:00:00".length;

/** An exited container with a log whose lines are 125 bytes, 1,000 a second until now. In each second one is an error. */
export async function writeLargeLog(
  fake: FakeRuntime,
  { dataDir, bytes: wanted }: LargeLogInit,
): Promise<LargeLog> {
  const logDirectory = join(dataDir, "logs", "large");
  const pod = fake.addPod({ name: "large", config: { logDirectory } });
  const container = fake.addContainer({ pod, name: "large", logPath: "large/0.log", state: "exited" });
  const path = join(logDirectory, "large/0.log");
  const texts = Array.from({ length: linesInBlock }, (_, index) => {
    const isError = index === linesInBlock / 2;
    const text = `${isError ? "ERROR" : "INFO "} request ${index} to /v1/orders/${index * 7919} took ${index % 97} ms, status ${isError ? 503 : 200}`;
    return `2026-11-29T10:00:00.${String(index * 1_000_000 + 1).padStart(9, "0")}Z stdout F ${text.padEnd(80, ".")}\n`;
  });
  const block = Buffer.from(texts.join(""));
  const lineLength = block.length / linesInBlock;
  const blocks = Math.ceil(wanted / block.length);
  const beginMs = Date.now() - blocks * blockMs;

  function* chunks(): Generator<Buffer> {
    for (let from = 0; from < blocks; from += blocksInChunk) {
      const chunk = Buffer.concat(Array(Math.min(blocksInChunk, blocks - from)).fill(block));
      for (let at = 0; at < chunk.length; at += lineLength) {
        const number = from + Math.floor(at / block.length);
        if (at % block.length === 0) second.write(secondOf(beginMs + number * blockMs));
        second.copy(chunk, at);
      }
      yield chunk;
    }
  }
  const second = Buffer.alloc(secondsLength);
  await mkdir(dirname(path), { recursive: true });
  await pipeline(Readable.from(chunks()), createWriteStream(path));
  return { container, path, bytes: blocks * block.length, lines: blocks * linesInBlock };
}

const secondOf = (ms: number): string => new Date(ms).toISOString().slice(0, secondsLength);

/** Writes log files as runtimes do. */
import { formatTime, fromMs } from "../../src/logs/log-time.ts";

export interface WrittenLine {
  readonly stream: "stdout" | "stderr";
  readonly bytes: Buffer;
  /** Milliseconds since the Unix epoch. */
  readonly timeMs: number;
}

/** The records of a line in the format of a runtime, each with its newline. `partBytes`: where parts end. */
export type Format = (line: WrittenLine, partBytes: (left: number) => number) => readonly Buffer[];

function partsOf(bytes: Buffer, partBytes: (left: number) => number): readonly Buffer[] {
  const parts: Buffer[] = [];
  let at = 0;
  for (; bytes.length - at > 0; ) {
    const size = Math.min(bytes.length - at, Math.max(1, partBytes(bytes.length - at)));
    parts.push(bytes.subarray(at, at + size));
    at += size;
  }
  return parts.length === 0 ? [Buffer.alloc(0)] : parts;
}

const record = (time: string, stream: string, tag: string, text: Buffer): Buffer =>
  Buffer.concat([Buffer.from(`${time} ${stream} ${tag} `), text, Buffer.from("\n")]);

/** containerd strips the zeros at the end of a time. */
const containerd: Format = ({ stream, bytes, timeMs }, partBytes) => {
  const time = formatTime(fromMs(timeMs)).replace(/\.?0+Z$/, "Z");
  const parts = partsOf(bytes, partBytes);
  return parts.map((part, index) => record(time, stream, index < parts.length - 1 ? "P" : "F", part));
};

/** CRI-O writes the offset as +00:00, and an empty F when the newline was read alone. */
const criO: Format = ({ stream, bytes, timeMs }, partBytes) => {
  const time = formatTime(fromMs(timeMs)).replace("Z", "+00:00");
  const parts = partsOf(bytes, partBytes);
  if (parts.length === 1 && bytes.length % 2 === 0) return [record(time, stream, "F", bytes)];
  return [
    ...parts.map((part) => record(time, stream, "P", part)),
    record(time, stream, "F", Buffer.alloc(0)),
  ];
};

/** dockerd writes JSON, in which bytes that are not UTF-8 are lost. */
const jsonFile: Format = ({ stream, bytes, timeMs }, partBytes) => {
  const time = formatTime(fromMs(timeMs));
  const parts = partsOf(bytes, partBytes);
  return parts.map((part, index) => {
    const log = part.toString("utf8") + (index < parts.length - 1 ? "" : "\n");
    return Buffer.from(`${JSON.stringify({ log, stream, time })}\n`);
  });
};

export const formats = { containerd, criO, jsonFile } as const;

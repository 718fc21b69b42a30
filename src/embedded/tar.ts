/** Writes tar archives (POSIX.1-1988 ustar). Supports only what images need. */

/** One member of an archive. Its path has no leading slash. */
export type TarEntry = { readonly path: string /** Permission bits. */; readonly mode: number } & (
  | { readonly kind: "file"; readonly bytes: Uint8Array }
  | { readonly kind: "directory" }
  | { readonly kind: "symlink"; readonly target: string }
);

const blockBytes = 512;

/**
 * Returns an archive of `entries` in the given order.
 *
 * Deterministic: the owner is root and times are 0, so that equal entries give equal bytes on every machine.
 *
 * @throws {RangeError} if a path or link target exceeds the 100 bytes of a plain header.
 */
export function tar(entries: readonly TarEntry[]): Buffer {
  const blocks: Uint8Array[] = [];
  for (const entry of entries) {
    blocks.push(header(entry));
    if (entry.kind !== "file") continue;
    blocks.push(entry.bytes, Buffer.alloc(-entry.bytes.length & (blockBytes - 1)));
  }
  // Two empty blocks end an archive.
  blocks.push(Buffer.alloc(2 * blockBytes));
  return Buffer.concat(blocks);
}

const typeFlags = { file: "0", symlink: "2", directory: "5" } as const;

function header(entry: TarEntry): Buffer {
  const block = Buffer.alloc(blockBytes);
  const text = (value: string, at: number, limitBytes: number) => {
    if (Buffer.byteLength(value) > limitBytes) {
      throw new RangeError(`Cannot write tar entry: "${value}" is longer than ${limitBytes} bytes`);
    }
    block.write(value, at);
  };
  const octal = (value: number, at: number, widthBytes: number) =>
    text(value.toString(8).padStart(widthBytes - 1, "0"), at, widthBytes - 1);

  text(entry.kind === "directory" ? `${entry.path}/` : entry.path, 0, 100);
  octal(entry.mode, 100, 8);
  octal(0, 108, 8); // uid
  octal(0, 116, 8); // gid
  octal(entry.kind === "file" ? entry.bytes.length : 0, 124, 12);
  octal(0, 136, 12); // mtime
  text(typeFlags[entry.kind], 156, 1);
  text(entry.kind === "symlink" ? entry.target : "", 157, 100);
  text("ustar\u000000", 257, 8);
  // The checksum is computed with its own field filled with spaces.
  block.fill(" ", 148, 156);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  return block;
}

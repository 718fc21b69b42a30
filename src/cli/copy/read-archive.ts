/**
 * Reads a tar archive that nobody vouches for. Invariant: at most one piece of an entry and one extended header of 1 MiB are
 * in memory.
 */
import { Parser, type ReadEntry } from "tar";
import { StartError } from "../../errors.ts";

/** gzip and zstd, which the parser would decompress. */
const compressed: readonly Uint8Array[] = [Uint8Array.of(0x1f, 0x8b), Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd)];

export type ArchiveEntry = ReadEntry;

/**
 * Calls `take` for each entry, one after the other. It must read the entry, or `resume()` it; `false` ends the reading.
 *
 * @throws {StartError} for what is no archive, or ends too early. @throws what `take` throws.
 */
export async function readArchive(
  bytes: AsyncIterable<Uint8Array>,
  take: (entry: ArchiveEntry) => Promise<boolean>,
): Promise<void> {
  const parser = new Parser({ strict: true });
  let failure: { readonly error: unknown } | undefined;
  let hasLeft = false;
  let hasEnd = false;
  let isFirst = true;
  let wake = (): void => undefined;
  let work = Promise.resolve();
  const fail = (error: unknown): void => {
    failure ??= { error };
    wake();
  };
  const broken = (reason: string): StartError => new StartError(`The archive cannot be read: ${reason}`);
  parser.on("error", (error: Error) => fail(broken(error.message)));
  parser.on("ignoredEntry", ({ meta, path }: ArchiveEntry) =>
    fail(broken(meta ? "an extended header is longer than 1 MiB" : `"${path}" is of an unknown kind`)),
  );
  parser.on("eof", () => {
    hasEnd = true;
  });
  let current: ArchiveEntry | undefined;
  parser.on("entry", (entry: ArchiveEntry) => {
    work = work.then(async () => {
      if (failure !== undefined || hasLeft) return;
      current = entry;
      if (await take(entry)) return;
      hasLeft = true;
      wake();
    });
    work = work.catch(fail);
  });
  const check = (): boolean => {
    if (failure !== undefined) throw failure.error;
    return hasLeft;
  };
  try {
    if (await feed()) return;
  } catch (error) {
    fail(error);
    // Whoever reads an entry must not wait for the rest of it.
    current?.destroy();
    await work;
  }
  if (check()) return;
  await new Promise<void>((resolve) => {
    wake = resolve;
    parser.once("end", resolve);
    parser.end();
    if (failure !== undefined || hasLeft) resolve();
  });
  await work;
  if (check()) return;
  if (!hasEnd) throw broken("it ends too early");

  /** Returns whether `take` has seen enough. */
  async function feed(): Promise<boolean> {
    for await (const chunk of bytes) {
      if (check()) return true;
      if (isFirst && compressed.some((magic) => magic.every((byte, at) => chunk[at] === byte)))
        throw broken("it is compressed");
      isFirst = false;
      if (parser.write(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength))) continue;
      await new Promise<void>((resolve) => {
        wake = resolve;
        parser.once("drain", resolve);
        if (failure !== undefined || hasLeft) resolve();
      });
      parser.removeAllListeners("drain");
    }
    return check();
  }
}

/** Compresses rotated logs. */
import { constants, type FileHandle, open, rename, rm, unlink } from "node:fs/promises";
import { dirname } from "node:path";
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";
import { checkPlace } from "./log-place.ts";

const { O_CREAT, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_WRONLY } = constants;

/**
 * Replaces a rotated log by its compressed form with `.gz` behind the name, with the same mode, owner and time of the
 * last change. Under that name it is complete from the beginning, also after a crash.
 *
 * @returns False if the file still grows, or is no regular file. It stays as it is then.
 * @throws {NodeJS.ErrnoException} {AbortError} The file stays as it is.
 */
export async function compressLog(path: string, signal?: AbortSignal): Promise<boolean> {
  checkPlace(dirname(path));
  const from = await open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  try {
    const before = await from.stat();
    if (!before.isFile() || before.nlink > 1) return false;
    const partial = `${path}.tmp`;
    await rm(partial, { force: true });
    const to = await open(partial, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, before.mode & 0o777);
    try {
      await writeCompressed(from, to, signal);
      if ((await from.stat()).size !== before.size) {
        await unlink(partial);
        return false;
      }
      if (process.geteuid?.() === 0) await to.chown(before.uid, before.gid);
      await to.utimes(before.atime, before.mtime);
      await to.sync();
      await rename(partial, `${path}.gz`);
    } catch (error) {
      await rm(partial, { force: true });
      throw error;
    } finally {
      await to.close();
    }
    // A rotation meanwhile may have removed it already.
    await rm(path, { force: true });
    return true;
  } finally {
    await from.close();
  }
}

async function writeCompressed(from: FileHandle, to: FileHandle, signal?: AbortSignal): Promise<void> {
  await pipeline(
    from.createReadStream({ autoClose: false, start: 0 }),
    createGzip(),
    async (chunks: AsyncIterable<Buffer>) => {
      for await (const chunk of chunks) await writeWhole(to, chunk);
    },
    { ...(signal === undefined ? {} : { signal }) },
  );
}

/** A write may be short, for example when the disk is full. */
async function writeWhole(to: FileHandle, chunk: Buffer): Promise<void> {
  for (let at = 0; at < chunk.length; ) {
    const { bytesWritten } = await to.write(chunk, at);
    if (bytesWritten === 0) throw Object.assign(new Error("ENOSPC: no space left"), { code: "ENOSPC" });
    at += bytesWritten;
  }
}

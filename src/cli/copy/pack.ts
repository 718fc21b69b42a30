/** Makes a tar archive of files of this machine, piece by piece. */
import type { Stats } from "node:fs";
import { constants, lstat, open, opendir, readlink } from "node:fs/promises";
import { join } from "node:path";
import { Header, type HeaderData } from "tar";
import { StartError } from "../../errors.ts";

const blockBytes = 512;
const pieceBytes = 256 * 1024;
const permissionBits = 0o777;

export interface PackOptions {
  /** Path of the first entry in the archive; empty for what is in a folder, without the folder. */
  readonly name: string;
  /** Called for what is left out. */
  leftOut(path: string, why: string): void;
}

/** Owners are root: tar in the container makes them its own. @throws {StartError} if a file changes meanwhile. */
export async function* pack(path: string, options: PackOptions): AsyncGenerator<Uint8Array, void> {
  yield* packOne(path, options.name, options);
  yield Buffer.alloc(2 * blockBytes);
}

async function* packOne(path: string, name: string, options: PackOptions): AsyncGenerator<Uint8Array, void> {
  const stats = await lstat(path);
  if (stats.isFile()) yield* packFile(path, name);
  else if (stats.isSymbolicLink())
    yield headerOf(name, stats, { type: "SymbolicLink", linkpath: await readlink(path) });
  else if (stats.isDirectory()) {
    if (name !== "") yield headerOf(`${name}/`, stats, { type: "Directory" });
    for await (const { name: child } of await opendir(path))
      yield* packOne(join(path, child), name === "" ? child : `${name}/${child}`, options);
  } else options.leftOut(path, "it is no file, folder or link");
}

async function* packFile(path: string, name: string): AsyncGenerator<Uint8Array, void> {
  const handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const stats = await handle.stat();
    const { size } = stats;
    yield headerOf(name, stats, { type: "File", size });
    let left = size;
    for (;;) {
      // One byte more than there should be, to notice that it grew.
      const { buffer, bytesRead } = await handle.read(Buffer.allocUnsafe(Math.min(pieceBytes, left + 1)));
      if (bytesRead > left || (bytesRead === 0 && left > 0))
        throw new StartError(`Cannot copy "${path}": it changed while it was read`);
      if (bytesRead === 0) break;
      left -= bytesRead;
      yield buffer.subarray(0, bytesRead);
    }
    yield Buffer.alloc(-size & (blockBytes - 1));
  } finally {
    await handle.close();
  }
}

/** What fits into a plain header, in bytes. */
const plainLength = 100;

/**
 * A header, and before it what does not fit: in GNU's form, which every tar reads. busybox ignores the one of POSIX, and would
 * cut the name.
 */
function headerOf(
  path: string,
  { mode, mtime }: Pick<Stats, "mode" | "mtime">,
  {
    type,
    size = 0,
    linkpath,
  }: {
    readonly type: "File" | "Directory" | "SymbolicLink";
    readonly size?: number;
    readonly linkpath?: string;
  },
): Uint8Array {
  const long = [
    ...longName("NextFileHasLongPath", path),
    ...(linkpath === undefined ? [] : longName("NextFileHasLongLinkpath", linkpath)),
  ];
  return Buffer.concat([
    ...long,
    blockOf({
      ...{ path: shortened(path), mode: mode & permissionBits, type, size },
      mtime: new Date(Math.floor(mtime.getTime() / 1000) * 1000),
      ...(linkpath === undefined ? {} : { linkpath: shortened(linkpath) }),
    }),
  ]);
}

const isLong = (text: string): boolean => Buffer.byteLength(text) > plainLength;
const shortened = (text: string): string => (isLong(text) ? longLink : text);
const longLink = "././@LongLink";

function longName(type: "NextFileHasLongPath" | "NextFileHasLongLinkpath", text: string): Uint8Array[] {
  if (!isLong(text)) return [];
  const body = Buffer.from(`${text}\0`);
  const padding = Buffer.alloc(-body.length & (blockBytes - 1));
  return [blockOf({ path: longLink, mode: 0, type, size: body.length, mtime: new Date(0) }), body, padding];
}

function blockOf(data: HeaderData): Uint8Array {
  const header = new Header({ uid: 0, gid: 0, ...data });
  header.encode();
  if (header.block === undefined) throw new TypeError("The header has no block");
  return header.block;
}

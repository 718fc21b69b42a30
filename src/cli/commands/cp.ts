/** `crest cp`: tar over a session, with docker's rules for names. */
import type { Stats } from "node:fs";
import { lstat, realpath, stat } from "node:fs/promises";
import { basename, join, posix, resolve } from "node:path";
import { StartError } from "../../errors.ts";
import type { CommandContext, Run } from "../context.ts";
import { MissingTar, type TarRunner, tarIn } from "../copy/container-tar.ts";
import { type Extraction, extraction } from "../copy/extract.ts";
import { pack } from "../copy/pack.ts";
import { type Place, placeOf, type RemotePlace } from "../copy/place.ts";
import { readArchive } from "../copy/read-archive.ts";
import { type CopyProgress, copyProgress } from "../output/copy-progress.ts";
import { note, write } from "../terminal.ts";
import { checkName } from "./each.ts";

type Context = CommandContext<"cp">;
type LocalPlace = Extract<Place, { kind: "local" }>;

const mostLinks = 40;
/** What is left out is named so often. */
const mostNotes = 10;

/** What a copy needs. */
interface Copy {
  readonly ctx: Context;
  readonly tar: TarRunner;
  readonly progress: CopyProgress;
  /** Paths that were left out so far. */
  readonly leftOut: { count: number; notes: Promise<void>[] };
}

export const run: Run<"cp"> = async (ctx) => {
  const [from, to] = ctx.operands.map(placeOf);
  if (from === undefined || to === undefined) return 1;
  const remote = from.kind === "remote" ? from : to;
  if (remote.kind !== "remote" || (from.kind === "remote" && to.kind === "remote"))
    throw new StartError("crest cp: one of the two places is in a container, write CONTAINER:PATH for it");
  if (to.kind === "stream" && ctx.stdout.isTTY === true)
    throw new StartError("crest cp: stdout is a terminal, which a tar archive would garble: write > FILE");
  const { crest } = await ctx.connect({ sessions: true });
  const copy: Copy = {
    ctx,
    tar: tarIn(crest, checkName(remote.container), ctx.signal),
    progress: copyProgress(ctx.stderr),
    leftOut: { count: 0, notes: [] },
  };
  try {
    if (from.kind === "remote") await download(copy, from, to);
    else await upload(copy, from, remote);
  } catch (error) {
    throw explain(error);
  } finally {
    copy.progress.clear();
  }
  const { count, notes } = copy.leftOut;
  await Promise.all(notes);
  if (count > mostNotes) await note(ctx.stderr, `${count - mostNotes} more were left out`);
  return count === 0 ? 0 : 1;
};

/** Failures of files are the user's to know, not faults of Crest. */
function explain(error: unknown): unknown {
  const isOfFiles = error instanceof Error && "syscall" in error && "path" in error;
  return isOfFiles ? new StartError(`Cannot copy: ${error.message}`, { cause: error }) : error;
}

function leaveOut({ ctx, leftOut, progress }: Copy, path: string, why: string): void {
  leftOut.count++;
  if (leftOut.count > mostNotes) return;
  progress.clear();
  leftOut.notes.push(note(ctx.stderr, `Left out ${path}: ${why}`));
}

async function download(copy: Copy, source: RemotePlace, to: Place): Promise<void> {
  const { ctx, tar, progress } = copy;
  const from = ctx.flags["follow-link"] ? await followed(tar, source) : source;
  const { args, root } = sending(from);
  if (to.kind !== "local") {
    const sender = await tar.run(args);
    for await (const bytes of sender.stdout) {
      await write(ctx.stdout, bytes);
      progress.add(bytes.length);
    }
    await sender.ended();
    return;
  }
  const existing = await existingPlace(to);
  const sender = await tar.run(args);
  let files: Extraction | undefined;
  try {
    await readArchive(sender.stdout, async (entry) => {
      files ??= extraction({
        target: targetOf(from, to, existing, entry.type === "Directory"),
        root,
        unsafeLinks: ctx.flags["unsafe-links"],
        umask: process.umask(),
        leftOut: (path, why) => leaveOut(copy, path, why),
        written: progress.add,
      });
      await files.take(entry);
      return true;
    });
    await files?.finish();
  } catch (error) {
    sender.close();
    // What tar says is the cause of an archive that ends too early.
    if (files === undefined) await sender.ended().catch(throwUnlessClosed);
    throw error;
  }
  await sender.ended();
}

/** @throws {StartError} what tar said. */
function throwUnlessClosed(error: unknown): void {
  if (error instanceof StartError) throw error;
}

/** How tar sends what is at a place, and the path of the first entry. */
function sending({ path, isContents, isFolder }: RemotePlace): {
  readonly args: readonly string[];
  readonly root: readonly string[];
} {
  // The folder itself, also where a link leads to it.
  if (isContents || isFolder) return { args: ["-cf", "-", "-C", path, "."], root: [] };
  const name = posix.basename(path);
  return { args: ["-cf", "-", "-C", posix.dirname(path), `./${name}`], root: [name] };
}

interface Existing {
  /** Without links. */
  readonly path: string;
  readonly stats: Stats;
}

async function existingPlace({ path }: LocalPlace): Promise<Existing | undefined> {
  try {
    const real = await realpath(path);
    return { path: real, stats: await stat(real) };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

/** Where the first entry goes. @throws {StartError} */
function targetOf(
  from: RemotePlace,
  to: LocalPlace,
  existing: Existing | undefined,
  isFolder: boolean,
): string {
  if (existing?.stats.isDirectory())
    return from.isContents ? existing.path : join(existing.path, posix.basename(from.path));
  if (existing !== undefined && (isFolder || to.isFolder))
    throw new StartError(`Cannot copy a folder to "${to.path}": it is no folder`);
  if (existing !== undefined && !existing.stats.isFile())
    throw new StartError(`Cannot copy to "${to.path}": it is no regular file`);
  if (existing === undefined && to.isFolder && !isFolder)
    throw new StartError(`Cannot copy to "${to.path}": there is no such folder`);
  return existing?.path ?? resolve(to.path);
}

/** Follows a link in the container, without leaving that. */
async function followed(tar: TarRunner, from: RemotePlace): Promise<RemotePlace> {
  if (from.isContents || from.isFolder) return from;
  let { path } = from;
  for (let count = 0; count < mostLinks; count++) {
    const first = await look(tar, { ...from, path });
    if (first?.type !== "SymbolicLink" || first.linkpath === undefined) return { ...from, path };
    path = posix.resolve(posix.dirname(path), first.linkpath);
  }
  throw new StartError(`Cannot copy "${from.path}": more than ${mostLinks} links lead on`);
}

/** What tar sends first of a place in the container; undefined if nothing is there. */
async function look(
  tar: TarRunner,
  place: RemotePlace,
): Promise<{ readonly type: string; readonly linkpath: string | undefined } | undefined> {
  const sender = await tar.run(sending(place).args);
  let found: { readonly type: string; readonly linkpath: string | undefined } | undefined;
  try {
    await readArchive(sender.stdout, async ({ type, linkpath }) => {
      found = { type, linkpath };
      return false;
    });
    return found;
  } catch (error) {
    if (!(error instanceof StartError)) throw error;
    await sender.ended().catch(throwIfMissing);
    return undefined;
  } finally {
    sender.close();
  }
}

/** tar says with exit code 1 or 2 that there is no such file. */
function throwIfMissing(error: unknown): void {
  if (error instanceof MissingTar) throw error;
}

async function upload(copy: Copy, from: Exclude<Place, RemotePlace>, to: RemotePlace): Promise<void> {
  const { ctx, tar, progress } = copy;
  if (from.kind === "stream") {
    await receive(copy, to.path, ctx.stdin);
    return;
  }
  const path =
    ctx.flags["follow-link"] || from.isFolder || from.isContents ? await realpath(from.path) : from.path;
  const isFolder = (await lstat(path)).isDirectory();
  if (from.isFolder && !isFolder) throw new StartError(`Cannot copy "${from.path}": it is no folder`);
  const { folder, name } = await placeIn(tar, to, isFolder, from);
  const archive = pack(path, { name, leftOut: (left, why) => leaveOut(copy, left, why) });
  await receive(copy, folder, archive, progress);
}

/** The folder in the container that takes the archive, and the name of the first entry in it. @throws {StartError} */
async function placeIn(
  tar: TarRunner,
  to: RemotePlace,
  isFolder: boolean,
  from: LocalPlace,
): Promise<{ readonly folder: string; readonly name: string }> {
  if ((await look(tar, { ...to, isFolder: true })) !== undefined) {
    const name = from.isContents && isFolder ? "" : basename(resolve(from.path));
    return { folder: to.path, name };
  }
  const place = { folder: posix.dirname(to.path), name: posix.basename(to.path) };
  if (!isFolder && to.isFolder)
    throw new StartError(`Cannot copy to "${to.path}": there is no such folder in the container`);
  if (isFolder && (await look(tar, { ...to, isFolder: false })) !== undefined)
    throw new StartError(`Cannot copy a folder to "${to.path}": it is no folder in the container`);
  return place;
}

/** Permissions as they are in the archive; the owner is who tar runs as. */
async function receive(
  { tar }: Copy,
  folder: string,
  archive: AsyncIterable<Uint8Array>,
  progress?: CopyProgress,
): Promise<void> {
  const receiver = await tar.run(["-x", "-p", "-o", "-f", "-", "-C", folder], { stdin: true });
  let failure: { readonly error: unknown } | undefined;
  try {
    for await (const bytes of archive) {
      await receiver.stdin.write(bytes);
      progress?.add(bytes.length);
    }
    await receiver.stdin.end();
  } catch (error) {
    failure = { error };
  }
  if (failure !== undefined) {
    // If tar ended first, what it says is the cause.
    const isOver =
      failure.error instanceof Error && "code" in failure.error && failure.error.code === "session_closed";
    if (!isOver) receiver.close();
    else await receiver.ended();
    throw failure.error;
  }
  await receiver.ended();
}

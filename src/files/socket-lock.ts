/** A lock that ends with the process that has it. */
import { type BigIntStats, closeSync, openSync } from "node:fs";
import { chmod, link, lstat, rename, rm } from "node:fs/promises";
import { connect, createServer, type Server } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { StartError } from "../errors.ts";

export interface SocketLock {
  /** Releases the lock. */
  close(): Promise<void>;
}

/** A live owner answers at once. An owner that is suspended or belongs to another user still holds the lock. */
const answerMs = 1000;
/** How long to wait for another process that changes a file. */
const lockWaitMs = 10_000;
const lockRetryMs = 25;
/** Size of `sockaddr_un.sun_path`, minus the final NUL. */
const maxSocketPathBytes = 107;

/**
 * Takes the lock at `path`, in a folder that nobody else can write to; returns the owner's pid, as text, if another
 * process has it.
 *
 * The lock is a Unix socket that answers with its owner's pid. However the process ends, nobody answers afterwards. A
 * pid in a file would be unreliable: gateways in containers that share the folder may all have the same one. Unlike
 * flock, this needs no external program.
 *
 * @throws {NodeJS.ErrnoException} when the folder is not writable.
 */
export async function takeSocketLock(path: string): Promise<SocketLock | { readonly owner: string }> {
  const server = createServer((socket) => socket.on("error", () => undefined).end(`${process.pid}\n`));
  try {
    while (!(await withShortPath(path, (short) => listens(server, short)))) {
      const found = await lstat(path, { bigint: true }).catch(absent);
      const owner = await withShortPath(path, ownerOf);
      if (owner !== undefined) return { owner };
      if (found) await removeDead(path, found);
    }
    await chmod(path, 0o600);
  } catch (error) {
    if (server.listening) await closed(server);
    throw error;
  }
  server.unref();
  return {
    async close() {
      // A server with a short path removes it in the same step. Removed here, it could be the next owner's by then.
      if (isTooLong(path)) await rm(path, { force: true });
      await closed(server);
    },
  };
}

/**
 * Takes the lock, and waits up to ten seconds for another process that has it.
 *
 * @throws {StartError} naming the owner that keeps it.
 * @throws {NodeJS.ErrnoException} when the folder is not writable.
 */
export async function waitForSocketLock(path: string): Promise<SocketLock> {
  for (const until = Date.now() + lockWaitMs; ; ) {
    const lock = await takeSocketLock(path);
    if ("close" in lock) return lock;
    if (Date.now() > until) throw new StartError(`${path} stays locked by process ${lock.owner}`);
    await sleep(lockRetryMs);
  }
}

/** Whether the server now listens on the path; false if the path is taken. */
function listens(server: Server, path: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const failed = (error: NodeJS.ErrnoException): void => {
      if (error.code === "EADDRINUSE") resolve(false);
      else reject(error);
    };
    server.once("error", failed).listen(path, () => {
      server.off("error", failed);
      resolve(true);
    });
  });
}

const closed = (server: Server) => new Promise<void>((resolve) => server.close(() => resolve()));

function absent(error: NodeJS.ErrnoException): undefined {
  if (error.code !== "ENOENT") throw error;
}

/** The pid of the process that has the lock, as text; undefined if none has it. */
export const lockOwner = (path: string): Promise<string | undefined> => withShortPath(path, ownerOf);

/** The owner's pid, or a description of an owner that does not answer with it; undefined if there is no owner. */
function ownerOf(path: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    let text = "";
    const socket = connect(path);
    const silent = (): void => {
      resolve("(which does not answer)");
      socket.destroy();
    };
    socket.setTimeout(answerMs, silent).setEncoding("utf8");
    socket.on("data", (chunk: string) => {
      text += chunk;
    });
    socket.on("end", () => resolve(text.trim() || undefined));
    socket.on("error", ({ code }: NodeJS.ErrnoException) => {
      if (code === "ECONNREFUSED" || code === "ENOENT") resolve(undefined);
      else resolve(code === "EACCES" ? "(another user's)" : `(${code})`);
    });
  });
}

/** What tells a socket from the next one, which may get the same inode. */
type Identity = Pick<BigIntStats, "ino" | "mtimeNs">;

const isSame = (one: Identity, other: Identity): boolean =>
  one.ino === other.ino && one.mtimeNs === other.mtimeNs;

/** Removes a socket that nobody answered. If another one has replaced it in the meantime, leaves that or puts it back. */
async function removeDead(path: string, found: Identity): Promise<void> {
  // Not random: loading that takes longer than all this, and meanwhile another process may take the lock.
  const dead = `${path}.${process.pid}-${process.hrtime.bigint().toString(36)}`;
  try {
    if (!isSame(await lstat(path, { bigint: true }), found)) return;
    await rename(path, dead);
    if (!isSame(await lstat(dead, { bigint: true }), found)) await link(dead, path);
  } catch (error) {
    // Another process was faster. The next attempt finds its owner.
    const { code } = error as NodeJS.ErrnoException;
    if (code !== "ENOENT" && code !== "EEXIST") throw error;
  }
  await rm(dead, { force: true });
}

const isTooLong = (path: string): boolean => Buffer.byteLength(path) > maxSocketPathBytes;

/** Uses the folder's descriptor if the path is too long for a Unix socket. */
async function withShortPath<T>(path: string, use: (path: string) => Promise<T>): Promise<T> {
  if (!isTooLong(path)) return await use(path);
  const slash = path.lastIndexOf("/");
  const folder = openSync(path.slice(0, slash), "r");
  try {
    return await use(`/proc/self/fd/${folder}${path.slice(slash)}`);
  } finally {
    closeSync(folder);
  }
}

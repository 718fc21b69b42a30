/** One gateway per data folder. */
import { randomBytes } from "node:crypto";
import { closeSync, openSync } from "node:fs";
import { chmod, link, lstat, rename, rm } from "node:fs/promises";
import { connect, createServer, type Server } from "node:net";
import { join } from "node:path";
import { StartError } from "./errors.ts";
import { makeTrustedFolder } from "./files/trusted-folder.ts";
import { checkEntries, reasonOf, UntrustedPathError } from "./files/trusted-path.ts";

export interface FolderLock {
  /** Gives the folder free. */
  close(): Promise<void>;
}

/** Who holds a lock answers at once; one that is stopped, or of another user, holds it all the same. */
const answerMs = 1000;
/** Room in `sockaddr_un.sun_path`, less the final NUL. */
const maxSocketPathBytes = 107;

/**
 * Takes the folder, which is made when absent, for as long as this process lives.
 *
 * The lock is a Unix socket that answers with its owner's pid. When the process ends in whatever way nobody
 * answers it any more, so that no pid of a file has to be believed, which in containers that share the folder
 * would be the same one for all. It needs no program, as flock would.
 *
 * @throws {StartError} naming the pid, when it is taken; when the folder cannot be trusted or written.
 */
export async function lockFolder(folder: string): Promise<FolderLock> {
  await makeDataFolder(folder);
  const path = join(folder, "gateway.lock");
  const server = createServer((socket) => socket.on("error", () => undefined).end(`${process.pid}\n`));
  try {
    while (!(await withShortPath(path, (short) => listens(server, short)))) {
      const found = await lstat(path).catch(absent);
      const owner = await withShortPath(path, ownerOf);
      if (owner !== undefined) {
        throw new StartError(
          `The data folder is in use by process ${owner}: its lock is ${path}, choose another with --data-dir`,
        );
      }
      if (found) await removeDead(path, found.ino);
    }
    await chmod(path, 0o600);
  } catch (error) {
    if (server.listening) await closed(server);
    throw error instanceof StartError ? error : cannotLock(folder)(error as NodeJS.ErrnoException);
  }
  server.unref();
  return {
    async close() {
      await rm(path, { force: true });
      await closed(server);
    },
  };
}

/**
 * Makes the folder when it is absent, and checks it otherwise: it must be a trusted one (see files/trusted-path.ts), and
 * so must those of the `entries` in it that exist.
 *
 * @throws {StartError} with the path that is not, and what mends it.
 */
export async function makeDataFolder(folder: string, entries: readonly string[] = []): Promise<void> {
  try {
    await makeTrustedFolder(folder);
    checkEntries(entries);
  } catch (error) {
    cannotLock(folder)(error as NodeJS.ErrnoException);
  }
}

function cannotLock(folder: string): (error: NodeJS.ErrnoException) => never {
  return (error) => {
    const or = error instanceof UntrustedPathError ? "or " : "";
    throw new StartError(
      `Cannot use the data folder ${folder}: ${reasonOf(error)}, ${or}choose another with --data-dir`,
      { cause: error },
    );
  };
}

/** Whether the server has taken the path; false when there is something. */
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

/** The pid, or words for one that does not say it; undefined when nobody is there. */
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

/** Takes the socket away that nobody answered; another one that has been put there meanwhile is put back. */
async function removeDead(path: string, inode: number): Promise<void> {
  const dead = `${path}.${randomBytes(6).toString("hex")}`;
  try {
    await rename(path, dead);
    if ((await lstat(dead)).ino !== inode) await link(dead, path);
  } catch (error) {
    // Somebody else was faster: the next look says who.
    const { code } = error as NodeJS.ErrnoException;
    if (code !== "ENOENT" && code !== "EEXIST") throw error;
  }
  await rm(dead, { force: true });
}

/** A path that is too long for a Unix socket leads over the folder's descriptor. */
async function withShortPath<T>(path: string, use: (path: string) => Promise<T>): Promise<T> {
  if (Buffer.byteLength(path) <= maxSocketPathBytes) return await use(path);
  const slash = path.lastIndexOf("/");
  const folder = openSync(path.slice(0, slash), "r");
  try {
    return await use(`/proc/self/fd/${folder}${path.slice(slash)}`);
  } finally {
    closeSync(folder);
  }
}

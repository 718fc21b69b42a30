/** Where a server listens: an address, a Unix socket, or a socket passed by the parent process. */
import { randomBytes } from "node:crypto";
import { closeSync, lstatSync, openSync, rmSync } from "node:fs";
import { chmod, link, lstat, mkdtemp, rm } from "node:fs/promises";
import type { Server } from "node:http";
import { connect, type ListenOptions } from "node:net";
import { dirname, join } from "node:path";
import { formatHost, isLoopback, unixPathLimitBytes } from "../config/addresses.ts";
import type { ListenAddress } from "../config.ts";
import { StartError } from "../errors.ts";
import { checkFolder, resolveTrusted, UntrustedPathError } from "../files/trusted-path.ts";

/**
 * Listens and returns the address: `http://127.0.0.1:8585`, `https://10.0.0.7:8585`, `unix:/path`.
 *
 * A Unix socket is accessible only to its owner, in a folder that nobody else can write to. A socket left behind by a
 * killed gateway is replaced; anything else at the path is kept.
 *
 * @throws {StartError} when the server cannot listen there.
 */
export async function listenOn(
  server: Server,
  listen: ListenAddress,
  { hasTls }: { readonly hasTls: boolean },
): Promise<string> {
  if ("path" in listen) {
    await listenOnPath(server, listen.path);
    return `unix:${listen.path}`;
  }
  if ("host" in listen) {
    const where = `${formatHost(listen.host)}:${listen.port}`;
    await bind(server, listen).catch((error: NodeJS.ErrnoException) => {
      throw cannotListen(where, reasonOf(error), error);
    });
    return addressOf(server, hasTls);
  }
  await bind(server, listen).catch((error: NodeJS.ErrnoException) => {
    const why = `no socket was passed as this descriptor (${error.code ?? error.message})`;
    throw cannotListen(`fd:${listen.fd}`, why, error);
  });
  const bound = server.address();
  if (bound === null || typeof bound === "string") return `unix:fd:${listen.fd}`;
  if (!isLoopback(bound.address) && !hasTls) {
    throw new StartError(
      `--listen=fd:${listen.fd} is ${formatHost(bound.address)}:${bound.port}, not loopback, so TLS is required: add --tls-cert=FILE and --tls-key=FILE`,
    );
  }
  return addressOf(server, hasTls);
}

/** Stops accepting connections. Settles when all have closed; at once if the server was not listening. */
export function stopListening(server: Server): Promise<void> {
  removeSocketFile(server);
  return new Promise((resolve) => server.close(() => resolve()));
}

function addressOf(server: Server, hasTls: boolean): string {
  const bound = server.address();
  if (bound === null || typeof bound === "string") throw new TypeError("The server has no address");
  return `${hasTls ? "https" : "http"}://${formatHost(bound.address)}:${bound.port}`;
}

/**
 * Maximum number of connections waiting to be accepted. Clients of a busy gateway open a thousand sessions at once, and
 * the kernel drops, and later resets, whatever exceeds Node's default of 511. The kernel caps this at
 * net.core.somaxconn.
 */
const backlog = 4096;

function bind(server: Server, where: ListenOptions | { readonly fd: number }): Promise<void> {
  return new Promise((resolve, reject) => {
    const listening = (): void => {
      server.off("error", failed);
      resolve();
    };
    const failed = (error: Error): void => {
      server.off("listening", listening);
      reject(error);
    };
    server
      .once("listening", listening)
      .once("error", failed)
      .listen({ ...where, backlog });
  });
}

async function listenOnPath(server: Server, path: string): Promise<void> {
  checkSocketFolder(path);
  try {
    await removeDeadSocket(path);
    await bindPrivately(server, path);
  } catch (error) {
    throw error instanceof StartError
      ? error
      : cannotListen(path, reasonOf(error as NodeJS.ErrnoException), error);
  }
}

/**
 * Binds in a new folder that only its owner can enter, then links the socket to `path`, where it has mode 600 from the
 * start. A umask would do the same, but would also affect files that other code creates at that moment, and a worker
 * thread cannot set it.
 */
async function bindPrivately(server: Server, path: string): Promise<void> {
  const folder = await mkdtemp(join(dirname(path), ".crest-"));
  const name = randomBytes(6).toString("hex");
  const socket = join(folder, name);
  const isLong = Buffer.byteLength(socket) > unixPathLimitBytes;
  const descriptor = isLong ? openSync(folder, "r") : undefined;
  try {
    await bind(server, { path: descriptor === undefined ? socket : `/proc/self/fd/${descriptor}/${name}` });
    await chmod(socket, 0o600);
    const { ino } = await lstat(socket);
    // Unlike a rename, a link never replaces a file that someone else has put there in the meantime.
    await link(socket, path);
    socketFiles.set(server, { path, ino, isRemoved: false });
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
    await rm(folder, { recursive: true, force: true });
  }
}

interface SocketFile {
  readonly path: string;
  readonly ino: number;
  isRemoved: boolean;
}

/** Server -> its socket file. Node knows only the name used to bind it, which is gone. */
const socketFiles = new WeakMap<Server, SocketFile>();

/** The path of the Unix socket that `server` listens on; undefined if it listens elsewhere. */
export function socketPathOf(server: Server): string | undefined {
  const address = server.address();
  return socketFiles.get(server)?.path ?? (typeof address === "string" ? address : undefined);
}

function removeSocketFile(server: Server): void {
  const file = socketFiles.get(server);
  if (file === undefined || file.isRemoved) return;
  file.isRemoved = true;
  // The file belongs to another gateway if that has replaced it. The server still holds its socket open, so no other
  // file can have the same inode number.
  if (lstatSync(file.path, { throwIfNoEntry: false })?.ino === file.ino) rmSync(file.path, { force: true });
}

/** Clients would send their tokens to anyone who can replace the socket. */
function checkSocketFolder(path: string): void {
  try {
    const folder = resolveTrusted(dirname(path));
    // Node reports EACCES for a folder that does not exist.
    if (folder.missing.length > 0) throw cannotListen(path, "its folder does not exist");
    checkFolder(folder.path);
  } catch (error) {
    if (error instanceof StartError) throw error;
    throw cannotListen(path, reasonOf(error as NodeJS.ErrnoException), error);
  }
}

/** Removes a socket that a killed gateway left behind, but never one that still accepts connections. */
async function removeDeadSocket(path: string): Promise<void> {
  const found = await lstat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOENT") throw error;
  });
  if (!found) return;
  // The kernel refuses connections to other kinds of files just like connections to dead sockets.
  if (!found.isSocket()) throw cannotListen(path, "a file that is not a socket is in the way");
  const refused = await new Promise<boolean>((resolve) => {
    const probe = connect(path);
    probe.once("connect", () => {
      probe.destroy();
      resolve(false);
    });
    probe.once("error", (error: NodeJS.ErrnoException) => resolve(error.code === "ECONNREFUSED"));
  });
  if (refused) await rm(path, { force: true });
}

function reasonOf({ code, message }: NodeJS.ErrnoException): string {
  return code === "EADDRINUSE" || code === "EEXIST" ? "the address is in use" : (code ?? message);
}

function cannotListen(where: string, why: string, cause?: unknown): StartError {
  const or = cause instanceof UntrustedPathError ? "or " : "";
  return new StartError(`Cannot listen on ${where}: ${why}, ${or}choose another with --listen`, { cause });
}

/** Where a server listens: an address, a Unix socket, or a socket that whoever started the process passed. */
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
 * Listens and answers the address: `http://127.0.0.1:8585`, `https://10.0.0.7:8585`, `unix:/path`.
 *
 * A Unix socket is its owner's only, in a folder that nobody else can write to. One that a killed gateway left
 * behind is taken away; whatever else is there stays.
 *
 * @throws {StartError}
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
      `--listen=fd:${listen.fd} is ${formatHost(bound.address)}:${bound.port}, not loopback, which is refused without TLS: add --tls-cert=FILE and --tls-key=FILE`,
    );
  }
  return addressOf(server, hasTls);
}

/** Settles when nobody is let in any more and every connection has ended, if it listened at all. */
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
 * Connections that wait to be accepted. Clients of a busy gateway open a thousand sessions at once, and the kernel
 * drops, and later resets, what does not fit into Node's default of 511. It caps this at net.core.somaxconn.
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
 * Binds in a new folder that only its owner can enter, and then puts the socket at `path`, with mode 600 from the first
 * moment. A umask would do the same, but it would also hold for files that other code creates at that moment, and a
 * worker thread cannot set it.
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
    // Unlike a rename, a link never replaces what somebody else has put there meanwhile.
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

/** server -> its socket's file. Node knows it only under the name that it was bound by, which is gone. */
const socketFiles = new WeakMap<Server, SocketFile>();

/** The path of the Unix socket on which `server` listens; undefined when it listens elsewhere. */
export function socketPathOf(server: Server): string | undefined {
  const address = server.address();
  return socketFiles.get(server)?.path ?? (typeof address === "string" ? address : undefined);
}

function removeSocketFile(server: Server): void {
  const file = socketFiles.get(server);
  if (file === undefined || file.isRemoved) return;
  file.isRemoved = true;
  // Another gateway's, if that has taken the place. The server is still open, so no other file has this number.
  if (lstatSync(file.path, { throwIfNoEntry: false })?.ino === file.ino) rmSync(file.path, { force: true });
}

/** Whoever can put a socket of their own in its place is sent the tokens of clients. */
function checkSocketFolder(path: string): void {
  try {
    const folder = resolveTrusted(dirname(path));
    // Node says EACCES for a folder that is not there.
    if (folder.missing.length > 0) throw cannotListen(path, "its folder does not exist");
    checkFolder(folder.path);
  } catch (error) {
    if (error instanceof StartError) throw error;
    throw cannotListen(path, reasonOf(error as NodeJS.ErrnoException), error);
  }
}

/** A socket that a killed gateway left behind is in the way; one that is answered is not ours to take. */
async function removeDeadSocket(path: string): Promise<void> {
  const found = await lstat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOENT") throw error;
  });
  if (!found) return;
  // The kernel refuses connections to files of any other kind as if they were dead sockets.
  if (!found.isSocket()) throw cannotListen(path, "there is something that is no socket");
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
  return code === "EADDRINUSE" || code === "EEXIST" ? "something else listens there" : (code ?? message);
}

function cannotListen(where: string, why: string, cause?: unknown): StartError {
  const or = cause instanceof UntrustedPathError ? "or " : "";
  return new StartError(`Cannot listen on ${where}: ${why}, ${or}choose another with --listen`, { cause });
}

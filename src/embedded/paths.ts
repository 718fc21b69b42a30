/**
 * The paths and names of one embedded runtime. Everything is under its data folder or named after it, so that we can
 * tell it from another runtime on the same machine.
 */

import { createHash } from "node:crypto";
import { join } from "node:path";
import { StartError } from "../errors.ts";

export interface Paths {
  readonly dataDir: string;
  readonly config: string;
  /** Replaced at each start. The previous log is kept as `.1`. */
  readonly log: string;
  readonly socket: string;
  /** Persistent: images and the runtime's own records. */
  readonly root: string;
  /** Removed with the runtime: mounts, pipes, network namespaces. */
  readonly state: string;
  /** runc's state, one folder per container; under `state`. */
  readonly runcRoot: string;
  readonly cniConfDir: string;
  /** The addresses assigned to pods. */
  readonly ipamDir: string;
  /** Holds the subnet chosen at the first start. */
  readonly subnet: string;
  /** Name of the bridge and of the CNI network, unique to the data folder. */
  readonly network: string;
}

/** Size of `sockaddr_un.sun_path` without the final NUL. */
const maxSocketPathBytes = 107;

/**
 * Returns the paths for `dataDir`, which must be absolute and without symbolic links.
 *
 * @throws {StartError} if a socket path would exceed Linux's limit.
 */
export function pathsOf(dataDir: string): Paths {
  const socket = join(dataDir, "containerd.sock");
  const excess = Buffer.byteLength(ttrpcSocketOf(socket)) - maxSocketPathBytes;
  if (excess > 0) {
    throw new StartError(
      `The data folder's path is ${excess} bytes too long for a Unix socket in it (${socket}): choose a shorter --data-dir`,
    );
  }
  const state = join(dataDir, "containerd-state");
  return {
    dataDir,
    config: join(dataDir, "containerd.toml"),
    log: join(dataDir, "containerd.log"),
    socket,
    root: join(dataDir, "containerd"),
    state,
    runcRoot: join(state, "runc"),
    cniConfDir: join(dataDir, "cni"),
    ipamDir: join(dataDir, "cni-addresses"),
    subnet: join(dataDir, "subnet"),
    network: `crest-${createHash("sha256").update(dataDir).digest("hex").slice(0, 8)}`,
  };
}

/** The second socket, which containerd opens for its shims. */
export function ttrpcSocketOf(socket: string): string {
  return `${socket}.ttrpc`;
}

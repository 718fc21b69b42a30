/** A private containerd, started and stopped with the gateway. */

import { readFileSync, statfsSync } from "node:fs";
import { askOnce } from "../cri/ask-once.ts";
import { StartError } from "../errors.ts";
import { replaceFile } from "../files/trusted-file.ts";
import { makeTrustedFolder } from "../files/trusted-folder.ts";
import { checkEntries, UntrustedPathError } from "../files/trusted-path.ts";
import { logRootOf } from "../runtimes/log-folders.ts";
import { embeddedImages, formerPauseName, readBusybox } from "./busybox.ts";
import { run } from "./command.ts";
import { containerdConfig, parseContainerdVersion, restrictsOomScore } from "./containerd-config.ts";
import { createDaemon, type Daemon } from "./daemon.ts";
import { forgetPods } from "./forget-pods.ts";
import { importImages } from "./import-images.ts";
import { keepRunning } from "./keep-running.ts";
import { createNetwork } from "./network.ts";
import { type Paths, pathsOf } from "./paths.ts";
import { requirePieces } from "./requirements.ts";
import { hasLeftovers, sweep } from "./sweep.ts";

export interface EmbeddedOptions {
  /**
   * Absolute; made when absent, and a trusted one: see files/trusted-path.ts. Images stay in it, and the runtime's
   * socket is `containerd.sock` in it. The caller holds its lock (see folder-lock.ts) until `close()` has settled.
   */
  readonly dataDir: string;
  /** Told one line as each step begins that may take long. */
  readonly report: (step: string) => void;
  /**
   * Removes all pods through the CRI at this socket: called at close, and at the start when there
   * are pods of a gateway that was killed. When it fails or takes longer than 60 s, they are removed
   * without the runtime.
   */
  readonly removePods: (socket: string) => Promise<void>;
  /** Whether apt-get may be run for packages that are missing. */
  readonly install: boolean;
  /** Whether containerd is started again when it ends by itself; default true. */
  readonly restart?: boolean;
}

export interface Embedded {
  /** Path of the Unix socket that speaks CRI. */
  readonly socket: string;
  /** containerd's version, as in `1.6.20`. */
  readonly version: string;
  /** Of the containerd that runs now. */
  readonly pid: number;
  /** Resolves with one line for the operator when containerd has ended without `close()` and is not started again. */
  readonly exited: Promise<string>;
  /**
   * Removes the pods, stops containerd and leaves no process, mount, network namespace, link or
   * rule of it on the machine. Idempotent.
   *
   * @throws {Error} naming what could not be removed, after all else was.
   */
  close(): Promise<void>;
}

const removePodsTimeoutMs = 60_000;

/**
 * Starts a containerd that shares nothing with others on the machine, with the images
 * `docker.io/library/busybox` and `crest.invalid/pause:1`, and resolves when its CRI answers.
 *
 * What a killed gateway left on this data folder, running pods included, is removed first.
 * A caller that is told to end meanwhile waits for the result and closes it: the start is bounded,
 * but for apt-get, which a Ctrl-C reaches by itself.
 *
 * @throws {StartError} off Linux, without root, when pieces are missing, when another user could change the data
 *   folder, or when containerd does not serve; nothing is left running then.
 */
export async function createEmbedded(options: EmbeddedOptions): Promise<Embedded> {
  pathsOf(options.dataDir); // Refused before anything is made or installed.
  await requirePieces(options);
  const paths = pathsOf(await makeRuntimeFolder(options.dataDir));
  try {
    if (hasLeftovers(paths)) options.report("Cleaning up after a gateway that was killed");
    await sweep(paths);
    const started = await start(paths, options);
    const daemon =
      options.restart === false
        ? started.daemon
        : keepRunning(started.daemon, {
            start: () => createDaemon(paths, { keepLog: true }),
            report: options.report,
          });
    let closing: Promise<void> | undefined;
    return {
      socket: paths.socket,
      version: started.version,
      get pid() {
        return daemon.pid;
      },
      exited: new Promise((resolve) => {
        void daemon.ended.then((reason) => {
          if (closing === undefined) resolve(`${reason}; its log is ${paths.log}`);
        });
      }),
      close() {
        closing ??= stop(paths, daemon, options);
        return closing;
      },
    };
  } catch (error) {
    await sweep(paths).catch(() => undefined);
    throw error instanceof StartError ? error : new StartError(messageOf(error), { cause: error });
  }
}

async function start(paths: Paths, options: EmbeddedOptions): Promise<{ daemon: Daemon; version: string }> {
  const banner = await run(["containerd", "--version"]);
  const found = parseContainerdVersion(banner);
  if (found === undefined)
    throw new StartError(`Cannot read containerd's version: it says "${banner.trim()}".`);
  const snapshotter = snapshotterFor(paths.dataDir);
  const restrictOomScore = restrictsOomScore(readFileSync("/proc/self/status", "utf8"));
  await replaceFile(
    paths.config,
    containerdConfig({ version: found.version, paths, restrictOomScore, snapshotter }),
  );
  await createNetwork(paths);
  options.report(`Starting containerd ${found.text}`);
  let daemon = await createDaemon(paths);
  try {
    const images = embeddedImages(await readBusybox());
    await importImages({
      socket: paths.socket,
      images,
      snapshotter,
      formerNames: [formerPauseName],
      report: options.report,
    });
    // The runtime's records outlive a kill; by now they are of pods that are not there.
    if ((await hasPods(paths.socket)) && !(await removePods(paths.socket, options))) {
      await forgetPods(paths.socket);
      // Its CRI does not notice that records go, before it reads them again.
      await daemon.close();
      daemon = await createDaemon(paths);
    }
  } catch (error) {
    await daemon.close();
    throw error;
  }
  return { daemon, version: found.text };
}

async function stop(paths: Paths, daemon: Daemon, options: EmbeddedOptions): Promise<void> {
  const inOrder =
    !(await hasPods(paths.socket).catch(() => false)) || (await removePods(paths.socket, options));
  await daemon.close();
  await sweep(paths);
  if (inOrder) return;
  // What the records are of has gone, but they would be shown at the next start.
  try {
    const again = await createDaemon(paths, { keepLog: true });
    await forgetPods(paths.socket).finally(() => again.close());
  } catch (error) {
    options.report(`Cannot remove the records of the pods: ${messageOf(error)}`);
  } finally {
    await sweep(paths);
  }
}

async function hasPods(socket: string): Promise<boolean> {
  const { items } = await askOnce(socket, "RuntimeService/ListPodSandbox", {}, { deadlineMs: 5_000 });
  return items.length > 0;
}

/** Removes the pods in order. Answers whether the runtime could; if not, what follows does without. */
async function removePods(socket: string, options: EmbeddedOptions): Promise<boolean> {
  options.report("Removing pods");
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_, reject) => {
    const late = () => reject(new Error(`not done after ${removePodsTimeoutMs / 1_000} s`));
    timer = setTimeout(late, removePodsTimeoutMs);
  });
  try {
    await Promise.race([options.removePods(socket), timeout]);
    return true;
  } catch (error) {
    options.report(`Cannot remove the pods in order: ${messageOf(error)}`);
    return false;
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Makes the folder and checks what an earlier start left in it: root runs what these folders say.
 *
 * @returns Its path without symbolic links, as the command lines of processes will have it.
 */
async function makeRuntimeFolder(path: string): Promise<string> {
  try {
    const folder = await makeTrustedFolder(path);
    const { root, state, cniConfDir, ipamDir } = pathsOf(folder);
    checkEntries([root, state, cniConfDir, ipamDir, logRootOf(folder)]);
    return folder;
  } catch (error) {
    const or = error instanceof UntrustedPathError ? ", or choose another with --data-dir" : "";
    throw new StartError(`Cannot use the data folder ${path}: ${messageOf(error)}${or}`, { cause: error });
  }
}

/** Linux has no overlayfs on overlayfs, as the root of a Docker container is: layers are copied there. */
function snapshotterFor(folder: string): string {
  const overlayfsMagic = 0x794c7630;
  return statfsSync(folder).type === overlayfsMagic ? "native" : "overlayfs";
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

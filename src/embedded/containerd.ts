/** A private containerd that starts and stops with the gateway. */

import { readFileSync, statfsSync } from "node:fs";
import { askOnce } from "../cri/ask-once.ts";
import { StartError } from "../errors.ts";
import { replaceFile } from "../files/trusted-file.ts";
import { makeTrustedFolder } from "../files/trusted-folder.ts";
import { checkEntries, UntrustedPathError } from "../files/trusted-path.ts";
import { logRootOf } from "../runtimes/log-folders.ts";
import { embeddedImages, formerPauseName, readBusybox } from "./busybox.ts";
import { run } from "./command.ts";
import {
  type ContainerdVersion,
  containerdConfig,
  parseContainerdVersion,
  restrictsOomScore,
} from "./containerd-config.ts";
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
   * Absolute path. Created if absent; must be trusted, see files/trusted-path.ts. Images persist in it, and the
   * runtime's socket is `containerd.sock` in it. The caller holds its lock (see folder-lock.ts) until `close()` has
   * settled.
   */
  readonly dataDir: string;
  /** Called with one line at the beginning of each step that may take long. */
  readonly report: (step: string) => void;
  /**
   * Removes all pods through the CRI at this socket. Called at close, and at the start if a killed gateway left pods.
   * If it fails or takes longer than 60 s, the pods are removed without the runtime.
   */
  readonly removePods: (socket: string) => Promise<void>;
  /** Whether apt-get may install missing packages. */
  readonly install: boolean;
  /** Whether to restart containerd when it exits on its own. Default: true. */
  readonly restart?: boolean;
}

export interface Embedded {
  /** Path of the Unix socket that serves the CRI. */
  readonly socket: string;
  /** The containerd version, for example `1.6.20`. */
  readonly version: string;
  /** The pid of the current containerd. */
  readonly pid: number;
  /** Resolves with a line for the operator when containerd exits without `close()` and is not restarted. */
  readonly exited: Promise<string>;
  /**
   * Removes the pods, stops containerd and leaves none of its processes, mounts, network namespaces, links or rules on
   * the machine. Idempotent.
   *
   * @throws {Error} naming what could not be removed, after trying everything else.
   */
  close(): Promise<void>;
}

const removePodsTimeoutMs = 60_000;

/**
 * Starts a containerd that shares nothing with others on the machine, with the images `docker.io/library/busybox` and
 * `crest.invalid/pause:1`. Resolves when its CRI answers.
 *
 * First removes whatever a killed gateway left in this data folder, running pods included. There is no cancellation: a
 * caller that must stop meanwhile waits for the result and closes it. The start is bounded except for apt-get, which
 * gets Ctrl-C directly.
 *
 * @throws {StartError} off Linux, without root, if pieces are missing, if another user could change the data folder, or
 *   if containerd does not serve. Nothing is left running then.
 */
export async function createEmbedded(options: EmbeddedOptions): Promise<Embedded> {
  pathsOf(options.dataDir); // Reject a bad path before creating or installing anything.
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
      version: started.found.text,
      get pid() {
        return daemon.pid;
      },
      exited: new Promise((resolve) => {
        void daemon.ended.then((reason) => {
          if (closing === undefined) resolve(`${reason}; its log is ${paths.log}`);
        });
      }),
      close() {
        closing ??= stop(paths, daemon, { ...options, version: started.found.version });
        return closing;
      },
    };
  } catch (error) {
    await sweep(paths).catch(() => undefined);
    throw error instanceof StartError ? error : new StartError(messageOf(error), { cause: error });
  }
}

/** A containerd that serves, and its version. */
interface Started {
  readonly daemon: Daemon;
  readonly found: { readonly text: string; readonly version: ContainerdVersion };
}

async function start(paths: Paths, options: EmbeddedOptions): Promise<Started> {
  const banner = await run(["containerd", "--version"]);
  const found = parseContainerdVersion(banner);
  if (found === undefined)
    throw new StartError(`Cannot read containerd's version: it printed "${banner.trim()}"`);
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
    // The runtime's records survive a kill, but the sweep has removed their pods by now.
    if ((await hasPods(paths.socket)) && !(await removePods(paths.socket, options))) {
      await forgetPods(paths.socket, found.version);
      // The CRI rereads its records only when it starts.
      await daemon.close();
      daemon = await createDaemon(paths);
    }
  } catch (error) {
    await daemon.close();
    throw error;
  }
  return { daemon, found };
}

async function stop(
  paths: Paths,
  daemon: Daemon,
  options: EmbeddedOptions & Pick<Started["found"], "version">,
): Promise<void> {
  const inOrder =
    !(await hasPods(paths.socket).catch(() => false)) || (await removePods(paths.socket, options));
  await daemon.close();
  await sweep(paths);
  if (inOrder) return;
  // The pods are gone, but their records would show up at the next start.
  try {
    const again = await createDaemon(paths, { keepLog: true });
    await forgetPods(paths.socket, options.version).finally(() => again.close());
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

/** Removes the pods through the runtime. Returns false if that failed; the caller then removes them without it. */
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
 * Creates the folder and checks what an earlier start left in it, because root acts on the contents of these folders.
 *
 * @returns The path without symbolic links, as it appears in the command lines of processes.
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

/** Linux cannot stack overlayfs on overlayfs, the root of a Docker container. Layers are copied in that case. */
function snapshotterFor(folder: string): string {
  const overlayfsMagic = 0x794c7630;
  return statfsSync(folder).type === overlayfsMagic ? "native" : "overlayfs";
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/**
 * Removes whatever an embedded runtime left on the machine, however it ended.
 *
 * Invariant: it touches only what is provably ours. It identifies processes by their full command line, which contains
 * our paths; containers and cgroups by the records of runc and containerd in our folder; mounts and network namespaces
 * by their location below our folder; links, rules and CNI records by the network's name.
 */

import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { logRootOf } from "../runtimes/log-folders.ts";
import { cgroupName, removeCgroupsOf, removeCgroupsWhere } from "../runtimes/pod-cgroup.ts";
import { run } from "./command.ts";
import { currentMounts, unmountBelow } from "./mounts.ts";
import { removeNetwork } from "./network.ts";
import { type Paths, ttrpcSocketOf } from "./paths.ts";
import { endProcesses, listProcesses } from "./processes.ts";

/** Whether an earlier runtime of this data folder did not shut down cleanly. */
export function hasLeftovers(paths: Paths): boolean {
  return existsSync(paths.state) || currentMounts(paths.root).length > 0;
}

/**
 * Ends our containerd if it runs, with its containers and shims, and removes mounts, network and records. Keeps images.
 * Idempotent.
 *
 * @throws {Error} naming what could not be removed, after trying everything else.
 */
export function sweep(paths: Paths): Promise<void> {
  // Each step depends on the previous ones: containerd starts shims, shims reap containers, containers hold mounts. The
  // second pass is for a container that was being created during the first.
  const containers = [deleteContainers, endShims, deleteContainers];
  const steps = [endContainerd, ...containers, removeCgroups, unmountAll, removeNetwork, removeFiles];
  return forEachInTurn(steps, (step) => step(paths));
}

/** Continues after a failure. Throws one error with the messages of all failures at the end. */
async function forEachInTurn<T>(items: readonly T[], action: (item: T) => Promise<void>): Promise<void> {
  const failures: unknown[] = [];
  for (const item of items) await action(item).catch((error: unknown) => failures.push(error));
  if (failures.length === 0) return;
  const messages = failures.map((failure) => (failure instanceof Error ? failure.message : String(failure)));
  throw new Error(messages.join("; "), { cause: failures[0] });
}

/** Matches containerd by its command line: another process may have reused a recorded pid. */
async function endContainerd({ config }: Paths): Promise<void> {
  const ours = listProcesses().filter(
    ({ argv }) => basename(argv[0] ?? "") === "containerd" && argv[1] === "--config" && argv[2] === config,
  );
  await endProcesses(ours, { graceMs: 5_000 });
}

async function endShims({ socket, state, runcRoot }: Paths): Promise<void> {
  const shims = listProcesses().filter(
    ({ argv }) =>
      basename(argv[0] ?? "").startsWith("containerd-shim-") && argv[argv.indexOf("-address") + 1] === socket,
  );
  await endProcesses(shims);
  // A runc that was creating a container continues without its shim.
  const creators = listProcesses().filter(
    ({ argv }) => basename(argv[0] ?? "") === "runc" && argv.some((arg) => arg.startsWith(`${runcRoot}/`)),
  );
  await endProcesses(creators);
  // A shim's socket is outside our folders. Its address is in the container's folder.
  for (const task of tasksIn(state)) {
    for (const record of ["address", "bootstrap.json"].map((name) => join(task, name)).filter(existsSync)) {
      const address = /\/run\/containerd\/s\/[0-9a-f]{64}/.exec(readFileSync(record, "utf8"))?.[0];
      if (address !== undefined) rmSync(address, { force: true });
    }
  }
}

/** runc ends all processes of a container and removes its cgroups, v1 or v2. */
async function deleteContainers({ runcRoot }: Paths): Promise<void> {
  await forEachInTurn(foldersBelow(runcRoot, 2), async (container) => {
    await run(["runc", "--root", dirname(container), "delete", "--force", basename(container)]);
  });
}

/** runc does not know cgroups of pods or of half-created containers. The containers' bundles name both. */
async function removeCgroups({ state, dataDir }: Paths): Promise<void> {
  for (const bundle of tasksIn(state)) {
    const path = cgroupIn(join(bundle, "config.json"));
    if (path !== undefined) await removeCgroupsOf(path);
  }
  // A pod whose creation was aborted by a kill of the gateway leaves only its log folder.
  const pods = foldersBelow(logRootOf(dataDir), 1).map((folder) => cgroupName(basename(folder)));
  await removeCgroupsWhere((name) => pods.some((pod) => pod.endsWith(`_${name}`)));
}

/** The cgroup path in an OCI runtime configuration. Undefined if the file is incomplete. */
function cgroupIn(config: string): string | undefined {
  try {
    const { linux } = JSON.parse(readFileSync(config, "utf8")) as {
      readonly linux?: { cgroupsPath?: string };
    };
    return linux?.cgroupsPath;
  } catch {
    return undefined;
  }
}

/** The folders of containers that have, or had, a shim. */
const tasksIn = (state: string): readonly string[] =>
  foldersBelow(join(state, "io.containerd.runtime.v2.task"), 2);

async function unmountAll({ state, root }: Paths): Promise<void> {
  await unmountBelow(state);
  await unmountBelow(root);
}

async function removeFiles({ state, socket, ipamDir }: Paths): Promise<void> {
  const [busy] = currentMounts(state);
  // Removing the tree would descend into the mount.
  if (busy !== undefined) throw new Error(`Cannot remove ${state}: ${busy} is still mounted`);
  const files = [state, ipamDir, socket, ttrpcSocketOf(socket)];
  for (const path of files) rmSync(path, { recursive: true, force: true });
}

/** The folders `depth` levels below `folder`. containerd and runc keep their records as NAMESPACE/ID. */
function foldersBelow(folder: string, depth: number): readonly string[] {
  if (depth === 0) return [folder];
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .flatMap((entry) => foldersBelow(join(folder, entry.name), depth - 1));
}

/**
 * Removes from the machine whatever a runtime of ours left, however it ended.
 *
 * Invariant: only what is provably ours is touched. Processes are told by their whole command line,
 * which has our paths; containers and cgroups by runc's and containerd's records in our folder; mounts and
 * network namespaces by being below our folder; links, rules and CNI's records by the network's name.
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

/** Whether an earlier runtime of this data folder was not stopped in order. */
export function hasLeftovers(paths: Paths): boolean {
  return existsSync(paths.state) || currentMounts(paths.root).length > 0;
}

/**
 * Ends our containerd if it runs, its containers and shims, and removes mounts, network and records.
 * Images stay. Idempotent.
 *
 * @throws {Error} what could not be removed; the rest has been tried.
 */
export function sweep(paths: Paths): Promise<void> {
  // Each needs those before it: containerd starts shims, shims reap containers, containers hold mounts.
  // The second look is for a container that was being made during the first.
  const containers = [deleteContainers, endShims, deleteContainers];
  const steps = [endContainerd, ...containers, removeCgroups, unmountAll, removeNetwork, removeFiles];
  return forEachInTurn(steps, (step) => step(paths));
}

/** Goes on after a failure, and throws what all the failures said at the end. */
async function forEachInTurn<T>(items: readonly T[], action: (item: T) => Promise<void>): Promise<void> {
  const failures: unknown[] = [];
  for (const item of items) await action(item).catch((error: unknown) => failures.push(error));
  if (failures.length === 0) return;
  const messages = failures.map((failure) => (failure instanceof Error ? failure.message : String(failure)));
  throw new Error(messages.join("; "), { cause: failures[0] });
}

/** A containerd by its command line rather than by a recorded pid, which another process may have by now. */
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
  // A runc that was creating a container goes on without its shim.
  const creators = listProcesses().filter(
    ({ argv }) => basename(argv[0] ?? "") === "runc" && argv.some((arg) => arg.startsWith(`${runcRoot}/`)),
  );
  await endProcesses(creators);
  // A shim's socket is outside our folders; its address stands in the folder of its container.
  for (const task of tasksIn(state)) {
    for (const record of ["address", "bootstrap.json"].map((name) => join(task, name)).filter(existsSync)) {
      const address = /\/run\/containerd\/s\/[0-9a-f]{64}/.exec(readFileSync(record, "utf8"))?.[0];
      if (address !== undefined) rmSync(address, { force: true });
    }
  }
}

/** runc ends all the processes of a container and removes its cgroups, whichever version these have. */
async function deleteContainers({ runcRoot }: Paths): Promise<void> {
  await forEachInTurn(foldersBelow(runcRoot, 2), async (container) => {
    await run(["runc", "--root", dirname(container), "delete", "--force", basename(container)]);
  });
}

/** runc knows no container that it was only just making, nor the cgroups of pods; the containers' bundles tell both. */
async function removeCgroups({ state, dataDir }: Paths): Promise<void> {
  for (const bundle of tasksIn(state)) {
    const path = cgroupIn(join(bundle, "config.json"));
    if (path !== undefined) await removeCgroupsOf(path);
  }
  // Of a pod whose making containerd gave up when its gateway was killed, there is only the folder of its logs.
  const pods = foldersBelow(logRootOf(dataDir), 1).map((folder) => cgroupName(basename(folder)));
  await removeCgroupsWhere((name) => pods.some((pod) => pod.endsWith(`_${name}`)));
}

/** What an OCI runtime configuration says; undefined when it was not written to its end. */
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

/** The folders of the containers that have, or had, a shim. */
const tasksIn = (state: string): readonly string[] =>
  foldersBelow(join(state, "io.containerd.runtime.v2.task"), 2);

async function unmountAll({ state, root }: Paths): Promise<void> {
  await unmountBelow(state);
  await unmountBelow(root);
}

async function removeFiles({ state, socket, ipamDir }: Paths): Promise<void> {
  const [busy] = currentMounts(state);
  // Removing the tree would go through a mount into what is mounted.
  if (busy !== undefined) throw new Error(`Cannot remove ${state}: ${busy} is still mounted`);
  const files = [state, ipamDir, socket, ttrpcSocketOf(socket)];
  for (const path of files) rmSync(path, { recursive: true, force: true });
}

/** The folders `depth` levels below `folder`: NAMESPACE/ID, as containerd and runc keep their records. */
function foldersBelow(folder: string, depth: number): readonly string[] {
  if (depth === 0) return [folder];
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .flatMap((entry) => foldersBelow(join(folder, entry.name), depth - 1));
}

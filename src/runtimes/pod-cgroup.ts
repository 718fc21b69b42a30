/**
 * The cgroup of a pod that names no parent for its own: one for each pod, because runtimes measure a pod by
 * it, and `/crest/POD` or `/crest.slice/crest-POD.slice`, so that all of them lie together.
 *
 * Whoever removes a pod leaves its cgroup: runc the folders that it made on the way to a container's, systemd a
 * slice that it was asked for. So the gateway removes it once the pod is gone, or did not come to be. Where it
 * may not, an empty one stays.
 */
import { execFile } from "node:child_process";
import { readdir, rmdir } from "node:fs/promises";
import { basename, join } from "node:path";
import type { Runtime } from "../cri/channel.ts";
import { requestOf } from "../cri/codec.ts";
import { rpcRules } from "../cri/rpc-rules.ts";
import { GatewayError } from "../errors.ts";
import type { PodFacts } from "../inventory/inventory.ts";
import type { CgroupDriver } from "./cgroup-driver.ts";
import type { Interceptor } from "./compose.ts";
import { nameTaken } from "./translate-error.ts";

const cgroups = "/sys/fs/cgroup";
const stopTimeoutMs = 5_000;

/**
 * The cgroup parent of the pod with this uid, as the runtime wants it written: its whole path, also that of a
 * slice, as a kubelet has it. Runtimes start the pod by the last part, but containerd measures it by all of it.
 */
export function podCgroup(driver: CgroupDriver, uid: string): string {
  const name = cgroupName(uid);
  return driver === "SYSTEMD" ? `/crest.slice/crest-${name}.slice` : `/crest/${name}`;
}

/** A text as names of cgroups have it. A dash in a slice's name would be one more slice on the way to it. */
export const cgroupName = (text: string): string => text.replace(/[^A-Za-z0-9]/g, "_");

/**
 * Removes the cgroups of the pods that a runtime removes, and of those that it cannot run.
 *
 * @param podOf The pod with an id. @throws {GatewayError} when there is none.
 */
export const withPodCgroups =
  (podOf: (id: string) => Promise<PodFacts>): Interceptor =>
  (below) => {
    const remove: Runtime["call"] = async (rpc, request, options) => {
      const { podSandboxId } = requestOf("RuntimeService/RemovePodSandbox", request);
      // Before it goes. About a pod that is not there the runtime has its own say.
      const pod = await podOf(podSandboxId).catch(() => undefined);
      const reply = await below.call(rpc, request, options);
      if (pod !== undefined) await removePodCgroup(pod.uid);
      return reply;
    };
    const run: Runtime["call"] = async (rpc, request, options) => {
      try {
        return await below.call(rpc, request, options);
      } catch (error) {
        const { config } = requestOf("RuntimeService/RunPodSandbox", request);
        // The pod that has the name may have the uid too, and its cgroup. A lost answer may be that of a running pod.
        const mayBeInUse =
          error instanceof GatewayError && (nameTaken.test(error.words) || mayHaveLeftAPod(error));
        if (!mayBeInUse) await removePodCgroup(config?.metadata?.uid ?? "");
        throw error;
      }
    };
    return {
      ...below,
      call(rpc, request, options) {
        if (rpcRules[rpc].removes === "pod") return remove(rpc, request, options);
        if (rpcRules[rpc].makesCgroup) return run(rpc, request, options);
        return below.call(rpc, request, options);
      },
    };
  };

/** Whether the pod of a failed run may be there all the same: its answer was lost, or it could not be removed. */
const mayHaveLeftAPod = ({ code, members }: GatewayError): boolean =>
  code === "outcome_unknown" || code === "name_reserved" || members.podSandboxId !== undefined;

/** Removes the cgroup of the pod with this uid, which has gone, if it is there; never fails. */
export async function removePodCgroup(uid: string): Promise<void> {
  if (uid === "") return;
  const slice = podCgroup("SYSTEMD", uid);
  const states = await Promise.all((await foldersOf(slice)).map(stateOf));
  // Never one that is used: another attempt of the pod has the same uid.
  if (states.includes("empty") && !states.includes("used")) await stopSlice(basename(slice));
  await removeFolders(podCgroup("CGROUPFS", uid));
}

/**
 * The same of a pod that a runtime with cgroupfs left when it was killed, by the cgroup of one of its containers:
 * `/crest/POD/CONTAINER`, which goes too. Other cgroups are not looked at.
 */
export async function removeCgroupsOf(container: string): Promise<void> {
  const [, pod] = /^(\/crest\/\w+)\/\w+$/.exec(container) ?? [];
  if (pod === undefined) return;
  await removeFolders(container);
  await removeFolders(pod);
}

/**
 * The same of pods that were killed while they were made, so that nothing else of them is left. `wasOurs` is
 * given the names of cgroups below `/crest`.
 */
export async function removeCgroupsWhere(wasOurs: (name: string) => boolean): Promise<void> {
  const listed = (await foldersOf("crest")).map((folder) => readdir(folder).catch(() => []));
  const names = new Set((await Promise.all(listed)).flat());
  for (const name of names) if (wasOurs(name)) await removeFolders(`/crest/${name}`);
}

/** Removes a cgroup of cgroupfs. An empty folder is all that can go; whatever else is there stays. */
async function removeFolders(path: string): Promise<void> {
  await Promise.allSettled((await foldersOf(path)).map((folder) => rmdir(folder)));
}

/** Where a cgroup is: version 1 has a hierarchy for each controller, version 2 the only one. */
async function foldersOf(path: string): Promise<readonly string[]> {
  const hierarchies = ["", ...(await readdir(cgroups).catch(() => []))];
  return hierarchies.map((name) => join(cgroups, name, path));
}

/** Whether a cgroup is there, and has others in it: those of containers. */
async function stateOf(folder: string): Promise<"absent" | "empty" | "used"> {
  try {
    const entries = await readdir(folder, { withFileTypes: true });
    return entries.some((entry) => entry.isDirectory()) ? "used" : "empty";
  } catch {
    return "absent";
  }
}

/** To systemd a slice is a unit, which it keeps, with its cgroup, until it is told to stop it. */
function stopSlice(name: string): Promise<void> {
  return new Promise((resolve) => {
    try {
      execFile("systemctl", ["stop", "--", name], { timeout: stopTimeoutMs }, () => resolve());
    } catch {
      // Node's permission model throws.
      resolve();
    }
  });
}

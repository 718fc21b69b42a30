/**
 * The cgroup of a pod that names no parent for its own: one for each pod, because runtimes measure a pod by
 * it, and `/crest/POD` or `crest-POD.slice`, so that all of them lie together.
 *
 * runc makes the folders on the way to a container's cgroup and leaves them there. systemd removes an empty
 * slice by itself; cgroupfs does not, so the gateway does once the pod is gone. Where it may not, an empty
 * folder stays.
 */
import { readdir, rmdir } from "node:fs/promises";
import { join } from "node:path";
import type { CgroupDriver } from "./cgroup-driver.ts";
import type { Runtime } from "./channel.ts";
import { decodeRequest } from "./codec.ts";
import type { PodFacts } from "./inventory.ts";

const cgroups = "/sys/fs/cgroup";

/** The cgroup parent of the pod with this uid, as the runtime wants it written. */
export function podCgroup(driver: CgroupDriver, uid: string): string {
  const name = cgroupName(uid);
  return driver === "SYSTEMD" ? `crest-${name}.slice` : `/crest/${name}`;
}

/** A text as names of cgroups have it. */
export const cgroupName = (text: string): string => text.replace(/[^A-Za-z0-9]/g, "_");

/**
 * A runtime that takes the cgroups of the pods along that it removes, and of those that it cannot run. `podOf`
 * tells of a pod that is there.
 */
export function withPodCgroups(runtime: Runtime, podOf: (id: string) => Promise<PodFacts>): Runtime {
  const remove: Runtime["call"] = async (rpc, request, options) => {
    const { podSandboxId } = decodeRequest("RuntimeService/RemovePodSandbox", request);
    // Before it goes. Of a pod that is not there the runtime has its own to say.
    const pod = await podOf(podSandboxId).catch(() => undefined);
    const reply = await runtime.call(rpc, request, options);
    if (pod !== undefined) await removePodCgroup(pod.uid);
    return reply;
  };
  const run: Runtime["call"] = async (rpc, request, options) => {
    try {
      return await runtime.call(rpc, request, options);
    } catch (error) {
      const { config } = decodeRequest("RuntimeService/RunPodSandbox", request);
      await removePodCgroup(config?.metadata?.uid ?? "");
      throw error;
    }
  };
  return {
    ...runtime,
    call(rpc, request, options) {
      if (rpc === "RuntimeService/RemovePodSandbox") return remove(rpc, request, options);
      if (rpc === "RuntimeService/RunPodSandbox") return run(rpc, request, options);
      return runtime.call(rpc, request, options);
    },
  };
}

/** Removes the folders of the pod with this uid, which has gone, if they are there; never fails. */
export async function removePodCgroup(uid: string): Promise<void> {
  if (uid !== "") await removeEmptyCgroup(podCgroup("CGROUPFS", uid));
}

/**
 * The same of a pod that a runtime left when it was killed, by the cgroup of one of its containers:
 * `/crest/POD/CONTAINER`, which goes too. Other cgroups are not looked at.
 */
export async function removeCgroupsOf(container: string): Promise<void> {
  const [, pod] = /^(\/crest\/\w+)\/\w+$/.exec(container) ?? [];
  if (pod === undefined) return;
  await removeEmptyCgroup(container);
  await removeEmptyCgroup(pod);
}

/**
 * The same of pods that were killed while they were made, so that nothing else of them is left. `wasOurs` is
 * given the names of cgroups below `/crest`.
 */
export async function removeCgroupsWhere(wasOurs: (name: string) => boolean): Promise<void> {
  const below = (hierarchy: string) => readdir(join(cgroups, hierarchy, "crest")).catch(() => []);
  const names = new Set((await Promise.all((await hierarchies()).map(below))).flat());
  for (const name of names) if (wasOurs(name)) await removeEmptyCgroup(`/crest/${name}`);
}

/** Removes a cgroup, `/crest/POD`, if nothing is in it; never fails. */
async function removeEmptyCgroup(path: string): Promise<void> {
  // An empty folder is all that can go; whatever else is there stays.
  const removals = (await hierarchies()).map((name) => rmdir(join(cgroups, name, path)));
  await Promise.allSettled(removals);
}

/** Version 1 has one for each controller, version 2 the only one. */
const hierarchies = async (): Promise<readonly string[]> => ["", ...(await readdir(cgroups).catch(() => []))];

/**
 * The cgroup of a pod that names no parent for its own: one for each pod, because runtimes measure a pod by
 * it, and `/crest/POD` or `/crest.slice/crest-POD.slice`, so that all of them lie together.
 *
 * Whoever removes a pod leaves its cgroup: runc the folders that it made on the way to a container's, systemd a
 * slice that it was asked for. So the gateway removes it once the pod is gone. Where it may not, an empty one
 * stays.
 */
import { execFile } from "node:child_process";
import { readdir, rmdir } from "node:fs/promises";
import { basename, join } from "node:path";
import type { PodSandbox } from "../gen/messages.ts";
import type { CgroupDriver } from "./cgroup-driver.ts";
import type { Runtime } from "./channel.ts";
import { decodeRequest } from "./codec.ts";
import { invoke } from "./invoke.ts";

const cgroups = "/sys/fs/cgroup";
const stopTimeoutMs = 5_000;

/**
 * The cgroup parent of the pod with this uid, as the runtime wants it written: its whole path, also that of a
 * slice, as a kubelet has it. Runtimes start the pod by the last part, but containerd measures it by all of it.
 */
export function podCgroup(driver: CgroupDriver, uid: string): string {
  // A dash in a slice's name would be one more slice on the way to it.
  const name = uid.replace(/[^A-Za-z0-9]/g, "_");
  return driver === "SYSTEMD" ? `/crest.slice/crest-${name}.slice` : `/crest/${name}`;
}

/** A runtime that takes the cgroups of the pods along that it removes. */
export function withPodCgroups(runtime: Runtime): Runtime {
  return {
    ...runtime,
    async call(rpc, request, options) {
      if (rpc !== "RuntimeService/RemovePodSandbox") return runtime.call(rpc, request, options);
      const { podSandboxId: id } = decodeRequest("RuntimeService/RemovePodSandbox", request);
      const { items } = await invoke(runtime, "RuntimeService/ListPodSandbox", { filter: { id } });
      const reply = await runtime.call(rpc, request, options);
      for (const pod of items) if (pod.id === id) await removePodCgroup(pod);
      return reply;
    },
  };
}

/** Removes the cgroup of a pod that has gone, if it is there; never fails. */
async function removePodCgroup({ metadata }: PodSandbox): Promise<void> {
  if (!metadata?.uid) return;
  // Version 1 has a hierarchy for each controller, version 2 the only one.
  const hierarchies = ["", ...(await readdir(cgroups).catch(() => []))];
  const foldersOf = (path: string) => hierarchies.map((name) => join(cgroups, name, path));
  const slice = podCgroup("SYSTEMD", metadata.uid);
  const states = await Promise.all(foldersOf(slice).map(stateOf));
  // Never one that is used: another attempt of the pod has the same uid.
  if (states.includes("empty") && !states.includes("used")) await stopSlice(basename(slice));
  // An empty folder is all that can go; whatever else is there stays.
  const folders = foldersOf(podCgroup("CGROUPFS", metadata.uid));
  await Promise.all(folders.map((folder) => rmdir(folder).catch(() => undefined)));
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

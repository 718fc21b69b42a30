/**
 * The cgroup for pods that name no parent. Each pod has its own, because runtimes measure a pod by it, and all of them
 * are in one place: `/crest/POD` or `/crest.slice/crest-POD.slice`.
 *
 * Removing a pod leaves its cgroup behind: runc leaves the parent folders that it created, systemd the slice that it
 * was asked for. So the gateway removes it after the pod is gone or failed to start. Without permission to do so, an
 * empty cgroup stays.
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
import { type Interceptor, only } from "./compose.ts";
import { nameTaken } from "./translate-error.ts";

const cgroups = "/sys/fs/cgroup";
const stopTimeoutMs = 5_000;

/**
 * The cgroup parent of the pod with this uid, in the syntax of the driver: a full path even for a slice, as the kubelet
 * writes it. Runtimes start the pod by the last part, but containerd measures it by the full path.
 */
export function podCgroup(driver: CgroupDriver, uid: string): string {
  const name = cgroupName(uid);
  return driver === "SYSTEMD" ? `/crest.slice/crest-${name}.slice` : `/crest/${name}`;
}

/** Converts a text to a cgroup name. A dash in a slice's name would add a level to its path. */
export const cgroupName = (text: string): string => text.replace(/[^A-Za-z0-9]/g, "_");

/**
 * Removes the cgroups of pods that the runtime removes or fails to run.
 *
 * @param podOf Looks up a pod by id. @throws {GatewayError} When there is none.
 */
export const withPodCgroups = (podOf: (id: string) => Promise<PodFacts>): Interceptor =>
  only(
    ({ removes, makesCgroup }) => removes === "pod" || makesCgroup === true,
    (below) => {
      const remove: Runtime["call"] = async (rpc, request, options) => {
        const { podSandboxId } = requestOf("RuntimeService/RemovePodSandbox", request);
        // Look it up before it is gone. If it does not exist, the runtime reports that itself.
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
          // The pod that has the name may share the uid, and so the cgroup. After a lost reply the pod may be running.
          const mayBeInUse =
            error instanceof GatewayError && (nameTaken.test(error.words) || mayHaveLeftAPod(error));
          if (!mayBeInUse) await removePodCgroup(config?.metadata?.uid ?? "");
          throw error;
        }
      };
      return {
        ...below,
        call: (rpc, request, options) => (rpcRules[rpc].makesCgroup ? run : remove)(rpc, request, options),
      };
    },
  );

/** Whether a failed run may have left its pod: the reply was lost, or the pod could not be removed. */
const mayHaveLeftAPod = ({ code, members }: GatewayError): boolean =>
  code === "outcome_unknown" || code === "name_reserved" || members.podSandboxId !== undefined;

/** Removes the cgroup of a deleted pod by its uid, if there is one. Never fails. */
export async function removePodCgroup(uid: string): Promise<void> {
  if (uid === "") return;
  const slice = podCgroup("SYSTEMD", uid);
  const states = await Promise.all((await foldersOf(slice)).map(stateOf));
  // Never one in use: another attempt of the pod has the same uid.
  if (states.includes("empty") && !states.includes("used")) await stopSlice(basename(slice));
  await removeFolders(podCgroup("CGROUPFS", uid));
}

/**
 * Does the same for a pod left by a runtime with cgroupfs that was killed. Takes the cgroup of one of its containers,
 * `/crest/POD/CONTAINER`, and removes that too. Ignores other cgroups.
 */
export async function removeCgroupsOf(container: string): Promise<void> {
  const [, pod] = /^(\/crest\/\w+)\/\w+$/.exec(container) ?? [];
  if (pod === undefined) return;
  await removeFolders(container);
  await removeFolders(pod);
}

/**
 * Does the same for pods whose creation was killed, so that nothing else of them is left. `wasOurs` gets the names of
 * cgroups below `/crest`.
 */
export async function removeCgroupsWhere(wasOurs: (name: string) => boolean): Promise<void> {
  const listed = (await foldersOf("crest")).map((folder) => readdir(folder).catch(() => []));
  const names = new Set((await Promise.all(listed)).flat());
  for (const name of names) if (wasOurs(name)) await removeFolders(`/crest/${name}`);
}

/** Removes a cgroup from cgroupfs. Only an empty folder can be removed; anything else stays. */
async function removeFolders(path: string): Promise<void> {
  await Promise.allSettled((await foldersOf(path)).map((folder) => rmdir(folder)));
}

/** The folders of a cgroup: version 1 has a hierarchy for each controller, version 2 a single one. */
async function foldersOf(path: string): Promise<readonly string[]> {
  const hierarchies = ["", ...(await readdir(cgroups).catch(() => []))];
  return hierarchies.map((name) => join(cgroups, name, path));
}

/** Whether a cgroup exists, and whether it has child cgroups: those of containers. */
async function stateOf(folder: string): Promise<"absent" | "empty" | "used"> {
  try {
    const entries = await readdir(folder, { withFileTypes: true });
    return entries.some((entry) => entry.isDirectory()) ? "used" : "empty";
  } catch {
    return "absent";
  }
}

/** systemd keeps a slice, which is a unit, and its cgroup until it is told to stop it. */
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

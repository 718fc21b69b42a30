/**
 * Finds the listening TCP ports of a pod, if this process can see them. The kernel lists the sockets of a network
 * namespace in /proc/PID/net (proc_net(5)) for each process in it.
 */
import { readFile, stat } from "node:fs/promises";
import { call } from "../cri/call.ts";
import type { CallOptions, Runtime } from "../cri/channel.ts";

/** The part of the verbose status of containerd and CRI-O that is read. */
interface PodInfo {
  readonly pid?: number;
  readonly runtimeSpec?: {
    readonly linux?: { readonly namespaces?: readonly { readonly type?: string; readonly path?: string }[] };
  };
}

/** Returns the ports with a listening socket; undefined if they cannot be determined. Never rejects. */
export async function listeningPorts(
  runtime: Runtime,
  podSandboxId: string,
  options: CallOptions,
): Promise<ReadonlySet<number> | undefined> {
  try {
    const request = { podSandboxId, verbose: true };
    const { status, info } = await call(runtime, "RuntimeService/PodSandboxStatus", request, options);
    // Other handlers may run the pod in a virtual machine, whose sockets are not visible on the node.
    if (status?.runtimeHandler) return undefined;
    const { pid, runtimeSpec } = JSON.parse(info.info ?? "{}") as PodInfo;
    const path = runtimeSpec?.linux?.namespaces?.find(({ type }) => type === "network")?.path;
    if (!pid || !path) return undefined;
    // If we run in a container with its own PID namespace, the runtime's pid is a different process here.
    const [ofPod, ofProcess] = await Promise.all([stat(path), stat(`/proc/${pid}/ns/net`)]);
    if (ofPod.ino !== ofProcess.ino) return undefined;
    const tables = await Promise.all(
      ["tcp", "tcp6"].map((name) => readFile(`/proc/${pid}/net/${name}`, "utf8")),
    );
    return new Set(tables.flatMap(portsIn));
  } catch {
    return undefined;
  }
}

const listenState = "0A";

/** The ports of the listening sockets in a table of /proc/net/tcp. */
export function portsIn(table: string): readonly number[] {
  return table.split("\n").flatMap((line) => {
    const [, local = "", , state] = line.trim().split(/ +/);
    return state === listenState ? [Number.parseInt(local.slice(local.lastIndexOf(":") + 1), 16)] : [];
  });
}

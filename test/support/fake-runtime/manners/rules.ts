import { posix } from "node:path";
import { type GrpcFault, invalidArgument } from "../fault.ts";
import type { Manner } from "../manner.ts";
import type { PodSandboxConfig, StreamsRequest } from "../messages.ts";
import type { RpcName } from "../rpc-names.ts";

/** The lists as streams, which only CRI-O has. */
export const streamLists = [
  "StreamPodSandboxes",
  "StreamContainers",
  "StreamContainerStats",
  "StreamPodSandboxStats",
  "StreamPodSandboxMetrics",
  "ImageService/StreamImages",
];

/** Methods that a runtime does not serve, to its table; those of the image service are named in full. */
export function without(methods: { known: string[]; newer: string[] }): Manner["unimplemented"] {
  const full = (name: string) => (name.includes("/") ? name : `RuntimeService/${name}`) as RpcName;
  return new Map([
    ...methods.known.map((name) => [full(name), "known"] as const),
    ...methods.newer.map((name) => [full(name), "newer"] as const),
  ]);
}

/** Go's zero time as nanoseconds since 1970, overflowed. */
export const goZeroTimeNanos = -6795364578871345152n;

/** What Kubernetes' streaming server refuses in Exec and Attach. */
export function runtimeStreamsFault(request: StreamsRequest): GrpcFault | undefined {
  if (request.tty && request.stderr) return invalidArgument("tty and stderr cannot both be true");
  if (request.stdin || request.stdout || request.stderr) return undefined;
  return invalidArgument("one of `stdin`, `stdout`, or `stderr` must be set");
}

/** A sysctl that no namespace of the pod owns. */
export function foreignSysctl(config: PodSandboxConfig): string | undefined {
  return Object.keys(config.linux?.sysctls ?? {}).find(
    (name) => !/^(kernel\.(shm|msg|sem)|fs\.mqueue\.|net\.)/.test(name),
  );
}

/** Both joined; empty if either is. */
export function joinLogPath(directory: string | undefined, path: string | undefined): string {
  return directory && path ? posix.join(directory, path) : "";
}

/** Why a program cannot be executed: what is in /etc is there, and no program. */
export function execFailure(command: string): string {
  return command.startsWith("/etc/") ? "permission denied" : "executable file not found in $PATH";
}

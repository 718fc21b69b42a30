import { posix } from "node:path";
import { type GrpcFault, invalidArgument } from "../fault.ts";
import type { Manner } from "../manner.ts";
import type { PodSandboxConfig, StreamsRequest } from "../messages.ts";
import type { RpcName } from "../rpc-names.ts";

/** The streaming list RPCs, which only CRI-O has. */
export const streamLists = [
  "StreamPodSandboxes",
  "StreamContainers",
  "StreamContainerStats",
  "StreamPodSandboxStats",
  "StreamPodSandboxMetrics",
  "ImageService/StreamImages",
];

/** Builds the table of unimplemented methods. Methods of the image service need their full name. */
export function without(methods: { known: string[]; newer: string[] }): Manner["unimplemented"] {
  const full = (name: string) => (name.includes("/") ? name : `RuntimeService/${name}`) as RpcName;
  return new Map([
    ...methods.known.map((name) => [full(name), "known"] as const),
    ...methods.newer.map((name) => [full(name), "newer"] as const),
  ]);
}

/** Go's zero time as nanoseconds since 1970, with integer overflow. */
export const goZeroTimeNanos = -6795364578871345152n;

/** What Kubernetes' streaming server rejects in Exec and Attach. */
export function runtimeStreamsFault(request: StreamsRequest): GrpcFault | undefined {
  if (request.tty && request.stderr) return invalidArgument("tty and stderr cannot both be true");
  if (request.stdin || request.stdout || request.stderr) return undefined;
  return invalidArgument("one of `stdin`, `stdout`, or `stderr` must be set");
}

/** Returns a sysctl that belongs to no namespace of the pod. */
export function foreignSysctl(config: PodSandboxConfig): string | undefined {
  return Object.keys(config.linux?.sysctls ?? {}).find(
    (name) => !/^(kernel\.(shm|msg|sem)|fs\.mqueue\.|net\.)/.test(name),
  );
}

/** Joins both; empty if either is empty. */
export function joinLogPath(directory: string | undefined, path: string | undefined): string {
  return directory && path ? posix.join(directory, path) : "";
}

/** Why a program cannot be executed: files in /etc exist but are not programs. */
export function execFailure(command: string): string {
  return command.startsWith("/etc/") ? "permission denied" : "executable file not found in $PATH";
}

/** Finds the runtime of this node: the first of the well-known sockets that answers Version. */
import { stat } from "node:fs/promises";
import { askOnce } from "../cri/ask-once.ts";
import { type ConnectOptions, connect, type Runtime } from "../cri/channel.ts";
import { StartError } from "../errors.ts";

/** In search order: the three standalone runtimes, then distributions that bundle their own containerd. */
export const wellKnownSockets: readonly string[] = [
  "/run/containerd/containerd.sock",
  "/run/crio/crio.sock",
  "/var/run/cri-dockerd.sock",
  "/run/k3s/containerd/containerd.sock",
  "/var/snap/microk8s/common/run/containerd.sock",
];

const probeMs = 2000;

/**
 * Connects to the first socket that answers.
 *
 * @throws {StartError} When none does; lists the sockets tried and why each one failed.
 */
export async function discover(
  options: Omit<ConnectOptions, "runtimeEndpoint"> = {},
  sockets: readonly string[] = wellKnownSockets,
): Promise<Runtime> {
  const tried: string[] = [];
  for (const socket of sockets) {
    const why = await probe(socket);
    if (why === undefined) return connect({ ...options, runtimeEndpoint: socket });
    tried.push(`  ${socket}: ${why}`);
  }
  throw new StartError(
    `No container runtime answers on this node. Tried, in this order:\n${tried.join("\n")}\n` +
      "Start one, name its socket with --runtime-endpoint, or run a private one with `crest up`.",
  );
}

/** Why there is no runtime at a socket, or undefined if there is one. */
async function probe(socket: string): Promise<string | undefined> {
  try {
    if (!(await stat(socket)).isSocket()) return "is not a socket";
  } catch (error) {
    return whyUnreachable(error);
  }
  try {
    await askOnce(socket, "RuntimeService/Version", {}, { deadlineMs: probeMs });
    return undefined;
  } catch (error) {
    return whyUnreachable(error);
  }
}

const reasons: { readonly [code: string]: string } = {
  EACCES: "permission denied, run Crest as root or in the group of the socket",
  ECONNREFUSED: "no process is listening on it",
  ENOENT: "does not exist",
};

/** Explains for a terminal why a runtime's socket does not answer, from a file system error or a failed call. */
export function whyUnreachable(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  const code = /^(E[A-Z]+)\b|\bconnect (E[A-Z]+)\b/.exec(message)?.slice(1).find(Boolean);
  return reasons[code ?? ""] ?? message;
}

/**
 * Which RPCs a runtime has, judging by its name and version, where a probe would change something, take events from
 * another reader, or write to the node.
 *
 * Measured on containerd 1.6.20, 1.7.24 and 2.1.9, CRI-O 1.37 and cri-dockerd of April 2026; read in the sources of
 * containerd 2.2 and 2.3.
 */
import type { Rpc } from "../gen/methods.ts";
import type { Identity } from "./identity.ts";
import { before, type Version, versionOf } from "./runtime-version.ts";

/** RPCs that every runtime needs to run pods, so a client of CRI v1 may rely on them. */
const everywhere: ReadonlySet<Rpc> = new Set<Rpc>([
  "RuntimeService/UpdateRuntimeConfig",
  "RuntimeService/RunPodSandbox",
  "RuntimeService/StopPodSandbox",
  "RuntimeService/RemovePodSandbox",
  "RuntimeService/CreateContainer",
  "RuntimeService/StartContainer",
  "RuntimeService/StopContainer",
  "RuntimeService/RemoveContainer",
  "RuntimeService/UpdateContainerResources",
  "RuntimeService/ExecSync",
  "RuntimeService/Exec",
  "RuntimeService/Attach",
  "RuntimeService/PortForward",
  "ImageService/PullImage",
  "ImageService/RemoveImage",
]);

type Answer = "answered" | "unimplemented" | undefined;
type ByRuntime = { readonly [runtimeName: string]: (version: Version) => Answer };

const has = (): Answer => "answered";
const lacks = (): Answer => "unimplemented";
/** Unimplemented before a version; `then` from that version on, by default unknown. */
const lacksBefore =
  (major: number, minor: number, then?: Answer) =>
  (version: Version): Answer =>
    before(major, minor)(version) ? "unimplemented" : then;

const known: { readonly [R in Rpc]?: ByRuntime } = {
  "RuntimeService/ReopenContainerLog": { containerd: has, "cri-o": has, docker: lacks },
  // Even where it is implemented, CRIU may be missing.
  "RuntimeService/CheckpointContainer": { containerd: lacksBefore(2, 0), docker: lacks },
  "RuntimeService/CheckpointPod": {
    containerd: lacksBefore(2, 2),
    "cri-o": lacksBefore(1, 38),
    docker: lacks,
  },
  "RuntimeService/RestorePod": { containerd: lacksBefore(2, 2), "cri-o": lacksBefore(1, 38), docker: lacks },
  "RuntimeService/UpdatePodSandboxResources": {
    containerd: lacksBefore(2, 3, "answered"),
    "cri-o": (version) => (before(1, 37)(version) ? undefined : "answered"),
    docker: lacks,
  },
  "RuntimeService/GetContainerEvents": {
    containerd: lacksBefore(1, 7, "answered"),
    "cri-o": has,
    docker: lacks,
  },
};

/** How the runtime answers an RPC, or would; undefined if unknown. */
export function knownSupport(rpc: Rpc, { name, version }: Identity): Answer {
  return everywhere.has(rpc) ? "answered" : known[rpc]?.[name]?.(versionOf(version));
}

/**
 * What this runtime can do: every RPC that it answers, and the quirks of its kind.
 *
 * Reads are asked, with complete messages and an id that cannot exist. Whoever may look at a runtime must not send it
 * anything else: of other RPCs the answers that came are remembered, and name and version tell the rest.
 */

import { call } from "../cri/call.ts";
import type { Runtime } from "../cri/channel.ts";
import { encodeRequest, type Input } from "../cri/codec.ts";
import { GatewayError } from "../errors.ts";
import { type Methods, methods, type Rpc } from "../gen/methods.ts";
import { knownSupport } from "./known-support.ts";
import { type Quirk, quirksOf } from "./quirks.ts";

/** `unknown`: nobody has asked yet, because asking would do something, and the version does not tell. */
export type Support = "answered" | "unimplemented" | "unknown";

export interface Capabilities {
  readonly runtimeName: string;
  readonly runtimeVersion: string;
  readonly rpcs: readonly { readonly rpc: Rpc; readonly support: Support }[];
  readonly quirks: readonly Quirk[];
}

/** No runtime gives such an id. */
const absent = "f".repeat(64);
const absentImage = `sha256:${absent}`;
const probeMs = 3000;

type Probes = { readonly [R in Rpc]?: Input<Methods[R]["request"]> };

/** What each RPC is asked with: reads only. Absent: it is not asked. */
const probes: Probes = {
  "RuntimeService/Version": {},
  "RuntimeService/Status": {},
  "RuntimeService/RuntimeConfig": {},
  "RuntimeService/PodSandboxStatus": { podSandboxId: absent },
  "RuntimeService/ListPodSandbox": { filter: { id: absent } },
  "RuntimeService/StreamPodSandboxes": { filter: { id: absent } },
  "RuntimeService/ListContainers": { filter: { id: absent } },
  "RuntimeService/StreamContainers": { filter: { id: absent } },
  "RuntimeService/ContainerStatus": { containerId: absent },
  "RuntimeService/ContainerStats": { containerId: absent },
  "RuntimeService/ListContainerStats": { filter: { id: absent } },
  "RuntimeService/StreamContainerStats": { filter: { id: absent } },
  "RuntimeService/PodSandboxStats": { podSandboxId: absent },
  "RuntimeService/ListPodSandboxStats": { filter: { id: absent } },
  "RuntimeService/StreamPodSandboxStats": { filter: { id: absent } },
  "RuntimeService/ListMetricDescriptors": {},
  "RuntimeService/ListPodSandboxMetrics": {},
  "RuntimeService/StreamPodSandboxMetrics": {},
  "ImageService/ListImages": { filter: { image: { image: absentImage } } },
  "ImageService/StreamImages": { filter: { image: { image: absentImage } } },
  "ImageService/ImageStatus": { image: { image: absentImage } },
  "ImageService/ImageFsInfo": {},
};

/** Asks what has not been answered before. @throws {GatewayError} `runtime_unavailable` when nobody answers. */
export async function readCapabilities(runtime: Runtime): Promise<Capabilities> {
  const { runtimeName, runtimeVersion } = await call(runtime, "RuntimeService/Version", {});
  const rpcs: { rpc: Rpc; support: Support }[] = [];
  for (const rpc of Object.keys(methods) as Rpc[]) {
    if (runtime.seen(rpc) === undefined) await probe(runtime, rpc);
    const known = runtime.seen(rpc) ?? knownSupport(rpc, { name: runtimeName, version: runtimeVersion });
    rpcs.push({ rpc, support: known ?? "unknown" });
  }
  return { runtimeName, runtimeVersion, rpcs, quirks: quirksOf(runtimeName, runtimeVersion) };
}

/** Any answer but UNIMPLEMENTED is one; the channel remembers which it was. */
async function probe(runtime: Runtime, rpc: Rpc): Promise<void> {
  const message = probes[rpc];
  if (message === undefined) return;
  const request = encodeRequest(rpc, message);
  try {
    if (!methods[rpc].stream) {
      await runtime.call(rpc, request, { deadlineMs: probeMs, asIs: true });
      return;
    }
    for await (const _ of runtime.stream(rpc, request, { deadlineMs: probeMs, asIs: true })) return;
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
    if (error.code === "runtime_unavailable") throw error;
  }
}

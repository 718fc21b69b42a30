/**
 * What this runtime can do: the RPCs that it answers, and its quirks.
 *
 * Only reads are probed, with complete messages and an id that cannot exist. A caller who may look at a runtime must
 * not trigger anything else, so other RPCs are judged by the replies seen so far, and by the runtime's name and
 * version.
 */

import { call } from "../cri/call.ts";
import type { Runtime } from "../cri/channel.ts";
import { encodeRequest, type Input } from "../cri/codec.ts";
import { GatewayError } from "../errors.ts";
import { type Methods, methods, type Rpc } from "../gen/methods.ts";
import { knownSupport } from "./known-support.ts";
import { type Quirk, quirksOf } from "./quirks.ts";

/** `unknown`: no reply seen yet, because a probe would have side effects, and the version does not tell. */
export type Support = "answered" | "unimplemented" | "unknown";

export interface Capabilities {
  readonly runtimeName: string;
  readonly runtimeVersion: string;
  readonly rpcs: readonly { readonly rpc: Rpc; readonly support: Support }[];
  readonly quirks: readonly Quirk[];
}

/** No runtime assigns this id. */
const absent = "f".repeat(64);
const absentImage = `sha256:${absent}`;
const probeMs = 3000;

type Probes = { readonly [R in Rpc]?: Input<Methods[R]["request"]> };

/** The request to probe each RPC with: reads only. RPCs without one are not probed. */
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

/** Probes the RPCs without a reply so far. @throws {GatewayError} `runtime_unavailable`: when there is no answer. */
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

/** Any reply other than UNIMPLEMENTED counts as an answer; the channel records which it was. */
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

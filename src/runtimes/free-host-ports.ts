/**
 * Pods whose host ports no other pod has.
 *
 * containerd runs a second pod with the same host port, and so does CRI-O since it stopped opening the ports
 * (cri-o/cri-o#8470). Connections then go to one of the two pods, and to the other one when the first stops. So the
 * gateway first reads which ports the ready pods have, as far as the runtime tells, and runs one pod per port at a time.
 *
 * It does not look for processes of the node that listen on a port: it may run in another network namespace.
 */

import { call } from "../cri/call.ts";
import type { CallOptions, Runtime } from "../cri/channel.ts";
import { type Input, requestOf } from "../cri/codec.ts";
import { type FieldError, GatewayError } from "../errors.ts";
import type { PodSandboxConfig, PodSandboxMetadata, PortMapping } from "../gen/messages.ts";
import type { Rpc } from "../gen/methods.ts";
import { type Interceptor, only } from "./compose.ts";
import { countdown } from "./countdown.ts";
import { collide } from "./pod-checks.ts";
import { hostPortPointer } from "./port-in-use.ts";
import { readEach } from "./read-each.ts";
import { isSamePod } from "./safe-creates.ts";
import { configOfListed } from "./sandbox-config.ts";

/** A pod, and what it publishes on the node. */
interface Publisher {
  readonly metadata: Input<PodSandboxMetadata>;
  readonly mappings: readonly Input<PortMapping>[];
  /** The pod in an error: `pod "ID"`. */
  readonly title: string;
}

/** How many pods are read at the same time. */
const width = 8;

/** A runtime that refuses a pod with a host port of another pod, also of one that is being created: `port_in_use`. */
export const withFreeHostPorts: Interceptor = only(
  ({ creates }) => creates === "pod",
  (below) => {
    const underWay = new Set<Publisher>();

    async function run(
      rpc: Rpc,
      wanted: Publisher,
      request: Uint8Array,
      options: CallOptions = {},
    ): Promise<Buffer> {
      refuseTaken(wanted, [...underWay]);
      underWay.add(wanted);
      try {
        refuseTaken(wanted, await publishers(below, options));
        return await below.call(rpc, request, options);
      } finally {
        underWay.delete(wanted);
      }
    }

    return {
      ...below,
      call(rpc, request, options) {
        const wanted = wantedBy(rpc, request);
        return wanted.mappings.length === 0
          ? below.call(rpc, request, options)
          : run(rpc, wanted, request, options);
      },
    };
  },
);

function wantedBy(rpc: Rpc, request: Uint8Array): Publisher {
  const { config = {} } = requestOf(rpc, request) as { readonly config?: Input<PodSandboxConfig> };
  return { ...published(config), metadata: config.metadata ?? {}, title: "a pod that is being created" };
}

/** A mapping keeps its place in the config, which an error points to. A pod with the node's network has none. */
function published({ portMappings = [], linux }: Input<PodSandboxConfig>): Pick<Publisher, "mappings"> {
  const isOnNode = linux?.securityContext?.namespaceOptions?.network === "NODE";
  return { mappings: !isOnNode && portMappings.some(({ hostPort }) => hostPort) ? portMappings : [] };
}

/** The ready pods. Others have given their ports back. */
async function publishers(runtime: Runtime, { onCancel }: CallOptions): Promise<readonly Publisher[]> {
  const rpc = "RuntimeService/ListPodSandbox";
  const left = countdown(rpc, onCancel === undefined ? {} : { onCancel });
  const filter = { state: { state: "SANDBOX_READY" as const } };
  const { items } = await call(runtime, rpc, { filter }, left());
  const pods = new Map(items.map((pod) => [pod.id, pod]));
  const read = async (id: string, options: CallOptions): Promise<Publisher | undefined> => {
    const pod = pods.get(id);
    const config = pod && (await configOfListed(runtime, pod, options));
    if (config === undefined) return undefined;
    const metadata: Publisher["metadata"] = pod?.metadata ?? {};
    return { ...published(config), metadata, title: `pod "${id}", named "${metadata.name ?? ""}"` };
  };
  return await readEach([...pods.keys()], read, { width, left, onFailedMember: undefined });
}

/** @throws {GatewayError} `port_in_use` when one of `others` has a port that is wanted. */
function refuseTaken(wanted: Publisher, others: readonly Publisher[]): void {
  const errors = wanted.mappings.flatMap((mapping, index): readonly FieldError[] => {
    const holder = others.find(
      // A pod of the same name is `name_reserved`, further below: it may be the caller's own, whose response was lost.
      ({ metadata, mappings }) =>
        !isSamePod(metadata, wanted.metadata) && mappings.some((other) => collide(other, mapping)),
    );
    if (holder === undefined) return [];
    const { hostPort = 0, protocol = "TCP" } = mapping;
    const detail = `host port ${hostPort} (${protocol}) is in use by ${holder.title}`;
    return [{ pointer: hostPortPointer(index), detail }];
  });
  const [first] = errors;
  if (first === undefined) return;
  const { name = "" } = wanted.metadata;
  throw new GatewayError("port_in_use", `Cannot create pod "${name}": ${first.detail}`, { errors });
}

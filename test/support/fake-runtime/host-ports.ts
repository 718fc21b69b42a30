/**
 * Ports of the node that are in use, by a pod or by a process. Docker refuses them, and so did CRI-O until it stopped
 * opening them. containerd does not: CNI's plug-in portmap adds its rules to those that are there.
 */
import { type GrpcFault, unknown } from "./fault.ts";
import type { PodSandboxConfig, PortMapping } from "./messages.ts";
import type { World } from "./world.ts";

/** How the runtime refuses the first host port of a pod that is in use. */
export function hostPortFault(world: World, config: PodSandboxConfig): GrpcFault | undefined {
  const { manner, state } = world;
  if (manner.family === "containerd") return undefined;
  const { name = "", namespace = "", uid = "", attempt = 0 } = config.metadata ?? {};
  const taken = [...state.pods.values()]
    .filter((pod) => pod.state === "SANDBOX_READY")
    .flatMap((pod) => publishedBy(pod.config));
  for (const mapping of publishedBy(config)) {
    const { hostPort = 0, hostIp = "", containerPort = 0 } = mapping;
    const isOfPod = taken.some((other) => collide(other, mapping));
    if (!isOfPod && !(protocolOf(mapping) === "tcp" && state.listening.has(hostPort))) continue;
    if (manner.family === "cri-o") {
      const pod = `k8s_${name}_${namespace}_${uid}_${attempt}`;
      return unknown(
        `failed to add hostport mapping for sandbox ${pod}(${"a".repeat(64)}): cannot open hostport ${hostPort} for pod ${pod}_: listen ${protocolOf(mapping)}4 ${hostIp}:${hostPort}: bind: address already in use`,
      );
    }
    const address = `${hostIp || "0.0.0.0"}:${hostPort}`;
    const why = isOfPod
      ? `Bind for ${address} failed: port is already allocated`
      : `failed to bind host port for ${address}:10.88.0.2:${containerPort}/${protocolOf(mapping)}: address already in use`;
    return unknown(
      `failed to start sandbox container for pod "${name}": Error response from daemon: failed to set up container networking: driver failed programming external connectivity on endpoint k8s_POD_${name}_${namespace}_${uid}_${attempt} (${"b".repeat(64)}): ${why}`,
    );
  }
  return undefined;
}

function publishedBy({ portMappings = [], linux }: PodSandboxConfig): readonly PortMapping[] {
  const isOnNode = linux?.securityContext?.namespaceOptions?.network === "NODE";
  return isOnNode ? [] : portMappings.filter(({ hostPort = 0 }) => hostPort > 0);
}

const protocolOf = ({ protocol = "TCP" }: PortMapping): string => protocol.toLowerCase();
const isAny = (address = ""): boolean => address === "" || address === "0.0.0.0";
const collide = (one: PortMapping, other: PortMapping): boolean =>
  one.hostPort === other.hostPort &&
  protocolOf(one) === protocolOf(other) &&
  (one.hostIp === other.hostIp || isAny(one.hostIp) || isAny(other.hostIp));

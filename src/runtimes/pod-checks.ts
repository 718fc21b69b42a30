/** Finds mistakes in a pod's config whose fields are valid on their own but do not go together. */
import { isIP } from "node:net";
import type { Input } from "../cri/codec.ts";
import type { PodSandboxConfig, PortMapping } from "../gen/messages.ts";
import { InvalidValue, type Mistake } from "../wire/invalid-value.ts";

/** Refuses such a config, which is at `/config` of the request. @throws {InvalidValue} With all mistakes. */
export function checkPodConfig(config: Input<PodSandboxConfig>): void {
  const [first, ...more] = [...hostnameMistakes(config), ...portMistakes(config.portMappings ?? [])];
  if (first !== undefined) throw new InvalidValue("the pod's config", [first, ...more]);
}

/** runc cannot set a hostname in the node's own UTS namespace, which a pod with the node's network uses. */
function hostnameMistakes({ hostname, linux }: Input<PodSandboxConfig>): readonly Mistake[] {
  if (!hostname || linux?.securityContext?.namespaceOptions?.network !== "NODE") return [];
  const detail = "must not be given together with the node's network: such a pod has the node's hostname";
  return [{ pointer: "/config/hostname", detail }];
}

/** Finds host ports that an earlier mapping of the same pod already uses. */
function portMistakes(mappings: readonly Input<PortMapping>[]): readonly Mistake[] {
  return mappings.flatMap((mapping, index) => {
    const earlier = mappings.findIndex((other, at) => at < index && collide(other, mapping));
    if (earlier === -1) return [];
    const detail = `must not be ${mapping.hostPort} again: portMappings/${earlier} has this port already`;
    return [{ pointer: `/config/portMappings/${index}/hostPort`, detail }];
  });
}

/** Whether two mappings publish the same port of the node, on an address that both have. */
export function collide(one: Input<PortMapping>, other: Input<PortMapping>): boolean {
  const port = one.hostPort ?? 0;
  return (
    port !== 0 &&
    port === other.hostPort &&
    (one.protocol ?? "TCP") === (other.protocol ?? "TCP") &&
    overlap(one.hostIp ?? "", other.hostIp ?? "")
  );
}

/** Whether two addresses include the same address of the node. An empty one means all of them. */
function overlap(one: string, other: string): boolean {
  if (one === "" || other === "" || one === other) return true;
  if (isIP(one) !== isIP(other)) return false;
  return isUnspecified(one) || isUnspecified(other);
}

/** `0.0.0.0` and `::` in any spelling. */
const isUnspecified = (address: string): boolean => /^[0:.]+$/.test(address);

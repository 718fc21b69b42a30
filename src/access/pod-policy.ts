/** What a pod or container may ask of the node. */
import type { Access } from "../routes/define.ts";
import { type Caller, requireGrant, untilPodPolicy } from "./authorize.ts";

/** Whether requests with this grant carry a pod's or a container's config, or could bring one back. */
export const hasPodPolicy = (allow: Access): boolean => untilPodPolicy.has(allow);

/**
 * Refuses a config that asks for more than the caller may give. There are two levels: nothing, or with `host`
 * everything that the runtime takes.
 *
 * @throws {GatewayError} `not_capable`
 */
export function checkPodPolicy(caller: Caller): void {
  requireGrant("host", caller);
}

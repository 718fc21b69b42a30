/** What a pod or container may request from the node. */
import type { Access } from "../routes/define.ts";
import { type Caller, requireGrant, untilPodPolicy } from "./authorize.ts";

/** Whether requests with this grant carry the config of a pod or container, or could restore one. */
export const hasPodPolicy = (allow: Access): boolean => untilPodPolicy.has(allow);

/**
 * Refuses a config that requests more than the caller may grant. There are only two levels: nothing, or, with `host`,
 * everything that the runtime accepts.
 *
 * @throws {GatewayError} not_capable: when the caller lacks `host`.
 */
export function checkPodPolicy(caller: Caller): void {
  requireGrant("host", caller);
}

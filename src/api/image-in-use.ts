/** The refusal to remove an image that a container was created from. */
import { type Caller, canUse } from "../access/authorize.ts";
import { allPods } from "../access/scope.ts";
import { GatewayError } from "../errors.ts";

/** Names the container only to a caller that sees all containers. */
export function imageInUse(image: string, user: { readonly id: string }, caller: Caller): GatewayError {
  const who = canUse("read:containers", caller, allPods) ? `container "${user.id}"` : "a container";
  return new GatewayError("image_in_use", `Cannot remove image "${image}": ${who} uses it`);
}

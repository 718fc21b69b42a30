/** Authorizes pulls. Where pulls are narrowed, sends the runtime the reference that was checked. */
import { arePullsNarrowed, authorize } from "../access/authorize.ts";
import { normalReference } from "../access/reference.ts";
import type { Input } from "../cri/codec.ts";
import type { Methods } from "../gen/methods.ts";
import type { RequestContext } from "./context.ts";

/**
 * Refuses an image that the caller may not pull. If the caller's pulls are narrowed, sends the reference in its normal
 * form: CRI-O resolves short names with registries.conf, and could choose a registry that was not granted.
 *
 * @throws {GatewayError} not_capable: if the caller may not pull the image.
 */
export function narrowPull({ caller, outgoing }: RequestContext): void {
  if (outgoing === undefined) return;
  const message: Input<Methods["ImageService/PullImage"]["request"]> = outgoing.message;
  const reference = normalReference(message.image?.image ?? "");
  authorize({ allow: "pull" }, caller, { resource: reference });
  if (!arePullsNarrowed(caller)) return;
  outgoing.message = {
    ...message,
    image: { ...message.image, image: reference, userSpecifiedImage: reference },
  };
}

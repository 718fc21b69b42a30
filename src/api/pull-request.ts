/** What a caller asks to pull: checked, and where pulls are narrowed sent to the runtime as it was checked. */
import { arePullsNarrowed, authorize } from "../access/authorize.ts";
import { normalReference } from "../access/reference.ts";
import type { Input } from "../cri/codec.ts";
import type { Methods } from "../gen/methods.ts";
import type { RequestContext } from "./context.ts";

/**
 * Refuses an image that the caller may not pull. Where the caller may not pull everything, the reference goes out in
 * its normal form: CRI-O looks up a short name in registries.conf, and could find it in a registry that was not
 * granted.
 *
 * @throws {GatewayError} `not_capable`
 */
export function narrowPull({ caller, outgoing }: RequestContext): void {
  if (outgoing === undefined) return;
  const message: Input<Methods["ImageService/PullImage"]["request"]> = outgoing.message;
  const reference = normalReference(message.image?.image ?? "");
  authorize({ allow: "pull" }, caller, { reference });
  if (!arePullsNarrowed(caller)) return;
  outgoing.message = {
    ...message,
    image: { ...message.image, image: reference, userSpecifiedImage: reference },
  };
}

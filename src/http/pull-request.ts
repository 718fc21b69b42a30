/** What a caller asks to pull: checked, and where pulls are narrowed sent to the runtime as it was checked. */
import { arePullsNarrowed, authorize, type Caller } from "../auth/authorize.ts";
import { normalReference } from "../auth/reference.ts";
import { decodeRequest, encodeRequest } from "../cri/codec.ts";

const rpc = "ImageService/PullImage";

/**
 * The PullImage request to send. Where the caller may not pull everything it has the reference in its normal form:
 * CRI-O looks a short name up in registries.conf, and could find it in a registry that nobody allowed.
 *
 * @throws {GatewayError} `not_capable`.
 */
export function authorizePull(wire: Buffer, caller: Caller): Buffer {
  const { image, ...rest } = decodeRequest(rpc, wire);
  const reference = normalReference(image?.image ?? "");
  authorize({ allow: "pull" }, caller, { reference });
  if (!arePullsNarrowed(caller)) return wire;
  return encodeRequest(rpc, {
    ...rest,
    image: { ...image, image: reference, userSpecifiedImage: reference },
  });
}

/** Tells which requests ask for the same pull, without keeping their credentials. */
import { createHmac, randomBytes } from "node:crypto";
import type { Input } from "../cri/codec.ts";
import type { Methods } from "../gen/methods.ts";

/** A PullImage request in canonical names, as it goes to the runtime. */
export type PullMessage = Input<Methods["ImageService/PullImage"]["request"]>;

/**
 * Creates a function that returns equal keys for requests with the same reference, options and credentials. A key is
 * an HMAC under a random secret of this process, so that it reveals nothing about a password.
 *
 * `reference` is that of the message in a form in which equal ones are written alike.
 */
export function createPullKeys(): (message: PullMessage, reference: string) => string {
  const secret = randomBytes(32);
  return ({ image = {}, ...rest }, reference) => {
    const { image: written, userSpecifiedImage, ...spec } = image;
    // Without a name of its own, an image is specified by its reference.
    const specified = userSpecifiedImage === written ? "" : userSpecifiedImage;
    const identity = { ...rest, image: { ...spec, userSpecifiedImage: specified, image: reference } };
    return createHmac("sha256", secret).update(canonicalText(identity)).digest("base64url");
  };
}

/** JSON with the members of objects in one order, and without those that have the default of protobuf. */
function canonicalText(value: unknown): string {
  return JSON.stringify(value, (_key, member: unknown) => {
    if (typeof member !== "object" || member === null || Array.isArray(member)) return member;
    const entries = Object.entries(member).filter(([, one]) => !isDefault(one));
    return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)));
  });
}

function isDefault(value: unknown): boolean {
  if (value === undefined || value === "" || value === 0 || value === "0" || value === false) return true;
  return typeof value === "object" && value !== null && Object.keys(value).length === 0;
}

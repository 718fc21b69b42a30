/** Content negotiation by `Accept` (RFC 9110, 12.5.1). */
import { GatewayError } from "../errors.ts";

/**
 * Returns the media type with the highest quality; among equals, the one that `accept` names first, because clients
 * that generators make list all types of the document, and read the first. Without `Accept`, and among those that one
 * wildcard matches, returns the first of `available`.
 *
 * @throws {GatewayError} not_acceptable: if `accept` allows none of them.
 */
export function negotiate<T extends string>(accept: string | undefined, available: readonly [T, ...T[]]): T {
  if (accept === undefined || accept.trim() === "") return available[0];
  const ranges = accept.split(",").map(parseRange);
  let best: { readonly type: T; readonly quality: number; readonly place: number } | undefined;
  for (const type of available) {
    const place = placeOf(type, ranges);
    const quality = ranges[place]?.quality ?? 0;
    const isBetter =
      best === undefined || quality > best.quality || (quality === best.quality && place < best.place);
    if (quality > 0 && isBetter) best = { type, quality, place };
  }
  if (best !== undefined) return best.type;
  throw new GatewayError(
    "not_acceptable",
    `Cannot answer with "${accept}": this route offers ${available.join(" and ")}`,
  );
}

interface Range {
  readonly type: string;
  readonly quality: number;
}

function parseRange(text: string): Range {
  const [type = "", ...parameters] = text.split(";").map((part) => part.trim().toLowerCase());
  const q = parameters.find((parameter) => parameter.startsWith("q="))?.slice(2);
  const quality = q === undefined ? 1 : Number(q);
  return { type, quality: quality >= 0 && quality <= 1 ? quality : 0 };
}

/** Where the most specific range that matches is; -1 if none does. */
function placeOf(type: string, ranges: readonly Range[]): number {
  const family = `${type.slice(0, type.indexOf("/"))}/*`;
  for (const pattern of [type, family, "*/*"]) {
    const place = ranges.findIndex((range) => range.type === pattern);
    if (place !== -1) return place;
  }
  return -1;
}

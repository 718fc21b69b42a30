/** Content negotiation by `Accept` (RFC 9110, 12.5.1). */
import { GatewayError } from "../errors.ts";

/**
 * Returns the media type with the highest quality; among equals, the first of `available`. Without `Accept`, returns
 * the first.
 *
 * @throws {GatewayError} not_acceptable: if `accept` allows none of them.
 */
export function negotiate<T extends string>(accept: string | undefined, available: readonly [T, ...T[]]): T {
  if (accept === undefined || accept.trim() === "") return available[0];
  const ranges = accept.split(",").map(parseRange);
  let best: T | undefined;
  let bestQuality = 0;
  for (const type of available) {
    const quality = qualityOf(type, ranges);
    if (quality > bestQuality) {
      best = type;
      bestQuality = quality;
    }
  }
  if (best !== undefined) return best;
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

/** The most specific matching range decides. */
function qualityOf(type: string, ranges: readonly Range[]): number {
  const family = `${type.slice(0, type.indexOf("/"))}/*`;
  for (const pattern of [type, family, "*/*"]) {
    const range = ranges.find((candidate) => candidate.type === pattern);
    if (range) return range.quality;
  }
  return 0;
}

/** Reads what a caller wants of a new token: the body of `POST /v1/tokens`. */
import { StartError } from "../errors.ts";
import type { Grants } from "../grants.ts";
import { checkRecord, type PlaceOf } from "./check-options.ts";
import { checks } from "./gen/settings.ts";
import { formatDuration, maxAgeMs, readDuration } from "./quantities.ts";
import { readGrants } from "./resolve.ts";

/** A token that a caller asks for. */
export interface TokenRequest {
  readonly name: string;
  readonly grants: Grants;
  /** When it is to expire, in milliseconds since 1970; undefined if the request does not say. */
  readonly expiresAtMs: number | undefined;
}

/** @throws {StartError} beginning with the member at fault: `grants.allow.exec: must be true or false`. */
export function readTokenRequest(body: object, nowMs: number): TokenRequest {
  const placeOf: PlaceOf = (key) => key;
  checkRecord("tokenRequest", body, placeOf);
  const {
    name,
    grants,
    expires,
    for: validFor,
  } = body as {
    readonly name: string;
    readonly grants: unknown;
    readonly expires?: string;
    readonly for?: string;
  };
  if (expires !== undefined && validFor !== undefined)
    throw new StartError("for: not together with expires, leave one of them out");
  return { name, grants: readGrants(grants, placeOf), expiresAtMs: expiryOf(expires, validFor, nowMs) };
}

function expiryOf(
  expires: string | undefined,
  validFor: string | undefined,
  nowMs: number,
): number | undefined {
  if (expires !== undefined) {
    const ms = Date.parse(expires);
    if (Number.isNaN(ms)) throw new StartError("expires: there is no such time");
    if (ms <= nowMs) throw new StartError("expires: is in the past");
    if (ms > nowMs + maxAgeMs) throw new StartError(`expires: is more than ${formatDuration(maxAgeMs)} away`);
    return ms;
  }
  if (validFor === undefined) return undefined;
  let ms: number;
  try {
    ms = readDuration(validFor, maxAgeMs);
  } catch (error) {
    if (!(error instanceof StartError)) throw error;
    throw new StartError(`for: ${error.message}`, { cause: error });
  }
  if (ms === 0) throw new StartError("for: must not be 0, a token made by a caller expires");
  return nowMs + ms;
}

/** @throws {StartError} if a caller of the tokens file cannot have this name. */
export function readCallerName(name: string): void {
  if (checks.tokenRequest.name?.(name) === true) return;
  throw new StartError(
    `--name=${name}: must be at most 63 letters, digits, dots, dashes and underscores, and begin with a letter or digit`,
  );
}

/** Checks that the settings for JSON Web Tokens are complete. */
import { StartError } from "../errors.ts";
import type { PlaceOf } from "./check-options.ts";
import type { JwtOptions } from "./options.ts";

const needed = [
  { name: "issuer", flag: "--jwt-issuer=URL", what: "whose tokens to accept" },
  { name: "audience", flag: "--jwt-audience=NAME", what: "which of its tokens are for this gateway" },
  { name: "jwks", flag: "--jwt-jwks=FILE", what: "the issuer's keys" },
] as const;

/**
 * Returns whether JSON Web Tokens are accepted.
 *
 * @throws {StartError} if only some of the settings are there.
 */
export function checkJwt(jwt: JwtOptions, placeOf: PlaceOf): boolean {
  const given = needed.find(({ name }) => jwt[name] !== undefined);
  if (given === undefined) return false;
  const empty = needed.find(({ name }) => jwt[name] === "");
  if (empty !== undefined) throw new StartError(`${placeOf(`jwt.${empty.name}`)}: empty`);
  const missing = needed.find(({ name }) => jwt[name] === undefined);
  if (missing === undefined) return true;
  throw new StartError(
    `${placeOf(`jwt.${given.name}`)}: not enough to check a token, add ${missing.flag}: ${missing.what}`,
  );
}

/**
 * Checks JSON Web Tokens with jose. Loaded late, because most gateways accept none.
 *
 * Only the configured keys count: those that a token brings along or points to (jwk, jku, x5c, x5u) are not looked at.
 * Only key pairs are accepted, so that a public key cannot pass for a shared secret.
 */
import { createLocalJWKSet, errors, type JWTPayload, type JWTVerifyGetKey, jwtVerify } from "jose";
import { parseGrantFlags } from "../../config/grant-flags.ts";
import { type JwtSettings, readGrants } from "../../config/resolve.ts";
import { GatewayError, StartError } from "../../errors.ts";
import type { Grants } from "../../grants.ts";
import type { Caller } from "../authorize.ts";
import { invalid, type VerifyJwt } from "./authenticate.ts";
import type { KeySet, KeySource } from "./key-source.ts";
import { sha256 } from "./token-store.ts";
import { jwtPrefix } from "./tokens-file.ts";

export interface JwtOptions {
  readonly settings: JwtSettings;
  readonly source: KeySource;
  /** What this process lets any caller do. */
  readonly grants: Grants;
}

/** Clocks of different machines differ a little, in seconds. */
const leewaySeconds = 30;
/** How long a token is taken without checking its signature again, in milliseconds. */
const rememberMs = 60_000;
/** How many tokens are remembered. */
const maxRemembered = 1000;
/** A subject is in the log, so it has no characters that change how a line looks. */
const subjectForm = /^[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}]{1,255}$/u;

/** The last time that a Date can have. */
const maxTimeMs = 8.64e15;

interface Remembered {
  readonly caller: Caller;
  checkedAtMs: number;
}

export function createVerifyJwt({ settings, source, grants }: JwtOptions): VerifyJwt {
  const { issuer, audience, algorithms, grantsClaim } = settings;
  /** The same token is the same caller object: see `compileRoute`. */
  const remembered = new Map<string, Remembered>();
  const resolvers = new WeakMap<KeySet, JWTVerifyGetKey>();

  function resolverOf(keys: KeySet): JWTVerifyGetKey {
    const known = resolvers.get(keys);
    if (known !== undefined) return known;
    const made = createLocalJWKSet({ keys: [...keys.keys] as { kty: string }[] });
    resolvers.set(keys, made);
    return made;
  }

  /** Looks for the key, and once more among newer ones if it is not there. */
  const getKey: JWTVerifyGetKey = async (header, token) => {
    try {
      return await resolverOf(await source.keys())(header, token);
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey)) throw error;
      return await resolverOf(await source.newerKeys())(header, token);
    }
  };

  async function check(token: string): Promise<JWTPayload> {
    try {
      const { payload } = await jwtVerify(
        token,
        async (header, input) => {
          try {
            return await getKey(header, input);
          } catch (error) {
            if (error instanceof errors.JOSEError) throw error;
            throw new GatewayError(
              "issuer_unavailable",
              "The token's issuer cannot be asked for its keys now: try again later",
              { cause: error },
            );
          }
        },
        {
          ...{ issuer, audience, algorithms: [...algorithms] },
          ...{ clockTolerance: leewaySeconds, requiredClaims: ["exp", "sub"] },
        },
      );
      return payload;
    } catch (error) {
      if (error instanceof GatewayError) throw error;
      throw invalid(`The JSON Web Token is refused: ${reasonOf(error)}`, error);
    }
  }

  function callerOf({ sub = "", exp = 0, [grantsClaim]: claim }: JWTPayload): Caller {
    if (!subjectForm.test(sub))
      throw invalid("The JSON Web Token is refused: its sub is too long, or has control characters");
    const name = `${jwtPrefix}${issuer}#${sub}`;
    const expiresAtMs = Math.min(exp * 1000, maxTimeMs);
    const whyOver = (): string | undefined =>
      Date.now() >= expiresAtMs + leewaySeconds * 1000
        ? `The JSON Web Token of "${sub}" expired at ${new Date(expiresAtMs).toISOString()}`
        : undefined;
    return { name, grants, layers: [grantsIn(claim)], by: "jwt", expiresAtMs, whyOver };
  }

  function grantsIn(claim: unknown): Grants {
    try {
      if (!Array.isArray(claim)) return readGrants(claim ?? {}, (key) => key.replace(/^grants/, grantsClaim));
      if (claim.every((text) => typeof text === "string")) return parseGrantFlags(claim);
      throw new StartError(`${grantsClaim}: must be an object, or a list of flags`);
    } catch (error) {
      if (!(error instanceof StartError)) throw error;
      throw invalid(`The grants of the JSON Web Token are wrong: ${error.message}`, error);
    }
  }

  return async (token) => {
    const digest = sha256(token);
    const known = remembered.get(digest);
    const now = performance.now();
    if (known !== undefined) {
      const why = known.caller.whyOver?.();
      if (why !== undefined) throw invalid(why);
      if (now - known.checkedAtMs < rememberMs) return known.caller;
    }
    remembered.delete(digest);
    const payload = await check(token);
    const caller = known?.caller ?? callerOf(payload);
    const [oldest] = remembered.size >= maxRemembered ? remembered.keys() : [];
    if (oldest !== undefined) remembered.delete(oldest);
    remembered.set(digest, { caller, checkedAtMs: now });
    return caller;
  };
}

const maxReason = 200;

/** jose's own words, which name claims and headers. */
function reasonOf(error: unknown): string {
  if (error instanceof errors.JWTExpired) return "it has expired";
  if (error instanceof errors.JOSEError) return error.message.slice(0, maxReason);
  // Of what it found on its way to a decision, such as a key that OpenSSL does not take.
  return "it cannot be checked";
}

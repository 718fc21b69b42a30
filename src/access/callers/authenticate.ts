/**
 * Finds out who sent a request: by the gateway's own token, a token of the tokens file, a JSON Web Token or a client's
 * certificate.
 */
import type { Socket } from "node:net";
import { GatewayError } from "../../errors.ts";
import type { Grants } from "../../grants.ts";
import type { Caller } from "../authorize.ts";
import { subjectsOf } from "./client-certificate.ts";
import type { KnownCallers } from "./known-callers.ts";
import type { SignIns } from "./sign-ins.ts";
import { sha256 } from "./token-store.ts";
import { operatorName } from "./tokens-file.ts";

/** What a request shows. */
export interface Credentials {
  /** The `Authorization` header. */
  readonly authorization: string | undefined;
  /** Its connection, which may have a certificate. */
  readonly socket: Socket;
  /** Whether it asks to sign in, which alone takes a key. */
  readonly signsIn?: boolean;
}

/** @throws {GatewayError} unauthenticated: also from the promise. */
export type Authenticate = (credentials: Credentials) => Caller | Promise<Caller>;

/** Checks a JSON Web Token. @throws {GatewayError} unauthenticated, issuer_unavailable. */
export type VerifyJwt = (token: string) => Promise<Caller>;

export interface AuthenticateOptions {
  /** The operator's token. */
  readonly token: string;
  /** The file that it is in. */
  readonly tokenFile: string | undefined;
  /** What this process lets any caller do. */
  readonly grants: Grants;
  readonly known: KnownCallers;
  /** Default: nobody signs in. */
  readonly signIns?: Pick<SignIns, "byKey" | "byToken"> | undefined;
  /** Default: no JSON Web Tokens are accepted. */
  readonly verifyJwt?: VerifyJwt | undefined;
}

/** Three parts of base64url, as no other token has. */
const jwtForm = /^[\w-]+\.[\w-]+\.[\w-]+$/;

/**
 * Tokens are looked up by their SHA-256. How long that takes depends on the digests alone, and nobody can choose a
 * token whose digest begins like that of another. So the time says nothing about a token, unlike the time of comparing
 * tokens themselves.
 *
 * Callers learn whether their token is missing, wrong or expired, which they could find out themselves. The error says
 * nothing more about a wrong token, and so reveals nothing about the right one.
 */
export function createAuthenticate({
  token,
  tokenFile,
  grants,
  known,
  signIns,
  verifyJwt,
}: AuthenticateOptions): Authenticate {
  const operator: Caller = { name: operatorName, grants, tokenFile };
  const operatorDigest = sha256(token);

  return ({ authorization, socket, signsIn = false }) => {
    if (authorization === undefined) {
      const caller = known.byCertificate(subjectsOf(socket));
      if (caller !== undefined) return caller;
      throw missing("The request has no token");
    }
    const given = /^bearer +(\S+) *$/i.exec(authorization)?.[1];
    if (given === undefined) throw missing("The Authorization header holds no bearer token");
    const digest = sha256(given);
    if (digest === operatorDigest) return operator;
    const caller =
      (signsIn ? signIns?.byKey(digest) : undefined) ?? signIns?.byToken(digest) ?? known.byToken(digest);
    const why = caller?.whyOver?.();
    if (why !== undefined) throw invalid(why);
    if (caller !== undefined) return caller;
    if (verifyJwt !== undefined && jwtForm.test(given)) return verifyJwt(given);
    throw invalid(
      "The token is wrong, or was revoked: send the content of this gateway's token file, whose path crest prints when it starts, or a token made with crest token create",
    );
  };
}

function missing(what: string): GatewayError {
  return new GatewayError("unauthenticated", `${what}: send Authorization: Bearer TOKEN`, {
    headers: { "www-authenticate": "Bearer" },
  });
}

/** A refusal of a token that was sent (RFC 6750, 3.1). */
export function invalid(why: string, cause?: unknown): GatewayError {
  return new GatewayError("unauthenticated", why, {
    headers: { "www-authenticate": 'Bearer error="invalid_token"' },
    ...(cause === undefined ? {} : { cause }),
  });
}

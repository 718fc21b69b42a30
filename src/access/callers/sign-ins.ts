/**
 * Signing in to the gateway's pages. A caller gets a key for a link, which is good for one use and five minutes; a page
 * trades it, or a token, for a token of its own, which ends with the gateway. So neither a link nor a page's storage ever
 * holds a token that lasts.
 */
import { accountOf } from "../../limits/caller-limiter.ts";
import type { Caller } from "../authorize.ts";
import { newToken, sha256 } from "./token-store.ts";

/** A secret that was made, and when it expires, in milliseconds since 1970. */
export interface MadeSecret {
  readonly secret: string;
  readonly expiresAtMs: number;
}

export interface SignIns {
  /** Makes a key for one sign-in as this caller. */
  createKey(caller: Caller): MadeSecret;
  /**
   * Makes a token for a page: the same caller, until it expires. Uses up the key, if the caller came with one; undefined
   * if it was used before.
   */
  signIn(caller: Caller): MadeSecret | undefined;
  /** The caller for the key of this SHA-256. It may do nothing but sign in. */
  byKey(digest: string): Caller | undefined;
  /** The caller for the token of this SHA-256, also an expired one. The same object each time: see `compileRoute`. */
  byToken(digest: string): Caller | undefined;
}

const keyMs = 5 * 60_000;
const tokenMs = 12 * 3_600_000;
/** Of each kind, for one account. Beyond it, the oldest ends. */
const maxPerAccount = 100;

interface Issued {
  /** As it was when this was made, and with its own end. */
  readonly caller: Caller;
  /** Whom a key signs in. */
  readonly of: Caller;
}

export function createSignIns(now: () => number = Date.now): SignIns {
  const keys = new Map<string, Issued>();
  const tokens = new Map<string, Issued>();
  const keyOfCaller = new WeakMap<Caller, string>();

  function issue(into: Map<string, Issued>, of: Caller, forMs: number, layers = of.layers): MadeSecret {
    const nowMs = now();
    for (const [digest, { caller }] of into) if (caller.whyOver?.() !== undefined) into.delete(digest);
    const account = accountOf(of);
    const others = [...into].filter(([, other]) => accountOf(other.of) === account);
    const [oldest] = others;
    if (others.length >= maxPerAccount && oldest !== undefined) into.delete(oldest[0]);
    const secret = newToken();
    const digest = sha256(secret);
    const expiresAtMs = Math.min(nowMs + forMs, of.expiresAtMs ?? Number.POSITIVE_INFINITY);
    const what = into === keys ? "key" : "sign-in";
    const whyOver = (): string | undefined => {
      if (now() >= expiresAtMs) return `The ${what} expired at ${new Date(expiresAtMs).toISOString()}`;
      if (!into.has(digest)) return `The ${what} has ended`;
      return of.whyOver?.();
    };
    const caller: Caller = { ...of, layers, expiresAtMs, whyOver };
    into.set(digest, { caller, of });
    if (into === keys) keyOfCaller.set(caller, digest);
    return { secret, expiresAtMs };
  }

  return {
    createKey: (caller) => issue(keys, caller, keyMs, [...(caller.layers ?? []), nothing]),
    signIn(caller) {
      const digest = keyOfCaller.get(caller);
      if (digest === undefined) return issue(tokens, caller, tokenMs);
      const key = keys.get(digest);
      keys.delete(digest);
      return key === undefined ? undefined : issue(tokens, key.of, tokenMs);
    },
    byKey: (digest) => keys.get(digest)?.caller,
    byToken: (digest) => tokens.get(digest)?.caller,
  };
}

const nothing = { all: false, allow: {}, deny: {} } as const;

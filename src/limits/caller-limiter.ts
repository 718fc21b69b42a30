/**
 * What one caller may use: requests a second, and connections, sessions, streams, pulls and bytes of bodies at a time.
 *
 * Each caller is counted on its own, so none can use up what belongs to another. Memory is needed only for callers that
 * use something now, and for a bounded number of rates.
 */
import type { Socket } from "node:net";
import type { CallerLimits } from "../config/options.ts";
import { settings } from "../config/settings.ts";
import type { ErrorCode, GatewayError } from "../errors.ts";
import { createRates } from "./rates.ts";
import { limitRefusal, type RefusalOptions } from "./refusal.ts";
import { Tally } from "./tally.ts";

export type CallerLimit = keyof CallerLimits;
/** The limits of what is used at the same time. */
export type HeldLimit = Exclude<CallerLimit, "requestsPerSecond">;

/** A caller, as far as limits are concerned. */
export interface Limited {
  readonly name: string;
  /** Callers with the same account share one set of limits. Default: the name. */
  readonly account?: string | undefined;
  /** Take the place of those that all callers have. */
  readonly limits?: CallerLimits | undefined;
}

/** What a caller uses. */
export interface Held {
  /** Corrects the amount, whatever the limit. Has no effect after `release`. */
  resize(amount: number): void;
  /** Idempotent. */
  release(): void;
}

export interface CallerLimiter {
  /** The limits of a caller. An absent one does not exist. */
  limitsOf(caller: Limited): CallerLimits;
  /** Counts a request. @throws {GatewayError} too_many_requests */
  request(caller: Limited): void;
  /**
   * Takes `amount` of what a caller may use at the same time. Default: 1.
   *
   * @throws {GatewayError} too_many_sessions: for sessions and streams; too_many_requests: for the rest.
   */
  take(limit: HeldLimit, caller: Limited, amount?: number): Held;
  /**
   * Counts a connection for the caller whose request came over it last, until it closes.
   *
   * @throws {GatewayError} too_many_requests: the connection is closed after the answer.
   */
  useConnection(socket: Socket, caller: Limited): void;
  /** How many callers are counted for something that they use now. */
  readonly size: number;
}

export interface CallerLimiterOptions {
  /** Of every caller that has no limits of its own. Others may apply once there are other callers. */
  readonly defaults: () => CallerLimits;
  /** Called with the limit of each refusal. */
  readonly refused?: ((limit: CallerLimit) => void) | undefined;
}

/** How many seconds' worth of requests may come at once. */
const burstSeconds = 2;

/** What is counted, in words. */
const words: { readonly [L in HeldLimit]: string } = {
  connections: "connections",
  sessions: "sessions",
  streams: "streams",
  pulls: "pulls",
  bodyBytes: "bytes of request bodies",
};

const codes: { readonly [L in HeldLimit]?: ErrorCode } = {
  sessions: "too_many_sessions",
  streams: "too_many_sessions",
};

/** The flag of an option: `callerLimits.streams` -> `--caller-streams`. */
export const flagOfLimit = (key: string): string =>
  settings.find((setting) => setting.key === key)?.flag ?? key;

const nothingHeld: Held = { resize: () => undefined, release: () => undefined };
/** Under which name a caller is counted. */
export const accountOf = ({ name, account = name }: Limited): string => account;

export function createCallerLimiter({ defaults, refused }: CallerLimiterOptions): CallerLimiter {
  const rates = createRates({ burstSeconds });
  const tallies: { readonly [L in HeldLimit]: Tally } = {
    connections: new Tally(),
    sessions: new Tally(),
    streams: new Tally(),
    pulls: new Tally(),
    bodyBytes: new Tally(),
  };
  const users = new WeakMap<Socket, { readonly account: string; readonly held: Held }>();

  const limitOf = ({ limits }: Limited, limit: CallerLimit): number | undefined =>
    limits?.[limit] ?? defaults()[limit];

  function refusal(
    caller: Limited,
    limit: CallerLimit,
    { max, what, ...options }: RefusalOptions & { readonly max: number; readonly what: string },
  ): GatewayError {
    refused?.(limit);
    const isOwn = caller.limits?.[limit] !== undefined;
    const setting = isOwn ? "limits of the token" : flagOfLimit(`callerLimits.${limit}`);
    return limitRefusal(`Caller "${accountOf(caller)}" ${what}`, { limit, max, setting }, options);
  }

  function take(limit: HeldLimit, caller: Limited, amount = 1): Held {
    const max = limitOf(caller, limit);
    if (max === undefined) return nothingHeld;
    const account = accountOf(caller);
    const tally = tallies[limit];
    const taken = tally.of(account);
    if (taken + amount > max) {
      const more = amount === 1 ? "" : `, and needs ${amount} more`;
      throw refusal(caller, limit, {
        max,
        what: `uses ${taken} of its ${max} ${words[limit]}${more}: wait until some are free`,
        ...(codes[limit] === undefined ? {} : { code: codes[limit] }),
        closes: limit === "connections",
      });
    }
    tally.add(account, amount);
    let current = amount;
    let isReleased = false;
    const resize = (next: number): void => {
      if (isReleased) return;
      tally.add(account, next - current);
      current = next;
    };
    return {
      resize,
      release() {
        resize(0);
        isReleased = true;
      },
    };
  }

  return {
    take,
    limitsOf: ({ limits }) => ({ ...defaults(), ...limits }),
    request(caller) {
      const max = limitOf(caller, "requestsPerSecond");
      if (max === undefined) return;
      const waitMs = rates.take(accountOf(caller), max);
      if (waitMs > 0)
        throw refusal(caller, "requestsPerSecond", {
          max,
          what: `sends more than ${max} requests a second`,
          waitMs,
        });
    },
    useConnection(socket, caller) {
      if (limitOf(caller, "connections") === undefined || socket.destroyed) return;
      const account = accountOf(caller);
      const before = users.get(socket);
      if (before?.account === account) return;
      const held = take("connections", caller);
      if (before === undefined) socket.once("close", () => users.get(socket)?.held.release());
      else before.held.release();
      users.set(socket, { account, held });
    },
    get size() {
      return Object.values(tallies).reduce((sum, { size }) => sum + size, 0);
    },
  };
}

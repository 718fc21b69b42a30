/**
 * Requests without a valid token, by address.
 *
 * The token is checked first, always: whoever has the right one is never slowed, whatever others on the same address
 * send. The others are refused, and wait for it.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { GatewayError } from "../errors.ts";
import { flagOfLimit } from "./caller-limiter.ts";
import { isLocalPeer, peerKey } from "./peer-address.ts";
import { createRates } from "./rates.ts";
import { limitRefusal } from "./refusal.ts";

export interface AnonymousRequests {
  /**
   * Counts a request whose token is missing or wrong. Returns at once while the address has sent few of them.
   *
   * @throws {GatewayError} too_many_requests: after a pause. The connection is closed after the answer.
   */
  countFailure(remoteAddress: string | undefined): Promise<void>;
  /**
   * Counts a request for a page, which needs no token. Those from this machine are not counted: a proxy on it speaks for
   * everyone.
   *
   * @throws {GatewayError} too_many_requests
   */
  countPage(remoteAddress: string | undefined): void;
}

export interface AnonymousRequestsOptions {
  /** For one address; for IPv6 for one /64. Unix sockets have no address, and no limit. */
  readonly perSecond: number;
  /** Called at each refusal. */
  readonly refused?: (() => void) | undefined;
  /** How long a refusal waits, in milliseconds. Default: 1000. */
  readonly pauseMs?: number;
}

/** How many seconds' worth may come at once: a page has many parts. */
const burstSeconds = 10;
/** Refusals that wait. More are sent at once, since each takes memory while it waits. */
const maxWaiting = 256;

export function createAnonymousRequests({
  perSecond,
  refused,
  pauseMs = 1000,
}: AnonymousRequestsOptions): AnonymousRequests {
  const rates = createRates({ burstSeconds });
  let waiting = 0;

  function refusalFor(key: string): GatewayError | undefined {
    const waitMs = rates.take(key, perSecond);
    if (waitMs === 0) return undefined;
    refused?.();
    return limitRefusal(
      `This address sends more than ${perSecond} requests a second without a valid token`,
      {
        limit: "anonymousRequestsPerSecond",
        max: perSecond,
        setting: flagOfLimit("anonymousLimits.requestsPerSecond"),
      },
      { waitMs, closes: true },
    );
  }

  return {
    async countFailure(remoteAddress) {
      const key = peerKey(remoteAddress);
      const refusal = key === undefined ? undefined : refusalFor(key);
      if (refusal === undefined) return;
      if (waiting < maxWaiting) {
        waiting++;
        await sleep(pauseMs, undefined, { ref: false });
        waiting--;
      }
      throw refusal;
    },
    countPage(remoteAddress) {
      const key = peerKey(remoteAddress);
      const refusal = key === undefined || isLocalPeer(key) ? undefined : refusalFor(key);
      if (refusal !== undefined) throw refusal;
    },
  };
}

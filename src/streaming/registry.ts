/** The registry of open sessions: counts them, limits them, and ends them together. */
import { GatewayError } from "../errors.ts";
import { limitRefusal } from "../limits/refusal.ts";
import type { OverWatch, WhyOver } from "../server/over-watch.ts";
import type { Bridged } from "./bridge.ts";
import { closeCode } from "./socket.ts";

export interface SessionRegistry {
  /**
   * Reserves places for a session before the runtime is called, one for each connection that it opens to the runtime.
   * Free them with `release`, or pass them to the session with `hold`. `onClosing` is called if the gateway shuts down
   * before that, or the caller may not go on. Once the caller may not go on, its sessions end with 4401.
   *
   * @throws {GatewayError} too_many_sessions: when too few places are left, or the caller has too many.
   * @throws {GatewayError} shutting_down: when the registry is closing.
   */
  reserve(onClosing: (why: GatewayError) => void, wanted?: Wanted): Slot;
  /** Total number of places. */
  readonly most: number;
  /** Sessions that are open or being prepared, regardless of how many places each takes. */
  readonly count: number;
  /**
   * Ends all sessions with a close code and accepts no new ones. Settles when all are gone. Clients that do not answer
   * are cut off after a second.
   */
  close(code: number, reason: string): Promise<void>;
}

export interface Wanted {
  /** Default: 1. 0 for a client of a session that has its places already. */
  readonly places?: number;
  /**
   * Counts the places among those of their caller. Default: they are not counted.
   *
   * @throws {GatewayError} too_many_sessions
   */
  readonly take?: ((places: number) => { release(): void }) | undefined;
  /** See `Caller`. Default: the caller may go on for ever. */
  readonly whyOver?: WhyOver | undefined;
}

export interface Slot {
  /** Ties the places to a session that has begun. They are freed when it ends. */
  hold(session: Bridged): void;
  /** Frees the places of a session that did not begin. Idempotent. */
  release(): void;
}

/** A live client answers a close at once. Shutdown does not wait longer for others. */
const farewellMs = 1000;

export interface RegistryOptions {
  /** Number of places. */
  readonly most: number;
  /** Called for each session that gets its places. */
  readonly onBegin?: () => void;
  /** Default: callers may go on for ever. */
  readonly overWatch?: OverWatch;
}

export function createSessionRegistry({ most, onBegin, overWatch }: RegistryOptions): SessionRegistry {
  const open = new Set<Bridged>();
  const pending = new Set<(why: GatewayError) => void>();
  let count = 0;
  let taken = 0;
  let closing: { readonly code: number; readonly reason: string } | undefined;
  const refusal = (): GatewayError =>
    new GatewayError("shutting_down", "The gateway is shutting down: no new sessions");
  return {
    most,
    get count() {
      return count;
    },
    reserve(onClosing, { places = 1, take, whyOver } = {}) {
      if (closing) throw refusal();
      const ofCaller = places === 0 ? undefined : take?.(places);
      if (taken + places > most) {
        ofCaller?.release();
        const needed = places === 1 ? "" : `, ${places} are needed, one for each port`;
        throw limitRefusal(
          `Cannot open a session: ${most - taken} of ${most} places are free${needed}`,
          { limit: "allSessions", max: most, setting: "--max-sessions" },
          { code: "too_many_sessions" },
        );
      }
      const isNew = places > 0;
      if (isNew) {
        onBegin?.();
        count++;
      }
      taken += places;
      pending.add(onClosing);
      let given = false;
      let held: Bridged | undefined;
      const unwatch = overWatch?.watch(whyOver, (why) => {
        if (held === undefined) onClosing(new GatewayError("unauthenticated", why));
        else held.end(closeCode.unauthenticated, why, farewellMs);
      });
      const release = (): void => {
        if (given) return;
        given = true;
        unwatch?.();
        pending.delete(onClosing);
        if (isNew) count--;
        taken -= places;
        ofCaller?.release();
      };
      return {
        release,
        hold(session) {
          pending.delete(onClosing);
          open.add(session);
          held = session;
          void session.ended.finally(() => {
            open.delete(session);
            release();
          });
          if (closing) session.end(closing.code, closing.reason, farewellMs);
        },
      };
    },
    async close(code, reason) {
      closing = { code, reason };
      for (const onClosing of pending) onClosing(refusal());
      for (const session of open) session.end(code, reason, farewellMs);
      while (open.size > 0) await Promise.all([...open].map(({ ended }) => ended));
    },
  };
}

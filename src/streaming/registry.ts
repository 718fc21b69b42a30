/** The sessions that are open: counted, capped, and ended together. */
import { GatewayError } from "../errors.ts";
import type { Bridged } from "./bridge.ts";

export interface SessionRegistry {
  /**
   * Takes a place before anything is asked of the runtime. Give it back with `release`, or hand it to the
   * session with `hold`. `giveUp` is called when all is to end before either has happened.
   *
   * @throws {GatewayError} `too_many_sessions`; `shutting_down`.
   */
  reserve(giveUp: (why: GatewayError) => void): Place;
  /** Sessions that are open or about to be. */
  readonly count: number;
  /**
   * Ends all sessions with a close code and takes no more. Settles when they are gone; clients that do not
   * answer are cut off after a second.
   */
  close(code: number, reason: string): Promise<void>;
}

export interface Place {
  /** The session stands: the place is given back when it has ended. */
  hold(session: Bridged): void;
  /** It did not come to a session. May be called again. */
  release(): void;
}

/** Who is there answers at once; a gateway that ends waits for no other. */
const farewellMs = 1000;

export function createSessionRegistry({ most }: { readonly most: number }): SessionRegistry {
  const open = new Set<Bridged>();
  const pending = new Set<(why: GatewayError) => void>();
  let taken = 0;
  let closing: { readonly code: number; readonly reason: string } | undefined;
  const refusal = (): GatewayError =>
    new GatewayError("shutting_down", "The gateway is shutting down: no new sessions");
  return {
    get count() {
      return taken;
    },
    reserve(giveUp) {
      if (closing) throw refusal();
      if (taken >= most) {
        throw new GatewayError("too_many_sessions", `Cannot open a session: ${most} are open already`);
      }
      taken++;
      pending.add(giveUp);
      let given = false;
      const release = (): void => {
        if (given) return;
        given = true;
        pending.delete(giveUp);
        taken--;
      };
      return {
        release,
        hold(session) {
          pending.delete(giveUp);
          open.add(session);
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
      for (const giveUp of pending) giveUp(refusal());
      for (const session of open) session.end(code, reason, farewellMs);
      while (open.size > 0) await Promise.all([...open].map(({ ended }) => ended));
    },
  };
}

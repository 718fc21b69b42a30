/** The sessions that are open: counted, capped, and ended together. */
import { GatewayError } from "../errors.ts";
import type { Bridged } from "./bridge.ts";

export interface SessionRegistry {
  /**
   * Takes a place before anything is asked of the runtime. Give it back with `release`, or hand it to the
   * session with `hold`.
   *
   * @throws {GatewayError} `too_many_sessions`; `shutting_down`.
   */
  reserve(): Place;
  /** Sessions that are open or about to be. */
  readonly count: number;
  /** Ends all sessions with a close code and takes no more. Settles when they are gone. */
  close(code: number, reason: string): Promise<void>;
}

export interface Place {
  /** The session stands: the place is given back when it has ended. */
  hold(session: Bridged): void;
  /** It did not come to a session. May be called again. */
  release(): void;
}

export function createSessionRegistry({ most }: { readonly most: number }): SessionRegistry {
  const open = new Set<Bridged>();
  let taken = 0;
  let closing = false;
  return {
    get count() {
      return taken;
    },
    reserve() {
      if (closing) throw new GatewayError("shutting_down", "The gateway is shutting down: no new sessions");
      if (taken >= most) {
        throw new GatewayError("too_many_sessions", `Cannot open a session: ${most} are open already`);
      }
      taken++;
      let given = false;
      const release = (): void => {
        if (given) return;
        given = true;
        taken--;
      };
      return {
        release,
        hold(session) {
          open.add(session);
          void session.ended.finally(() => {
            open.delete(session);
            release();
          });
        },
      };
    },
    async close(code, reason) {
      closing = true;
      const sessions = [...open];
      for (const session of sessions) session.end(code, reason);
      await Promise.all(sessions.map(({ ended }) => ended));
    },
  };
}

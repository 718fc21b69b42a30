/**
 * The sessions that wait for their clients when a connection is lost.
 *
 * A session belongs to the caller who began it: to all others it does not exist. The operator sees and ends those of
 * everyone, but connects to its own only.
 */
import { randomUUID } from "node:crypto";
import type { Caller } from "../access/authorize.ts";
import { GatewayError } from "../errors.ts";
import type { WhyOver } from "../server/over-watch.ts";
import type { KeptSession } from "../streaming/kept/kept-session.ts";

/** A session and whose it is. */
export interface OwnedSession {
  readonly session: KeptSession;
  /** As it was authenticated last: a caller may come back with a newer token. */
  readonly owner: Caller;
}

export interface KeptSessions {
  /** Keeps a session until it has ended. */
  add(session: KeptSession, owner: Owner): void;
  /** One of the caller's own. @throws {GatewayError} not_found */
  own(caller: Caller, id: string): KeptSession;
  /** One that the caller may end. @throws {GatewayError} not_found */
  visible(caller: Caller, id: string): OwnedSession;
  /** All that the caller may see, in the order in which they began. */
  visibleTo(caller: Caller): readonly OwnedSession[];
  /** The caller has connected to the session: from now on, it lasts as long as this one may go on. */
  renew(id: string, caller: Caller): void;
}

/** The caller of a session, as it was authenticated last. */
export interface Owner {
  caller: Caller;
  /** Why it may not go on. */
  readonly whyOver: WhyOver;
}

export function createOwner(caller: Caller): Owner {
  const owner: Owner = { caller, whyOver: () => owner.caller.whyOver?.() };
  return owner;
}

/** Ids are not secret, but nobody can guess one. */
export const newSessionId = (): string => randomUUID();

/** A caller has the same name however often its token is renewed, and nobody else has. */
const isSame = (one: Caller, other: Caller): boolean => one.name === other.name && one.by === other.by;
const isOperator = ({ by }: Caller): boolean => by === undefined;

export function createKeptSessions(): KeptSessions {
  const sessions = new Map<string, { readonly session: KeptSession; readonly owner: Owner }>();

  const isOwn = (caller: Caller, { owner }: { readonly owner: Owner }): boolean =>
    isSame(caller, owner.caller) && owner.whyOver() === undefined;

  function find(id: string, isSeen: (one: { readonly owner: Owner }) => boolean) {
    const found = sessions.get(id);
    if (found !== undefined && isSeen(found)) return found;
    throw new GatewayError(
      "not_found",
      `Cannot find session ${JSON.stringify(id.slice(0, 64))} of this caller: it has ended, or the gateway was restarted; GET /v1/sessions lists those that are kept`,
    );
  }
  const seenBy = (caller: Caller) => (one: { readonly owner: Owner }) =>
    isOperator(caller) || isOwn(caller, one);

  return {
    add(session, owner) {
      sessions.set(session.id, { session, owner });
      void session.ended.finally(() => sessions.delete(session.id));
    },
    own: (caller, id) => find(id, (one) => isOwn(caller, one)).session,
    visible(caller, id) {
      const { session, owner } = find(id, seenBy(caller));
      return { session, owner: owner.caller };
    },
    visibleTo: (caller) =>
      [...sessions.values()]
        .filter(seenBy(caller))
        .map(({ session, owner }) => ({ session, owner: owner.caller })),
    renew(id, caller) {
      const found = sessions.get(id);
      if (found !== undefined) found.owner.caller = caller;
    },
  };
}

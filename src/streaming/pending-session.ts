/**
 * What is prepared for a client that waits for its WebSocket.
 *
 * Invariant: nothing begins for one that has left, and nothing stays behind, whether the client leaves, a
 * step fails, the gateway ends or the WebSocket does not come about.
 */
import type { Socket as Connection } from "node:net";
import { CallCancelled } from "../cri/channel.ts";
import type { Bridged } from "./bridge.ts";
import type { SessionRegistry } from "./registry.ts";
import type { Socket } from "./socket.ts";

/** A session that stands at the runtime's side. One of the two is called, once. */
export interface Prepared {
  readonly begin: (socket: Socket, connection: Connection) => Bridged;
  /** There will be no WebSocket. */
  readonly abandon: () => void;
}

/** Whose connection a session is prepared for. */
export interface WaitingClient {
  /** Why there is nobody to prepare for any more: the client has left, or the gateway is to end. */
  readonly gone: Error | undefined;
  /** To be called before each step. @throws {Error} `gone`. */
  check(): void;
  /** Called with what gives the step under way up. */
  readonly onCancel: (cancel: () => void) => void;
}

/** Where a session is counted. */
export interface Counted {
  readonly registry: SessionRegistry;
  /** Places in the registry that the session takes. */
  readonly places: number;
}

/**
 * Prepares a session that has its places in the registry, and returns what begins it.
 *
 * @throws {GatewayError} what `prepare` throws; `too_many_sessions`; `shutting_down`.
 * @throws {CallCancelled} when the client has left.
 */
export async function prepareSession(
  connection: Connection,
  { registry, places }: Counted,
  prepare: (client: WaitingClient) => Promise<Prepared>,
): Promise<(socket: Socket) => void> {
  const { client, giveUp, unwatch } = watch(connection);
  try {
    const place = registry.reserve(giveUp, places);
    try {
      client.check();
      const session = await prepare(client);
      const drop = (): void => {
        session.abandon();
        place.release();
      };
      connection.once("close", drop);
      return (socket) => {
        place.hold(session.begin(socket, connection));
        connection.off("close", drop);
      };
    } catch (error) {
      place.release();
      throw client.gone ?? error;
    }
  } finally {
    unwatch();
  }
}

/** Notices that a client leaves. Before the 101 the end of its side alone says so. */
function watch(connection: Connection) {
  const cancels: (() => void)[] = [];
  let gone: Error | undefined;

  function giveUp(why: Error): void {
    if (gone) return;
    gone = why;
    for (const cancel of cancels) cancel();
  }
  function leave(): void {
    giveUp(new CallCancelled("The client left before the session stood"));
    connection.destroy();
  }

  if (connection.destroyed || connection.readableEnded) leave();
  connection.on("end", leave);
  connection.on("close", leave);
  const client: WaitingClient = {
    get gone() {
      return gone;
    },
    check() {
      if (gone) throw gone;
    },
    onCancel: (cancel) => void cancels.push(cancel),
  };
  return {
    client,
    giveUp,
    unwatch() {
      // A session keeps this closure alive, which would keep the calls of its preparation: 25 KB each.
      cancels.length = 0;
      connection.off("end", leave);
      connection.off("close", leave);
    },
  };
}

/**
 * Prepares a session for a client that waits for its WebSocket.
 *
 * Invariant: no step starts for a client that has left, and nothing stays open if the client leaves, a step fails, the
 * gateway shuts down, or the WebSocket never opens.
 */
import type { Socket as Connection } from "node:net";
import { CallCancelled } from "../cri/channel.ts";
import type { Bridged } from "./bridge.ts";
import type { SessionRegistry, Wanted } from "./registry.ts";
import type { Socket } from "./socket.ts";

/** A session that is open on the runtime's side. Exactly one of the two functions is called, once. */
export interface PendingSession {
  readonly begin: (socket: Socket, connection: Connection) => Bridged;
  /** Closes the session if no WebSocket will open. */
  readonly close: () => void;
}

/** The client that a session is prepared for. */
export interface WaitingClient {
  /** Why to stop preparing: the client has left, or the gateway is shutting down. */
  readonly gone: Error | undefined;
  /** Call it before each step. @throws {Error} `gone` */
  check(): void;
  /** Registers a function that cancels the current step. */
  readonly onCancel: (cancel: () => void) => void;
}

/** The registry that limits sessions, and what this session takes of it. */
export interface Counted extends Wanted {
  readonly registry: SessionRegistry;
}

/**
 * Reserves the places, prepares the session, and returns a function that starts it.
 *
 * @throws {GatewayError} too_many_sessions, shutting_down, or any error of `prepare`.
 * @throws {CallCancelled} when the client has left.
 */
export async function prepareSession(
  connection: Connection,
  { registry, ...wanted }: Counted,
  prepare: (client: WaitingClient) => Promise<PendingSession>,
): Promise<(socket: Socket) => Bridged> {
  const { client, giveUp, unwatch } = watch(connection);
  try {
    const place = registry.reserve(giveUp, wanted);
    try {
      client.check();
      const session = await prepare(client);
      const drop = (): void => {
        session.close();
        place.release();
      };
      connection.once("close", drop);
      return (socket) => {
        const begun = session.begin(socket, connection);
        place.hold(begun);
        connection.off("close", drop);
        return begun;
      };
    } catch (error) {
      place.release();
      throw client.gone ?? error;
    }
  } finally {
    unwatch();
  }
}

/** Detects that a client leaves. Before the 101 response, only the end of its side shows that. */
function watch(connection: Connection) {
  const cancels: (() => void)[] = [];
  let gone: Error | undefined;

  function giveUp(why: Error): void {
    if (gone) return;
    gone = why;
    for (const cancel of cancels) cancel();
  }
  function leave(): void {
    giveUp(new CallCancelled("The client disconnected before the session was open"));
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
      // A session keeps this closure alive, and with it the calls made to prepare it: 25 KB each.
      cancels.length = 0;
      connection.off("end", leave);
      connection.off("close", leave);
    },
  };
}

/**
 * The open connections of a server, and which of them have to make room for new ones.
 *
 * Anyone who reaches the port can open connections. As long as no valid token has come over one, it may have to make
 * room: the oldest goes, and the newest stays, so that nobody who sends a request at once is locked out by others who
 * send nothing. The tables hold only connections that are open.
 */
import type { Socket } from "node:net";
import { peerKey } from "./peer-address.ts";

/** Why a connection was closed: its address has too many, or all together are too many. */
export type Crowding = "address" | "all";

export interface Connections {
  /** Notes a new connection, until it closes. Closes another one if there are too many, or this one. */
  add(socket: Socket): void;
  /** A valid token has come over the connection: it stays. */
  trust(socket: Socket): void;
  /** Number of connections without a valid token. */
  readonly untrusted: number;
  /**
   * Among how many untrusted connections the newest shares, if every address gets the same share: addresses times the
   * connections of its own.
   */
  readonly sharers: number;
}

export interface ConnectionsOptions {
  /** Maximum number of untrusted connections of one address; for IPv6 of one /64. Not for Unix sockets. */
  readonly perAddress?: number | undefined;
  /** Maximum number of all connections. Default: no limit. */
  readonly max?: number | undefined;
  readonly closed?: ((why: Crowding) => void) | undefined;
}

export function createConnections({
  perAddress = Number.POSITIVE_INFINITY,
  max = Number.POSITIVE_INFINITY,
  closed,
}: ConnectionsOptions = {}): Connections {
  /** Untrusted connections and their groups, the oldest first. */
  const untrusted = new Map<Socket, string>();
  /** By address, the oldest first. */
  const groups = new Map<string, Set<Socket>>();
  const open = new Set<Socket>();
  let newest = "";
  let arriving: Socket | undefined;

  function leaveGroup(socket: Socket): void {
    const key = untrusted.get(socket);
    if (key === undefined) return;
    untrusted.delete(socket);
    const group = groups.get(key);
    group?.delete(socket);
    if (group?.size === 0) groups.delete(key);
  }

  function leave(socket: Socket): void {
    open.delete(socket);
    leaveGroup(socket);
  }

  function close(socket: Socket | undefined, why: Crowding): void {
    if (socket === undefined) return;
    leave(socket);
    // Later for one that others are about to be told of.
    if (socket === arriving) process.nextTick(() => socket.destroy());
    else socket.destroy();
    closed?.(why);
  }

  return {
    add(socket) {
      const key = peerKey(socket.remoteAddress) ?? unixKey;
      const group = groups.get(key) ?? new Set();
      groups.set(key, group.add(socket));
      untrusted.set(socket, key);
      newest = key;
      arriving = socket;
      open.add(socket);
      socket.once("close", () => leave(socket));
      const [oldestOfAddress] = group;
      const [oldest] = untrusted.keys();
      if (key !== unixKey && group.size > perAddress) close(oldestOfAddress, "address");
      // Whoever opens many makes room itself.
      else if (open.size > max) close(group.size > 1 ? oldestOfAddress : oldest, "all");
      arriving = undefined;
    },
    trust: leaveGroup,
    get untrusted() {
      return untrusted.size;
    },
    get sharers() {
      return Math.max(groups.size, 1) * Math.max(groups.get(newest)?.size ?? 0, 1);
    },
  };
}

const unixKey = "unix";

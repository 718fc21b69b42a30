import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import type { Socket } from "node:net";
import { test } from "node:test";
import { type Crowding, createConnections } from "../../../src/limits/connections.ts";

interface FakeSocket extends EventEmitter {
  isDestroyed: boolean;
}

function socketFrom(remoteAddress: string | undefined): Socket & FakeSocket {
  const socket = Object.assign(new EventEmitter(), {
    remoteAddress,
    isDestroyed: false,
    destroy() {
      socket.isDestroyed = true;
      // Node tells it later.
      queueMicrotask(() => socket.emit("close"));
    },
  });
  return socket as unknown as Socket & FakeSocket;
}

function opened(
  connections: ReturnType<typeof createConnections>,
  addresses: readonly (string | undefined)[],
) {
  return addresses.map((address) => {
    const socket = socketFrom(address);
    connections.add(socket);
    return socket;
  });
}

const states = (sockets: readonly FakeSocket[]): string =>
  sockets.map(({ isDestroyed }) => (isDestroyed ? "-" : "+")).join("");

test("the oldest connection of an address makes room for its newest, and no other address's", () => {
  const reasons: Crowding[] = [];
  const connections = createConnections({ perAddress: 3, closed: (why) => reasons.push(why) });
  const [other] = opened(connections, ["192.0.2.9"]);
  const sockets = opened(
    connections,
    Array.from({ length: 5 }, () => "192.0.2.1"),
  );
  assert.equal(states(sockets), "--+++");
  assert.equal(other?.isDestroyed, false);
  assert.deepEqual(reasons, ["address", "address"]);
});

test("a connection over which a valid token has come never makes room", () => {
  const connections = createConnections({ perAddress: 2, max: 4 });
  const trusted = opened(connections, ["192.0.2.1", "192.0.2.1"]);
  for (const socket of trusted) connections.trust(socket);
  const others = opened(
    connections,
    Array.from({ length: 6 }, () => "192.0.2.1"),
  );
  assert.equal(states(trusted), "++");
  assert.equal(states(others), "----++");
});

test("when all places are taken, whoever opens many makes room itself", () => {
  const connections = createConnections({ max: 5 });
  const [honest] = opened(connections, ["192.0.2.9"]);
  const flood = opened(
    connections,
    Array.from({ length: 50 }, () => "192.0.2.1"),
  );
  assert.equal(honest?.isDestroyed, false);
  assert.equal(states(flood).slice(-4), "++++");
  const [late] = opened(connections, ["192.0.2.8"]);
  assert.equal(late?.isDestroyed, false, "a newcomer gets in, the oldest goes");
  assert.equal(honest?.isDestroyed, true);
});

test("when valid tokens hold all places, the newcomer is refused", async () => {
  const connections = createConnections({ max: 2 });
  for (const socket of opened(connections, ["192.0.2.1", "192.0.2.2"])) connections.trust(socket);
  const [late] = opened(connections, ["192.0.2.3"]);
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(late?.isDestroyed, true);
});

test("connections over a Unix socket count only together", () => {
  const connections = createConnections({ perAddress: 1, max: 4 });
  assert.equal(states(opened(connections, [undefined, undefined, undefined, undefined])), "++++");
  assert.equal(states(opened(connections, [undefined])), "+");
});

test("connections from a million IPv6 networks leave nothing behind", async () => {
  const connections = createConnections({ perAddress: 2, max: 100 });
  for (let number = 0; number < 1_000_000; number++) {
    const address = `2001:db8:${(number >> 16).toString(16)}:${(number & 0xffff).toString(16)}::1`;
    connections.add(socketFrom(address));
    if (number % 1000 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  assert.equal(connections.untrusted, 100);
  assert.equal(connections.sharers, 100);
});

test("closed connections are forgotten, trusted or not", () => {
  const connections = createConnections({ max: 2 });
  const sockets = opened(connections, ["192.0.2.1", "192.0.2.1"]);
  for (const socket of sockets) {
    connections.trust(socket);
    socket.emit("close");
  }
  assert.equal(connections.untrusted, 0);
  assert.equal(states(opened(connections, ["192.0.2.1", "192.0.2.1"])), "++");
});

test("sharers: many connections of one address leave another its own share", () => {
  const connections = createConnections();
  opened(
    connections,
    Array.from({ length: 4000 }, () => "192.0.2.1"),
  );
  assert.equal(connections.sharers, 4000);
  opened(connections, ["192.0.2.9"]);
  assert.equal(connections.sharers, 2);
});

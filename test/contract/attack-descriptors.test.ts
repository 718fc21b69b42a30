/** Idle connections that use up the open files of the process. */
import assert from "node:assert/strict";
import { connect, type Socket } from "node:net";
import { type TestContext, test } from "node:test";
import { eventually } from "../support/eventually.ts";
import { type SpawnedGateway, spawnGateway, statusOf } from "./spawned-gateway.ts";

const maxOpenFiles = 300;

const opened = (port: number): Promise<Socket> =>
  new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => resolve(socket));
    socket.on("error", () => undefined);
  });

/** Opens more connections than the gateway may have open files; answers those that stay. */
async function flood(t: TestContext, { port }: SpawnedGateway): Promise<readonly Socket[]> {
  const sockets = await Promise.all(Array.from({ length: maxOpenFiles + 100 }, () => opened(port)));
  t.after(() => {
    for (const socket of sockets) socket.destroy();
  });
  // The gateway closes what it does not take.
  await eventually(() => sockets.some((socket) => socket.closed));
  return sockets;
}

/** The status that a WebSocket handshake on an open connection gets. */
function handshake({ token, container }: SpawnedGateway, socket: Socket): Promise<number> {
  socket.write(
    [
      `GET ${container}/exec?command=cat HTTP/1.1`,
      "Host: 127.0.0.1",
      `Authorization: Bearer ${token}`,
      "Connection: Upgrade",
      "Upgrade: websocket",
      "Sec-WebSocket-Version: 13",
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
      "\r\n",
    ].join("\r\n"),
  );
  return new Promise((resolve, reject) => {
    socket.once("data", (bytes) => resolve(Number(bytes.toString("latin1").split(" ")[1])));
    socket.once("close", () => reject(new Error("the connection was closed")));
  });
}

test("a session opens while idle connections hold every open file that clients may have", async (t) => {
  const gateway = await spawnGateway(t, { maxOpenFiles, flags: ["--max-sessions=10"] });
  await flood(t, gateway);
  // The oldest of them makes room.
  const mine = await opened(gateway.port);
  t.after(() => mine.destroy());
  assert.equal(await handshake(gateway, mine), 101);
  await flood(t, gateway);
  assert.equal(mine.closed, false);
  await eventually(() =>
    /Closed a connection without a valid token: \d+ are open/.test(gateway.process.output()),
  );
});

test("sessions and pages work after a flood, whatever was asked during it", async (t) => {
  const gateway = await spawnGateway(t, { maxOpenFiles, flags: ["--max-sessions=10"] });
  const sockets = [...(await flood(t, gateway))];
  const early = await opened(gateway.port);
  sockets.push(early);
  await handshake(gateway, early);
  for (const socket of sockets) socket.destroy();
  await eventually(async () => (await statusOf(gateway, "/livez")) === 200);
  const mine = await opened(gateway.port);
  t.after(() => mine.destroy());
  assert.equal(await handshake(gateway, mine), 101);
  for (const path of ["/docs", "/docs/problems", "/openapi.json"]) {
    assert.equal(await statusOf(gateway, path), 200, path);
  }
});

test("a gateway that may have too few open files for its sessions says so", async (t) => {
  const gateway = await spawnGateway(t, { maxOpenFiles });
  await eventually(() => /too few open files for 1000 sessions: it takes 86/.test(gateway.process.output()));
});

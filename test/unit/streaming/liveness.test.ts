import assert from "node:assert/strict";
import { once } from "node:events";
import { describe, test } from "node:test";
import { keepAlive, type Limits } from "../../../src/streaming/liveness.ts";
import { eventually } from "../../support/eventually.ts";
import { webSocketPair } from "../../support/spdy-sockets.ts";

const never: Limits = { pingMs: 60_000, idleMs: 0, maxMs: 0, graceMs: 60_000 };

/** How a client saw its end. */
async function closeOf(client: NodeJS.EventEmitter): Promise<readonly [number, string]> {
  const [code, reason] = (await once(client, "close")) as [number, Buffer];
  return [code, reason.toString()];
}

// Each waits for a time of its own.
describe("keepAlive()", { concurrency: true }, () => {
  test("pings go out, and a client that answers them stays", async (t) => {
    const [client, server] = await webSocketPair(t);
    const live = keepAlive(server, { ...never, pingMs: 10, graceMs: 1500 });
    let pings = 0;
    client.on("ping", () => pings++);
    const begun = performance.now();
    await eventually(() => pings >= 20 && performance.now() - begun > 2000);
    assert.equal(live.open, true);
    assert.equal(client.readyState, client.OPEN);
  });

  test("a client that answers no ping is cut off after ping and grace", async (t) => {
    const [client, server] = await webSocketPair(t, { silent: true });
    const live = keepAlive(server, { ...never, pingMs: 20, graceMs: 100 });
    const begun = performance.now();
    const [[code]] = await Promise.all([closeOf(client), live.closed]);
    assert.ok(performance.now() - begun >= 120);
    assert.equal(code, 1006);
  });

  test("a client that sends messages is there, with or without pongs", async (t) => {
    const [client, server] = await webSocketPair(t, { silent: true });
    const live = keepAlive(server, { ...never, pingMs: 20, graceMs: 1500 });
    server.on("message", () => live.heard());
    const begun = performance.now();
    await eventually(() => {
      client.send("x");
      return performance.now() - begun > 2000;
    });
    assert.equal(live.open, true);
    await live.closed;
  });

  test("a client that has output before it may take its time to answer, and to type", async (t) => {
    const [client, server] = await webSocketPair(t);
    const live = keepAlive(server, { ...never, pingMs: 10, graceMs: 300 });
    server.on("message", () => live.heard());
    let pongs = 0;
    server.on("pong", () => pongs++);
    await eventually(() => pongs > 0);
    server.send("something to read");
    live.sent();
    client.pause();
    const begun = performance.now();
    await eventually(() => {
      if (performance.now() - begun < 100) client.send("typed blindly");
      return performance.now() - begun > 1000;
    });
    assert.equal(server.readyState, server.OPEN);
    pongs = 0;
    client.resume();
    await eventually(() => pongs > 0);
    client.pause();
    await live.closed;
  });

  test("an answer that was on its way when output went out does not tell that it was read", async (t) => {
    const [client, server] = await webSocketPair(t, { silent: true });
    const live = keepAlive(server, { ...never, pingMs: 10, graceMs: 300 });
    const numbers: Buffer[] = [];
    client.on("ping", (data: Buffer) => numbers.push(data));
    await eventually(() => numbers.length > 0);
    server.send("something to read");
    live.sent();
    client.pong(numbers.at(-1));
    // Unasked, or of a number that nobody gave.
    for (const data of ["", "999999999", "x"]) client.pong(data);
    const begun = performance.now();
    await eventually(() => performance.now() - begun > 1000);
    assert.equal(server.readyState, server.OPEN);
  });

  test("a session in which nothing is sent ends after the idle limit, with its code", async (t) => {
    const [client, server] = await webSocketPair(t);
    const begun = performance.now();
    keepAlive(server, { ...never, pingMs: 10, idleMs: 100 });
    assert.deepEqual(await closeOf(client), [4408, "idle for too long"]);
    assert.ok(performance.now() - begun >= 100);
  });

  test("either direction keeps a session from being idle, pings do not", async (t) => {
    const either = async (direction: "heard" | "sent"): Promise<void> => {
      const [client, server] = await webSocketPair(t);
      const live = keepAlive(server, { ...never, pingMs: 10, idleMs: 1500 });
      const begun = performance.now();
      await eventually(() => {
        live[direction]();
        return performance.now() - begun > 2000;
      });
      assert.equal(live.open, true, direction);
      assert.deepEqual(await closeOf(client), [4408, "idle for too long"]);
    };
    await Promise.all([either("heard"), either("sent")]);
  });

  test("the absolute limit ends a session however busy it is", async (t) => {
    const [client, server] = await webSocketPair(t);
    const live = keepAlive(server, { ...never, pingMs: 10, idleMs: 5000, maxMs: 200 });
    const busy = setInterval(live.heard, 5);
    t.after(() => clearInterval(busy));
    const begun = performance.now();
    assert.deepEqual(await closeOf(client), [4408, "the session reached its time limit"]);
    assert.ok(performance.now() - begun >= 200);
  });

  test("while paused, pongs go out unasked and nobody is taken for dead", async (t) => {
    const [client, server] = await webSocketPair(t, { silent: true });
    const live = keepAlive(server, { ...never, pingMs: 10, graceMs: 50 });
    server.pause();
    let pongs = 0;
    client.on("pong", () => pongs++);
    await eventually(() => pongs >= 15);
    assert.equal(live.open, true);
    server.resume();
    await live.closed;
  });

  test("close() says its code once, also from a paused socket, and settles closed", async (t) => {
    const [client, server] = await webSocketPair(t);
    const live = keepAlive(server, never);
    server.pause();
    live.close(1000, "done");
    assert.equal(live.open, false);
    live.close(4500, "again");
    const [seen] = await Promise.all([closeOf(client), live.closed]);
    assert.deepEqual(seen, [1000, "done"]);
  });

  test("a client that does not answer the close is cut off after the grace", async (t) => {
    const [client, server] = await webSocketPair(t);
    client.pause();
    const live = keepAlive(server, { ...never, graceMs: 50 });
    const begun = performance.now();
    live.close(1000, "");
    await live.closed;
    assert.ok(performance.now() - begun >= 49);
  });

  test("a shorter grace counts, also for a close that has begun", async (t) => {
    const [client, server] = await webSocketPair(t);
    client.pause();
    const live = keepAlive(server, { ...never, graceMs: 3_600_000 });
    live.close(1000, "");
    live.close(1001, "", 50);
    live.close(1001, "", 3_600_000);
    await live.closed;
  });

  test("a close after the socket has closed starts no timer, which would keep the session in memory", async (t) => {
    const [client, server] = await webSocketPair(t);
    const live = keepAlive(server, { ...never, graceMs: 50 });
    let terminated = 0;
    server.terminate = () => void terminated++;
    client.close();
    await live.closed;
    live.close(1000, "");
    await new Promise((resolve) => setTimeout(resolve, 200));
    assert.equal(terminated, 0);
  });

  test("closed settles when the client goes, in order or not", async (t) => {
    for (const go of ["close", "terminate"] as const) {
      const [client, server] = await webSocketPair(t);
      const live = keepAlive(server, never);
      client[go]();
      await live.closed;
    }
  });

  test("a socket's error crashes nobody", async (t) => {
    const [client, server] = await webSocketPair(t);
    const live = keepAlive(server, never);
    server.emit("error", new Error("reset"));
    client.terminate();
    await live.closed;
  });
});

/** Many readers of events: one subscription for all, and one that does not read harms nobody. */
import assert from "node:assert/strict";
import { connect, type Socket } from "node:net";
import { type TestContext, test } from "node:test";
import { eventually } from "../support/eventually.ts";
import { type LiveGateway, liveGateway, token } from "./live-gateway.ts";

interface SseReader {
  readonly socket: Socket;
  /** Events of this type that have come. */
  count(type: string): number;
  readonly ended: boolean;
}

function sseReader(t: Pick<TestContext, "after">, { port }: LiveGateway, query = ""): SseReader {
  const socket = connect(port, "127.0.0.1");
  t.after(() => socket.destroy());
  const counts = new Map<string, number>();
  let rest = "";
  let ended = false;
  socket.setEncoding("latin1");
  socket.on("error", () => undefined);
  socket.on("close", () => {
    ended = true;
  });
  socket.on("end", () => {
    ended = true;
  });
  socket.on("data", (text) => {
    rest += String(text);
    let end = 0;
    for (const match of rest.matchAll(/"type":"([a-z.]+)"/g)) {
      const [whole, type = ""] = match;
      counts.set(type, (counts.get(type) ?? 0) + 1);
      end = match.index + whole.length;
    }
    // The beginning of a match may be at the end of this piece.
    rest = rest.slice(Math.max(end, rest.length - 40));
  });
  socket.write(
    `GET /v1/events?watch=true${query} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${token}\r\nAccept: text/event-stream\r\n\r\n`,
  );
  return {
    socket,
    count: (type) => counts.get(type) ?? 0,
    get ended() {
      return ended;
    },
  };
}

const patient = { timeoutMs: 60_000, intervalMs: 50 };

test("1,000 readers share one subscription, one of them stuck: all others get every event, memory is bounded", async (t) => {
  const gateway = await liveGateway(t, "containerd-2.1", { events: { listEveryMs: 600_000, lingerMs: 200 } });
  const { fake } = gateway;
  const { id } = fake.addContainer({ state: "running", labels: { filler: "x".repeat(8000) } });
  const stuck = sseReader(t, gateway);
  await eventually(() => stuck.count("bookmark") === 1, patient);
  // Most want only exits: what is measured is not the bandwidth of this machine.
  const readers = Array.from({ length: 5 }, () => sseReader(t, gateway));
  const others = Array.from({ length: 994 }, () => sseReader(t, gateway, "&type=container.exited"));
  const all = [...readers, ...others];
  await eventually(() => all.every((reader) => reader.count("bookmark") === 1), patient);
  assert.equal(fake.containerdEvents.subscribers, 1);
  stuck.socket.pause();

  // More than the sockets and the queue of the stuck reader hold: 8 KB each.
  const events = 1500;
  const before = process.memoryUsage().rss;
  for (let sent = 0; sent < events; sent += 50) {
    for (let i = 0; i < 50; i++)
      fake.containerdEvents.publish("/tasks/exec-started", { containerId: id, execId: `e${sent + i}` });
    // At the pace of readers that read: it is the stuck one that shall fall behind.
    await eventually(() => readers.every((reader) => reader.count("container.exec") >= sent + 50), patient);
  }
  const created = await gateway.ask("POST /v1/pods", { metadata: { name: "while-one-is-stuck" } });
  assert.equal(created.status, 201, created.text);
  await fake.exitContainer(id, 0);
  await eventually(() => all.every((reader) => reader.count("container.exited") === 1), patient);
  assert.ok(all.every((reader) => reader.count("gap") === 0 && !reader.ended));
  const grownMb = (process.memoryUsage().rss - before) / 2 ** 20;
  assert.ok(grownMb < 300, `${grownMb} MB`);

  stuck.socket.resume();
  await eventually(() => stuck.count("gap") === 1, patient);
  assert.ok(stuck.count("container.exec") < events);

  for (const reader of all) reader.socket.destroy();
  await eventually(() => fake.containerdEvents.subscribers === 0, patient);
});

test("a client that leaves before its first item leaves no reader behind", async (t) => {
  const gateway = await liveGateway(t, "containerd-2.1", { events: { listEveryMs: 600_000, lingerMs: 50 } });
  for (let i = 0; i < 20; i++) {
    const reader = sseReader(t, gateway);
    await eventually(() => reader.socket.bytesWritten > 0);
    reader.socket.destroy();
  }
  const last = sseReader(t, gateway);
  await eventually(() => last.count("bookmark") === 1);
  last.socket.destroy();
  await eventually(() => gateway.fake.containerdEvents.subscribers === 0);
});

/** Port-forwarding into a pod of the real containerd: framing, refusals, bulk, peers that do not read. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { eventually, untilStill } from "../support/eventually.ts";
import { watchMemory } from "../support/process-memory.ts";
import { type OpenOptions, openSession, refusal, type Session, v4 } from "./clients/session.ts";
import { anyProblemOf, problemOf } from "./support/api.ts";
import { reasonToSkip } from "./support/machine.ts";
import { exec, type Resource, runContainer, runPod, shell } from "./support/pods.ts";
import { useGateway } from "./support/suite.ts";

/** What listens in the pod. */
const port = { http: 8080, echo: 7000, deaf: 7001, greeter: 7002, recorder: 7003, nobody: 9 } as const;

const servers = `
mkdir /tmp/www; echo hello from the pod >/tmp/www/index.html; httpd -p ${port.http} -h /tmp/www
nc -ll -p ${port.echo} -e cat &
nc -ll -p ${port.deaf} -e sleep 3600 &
nc -ll -p ${port.greeter} -e echo greetings &
nc -ll -p ${port.recorder} -e sh -c 'cat >>/tmp/recorded; echo end >>/tmp/recorded' &
wait`;

const skip = await reasonToSkip();
let pod: Resource;
let container: Resource;
const crest = useGateway(skip, {
  async prepare(gateway) {
    pod = await runPod(gateway);
    container = await runContainer(gateway, pod, shell(servers));
    const listening = async () => {
      const { stdout } = await exec(gateway, container, "netstat -ltn | grep -c LISTEN");
      return Number(stdout) === 5;
    };
    await eventually(listening, busy);
  },
});

const MiB = 1024 * 1024;
/** Half of a transfer shows what it needs; how much more the rest may take of the gateway's memory. */
const mostRiseMiB = 32;
const busy = { timeoutMs: 30_000, intervalMs: 20 };

function forward(ports: readonly number[], options: OpenOptions = {}): Promise<Session> {
  return openSession(crest(), `${pod.path}/portforward`, {
    ...{ subprotocols: [v4], query: { ports } },
    ...options,
  });
}

function tunnel(to: number, options: OpenOptions = {}): Promise<Session> {
  return forward([to], { subprotocols: [], raw: true, ...options, query: { ports: to, raw: true } });
}

/** What came on the data channel of the port at `index`, without the port before it. */
const dataOf = (session: Session, index: number) => session.bytes(2 * index).subarray(2);
const errorOf = (session: Session, index: number) =>
  session
    .bytes(2 * index + 1)
    .subarray(2)
    .toString();

const get = "GET / HTTP/1.0\r\n\r\n";

test("two ports have two channels each, and each channel says its port first", { skip }, async () => {
  for (const subprotocols of [[v4], []]) {
    const session = await forward([port.http, port.echo], { subprotocols });
    assert.equal(session.socket.protocol, subprotocols[0] ?? "");
    await eventually(() => [0, 1, 2, 3].every((number) => session.bytes(number).length >= 2));
    const announced = [0, 1, 2, 3].map((number) => session.bytes(number).readUInt16LE());
    assert.deepEqual(announced, [port.http, port.http, port.echo, port.echo]);

    await session.send(2, "to the echo");
    await session.send(0, get);
    await eventually(() => dataOf(session, 1).toString() === "to the echo");
    await eventually(() => dataOf(session, 0).toString().endsWith("\r\n\r\nhello from the pod\n"));
    assert.deepEqual([errorOf(session, 0), errorOf(session, 1)], ["", ""]);
    await session.close();
  }
});

test("a raw tunnel has no channels and ends when the peer has ended", { skip }, async () => {
  const session = await tunnel(port.http);
  await session.send(0, get);
  assert.deepEqual(await session.ended, { code: 1000, reason: "" });
  assert.match(session.text(), /^HTTP\/1\.1 200 OK\r\n.*\r\n\r\nhello from the pod\n$/s);
});

test("what a peer sends before it leaves arrives, and then the session ends with 1000", {
  skip,
}, async () => {
  const session = await forward([port.greeter, port.greeter]);
  assert.deepEqual(await session.ended, { code: 1000, reason: "" });
  assert.deepEqual(
    [0, 1].map((index) => dataOf(session, index).toString()),
    ["greetings\n", "greetings\n"],
  );
});

test("a port that refuses says so on its error channel, and the other goes on", { skip }, async () => {
  const session = await forward([port.nobody, port.echo]);
  await eventually(() => errorOf(session, 0) !== "", busy);
  assert.match(errorOf(session, 0), /refused|failed to connect/);
  await session.send(2, "alive");
  await eventually(() => dataOf(session, 1).toString() === "alive", busy);
  assert.equal(errorOf(session, 1), "");
  await session.close();
});

test("a port that nothing listens on is refused before the upgrade", { skip }, async () => {
  for (const query of [{ ports: port.nobody }, { ports: port.nobody, raw: true }]) {
    const answer = await refusal(crest(), `${pod.path}/portforward`, { subprotocols: [v4], query });
    const { detail } = problemOf(answer, 409, "not_listening");
    assert.match(detail, new RegExp(`nothing listens on it in pod "${pod.id}"`));
  }
});

test("a client that leaves ends the peer's input, and what it sent before arrives", { skip }, async () => {
  const session = await tunnel(port.recorder);
  await session.send(0, "last words\n");
  await session.close();
  const recorded = async () => (await exec(crest(), container, "cat /tmp/recorded")).stdout;
  await eventually(async () => (await recorded()) === "last words\nend\n", busy);
});

test("128 MiB go through an echo and come back the same, in flat memory", { skip }, async (t) => {
  const chunk = Buffer.alloc(64 * 1024, "Crest, there and back. ");
  const [sent, received] = [createHash("sha256"), createHash("sha256")];
  const total = 128 * MiB;
  let count = 0;
  const session = await tunnel(port.echo, {
    onMessage(_channel, payload) {
      received.update(payload);
      count += payload.length;
    },
  });
  const memory = watchMemory(crest().process.pid);
  for (let sentBytes = 0; sentBytes < total; sentBytes += chunk.length) {
    if (sentBytes === total / 2) memory.settled();
    chunk.writeUInt32LE(sentBytes);
    sent.update(chunk);
    await session.send(0, Buffer.from(chunk));
  }
  await eventually(() => count >= total, busy);
  const rise = memory.stop();
  t.diagnostic(`the gateway's memory rose by ${rise} MiB`);
  assert.equal(count, total);
  assert.equal(received.digest("hex"), sent.digest("hex"));
  assert.ok(rise < mostRiseMiB, `${rise} MiB`);
  await session.close();
});

test("a peer that never reads stalls its own session only", { skip }, async (t) => {
  const chunk = Buffer.alloc(64 * 1024);
  const most = 128 * MiB;
  let sent = 0;
  // What comes from the pod beside it is not held up by what cannot go into it.
  const stalled = await forward([port.deaf, port.greeter]);
  const flood = (async () => {
    for (; sent < most; sent += chunk.length) await stalled.send(0, chunk);
  })().catch(() => undefined);
  await untilStill(() => sent);
  t.diagnostic(`stalled with ${Math.round(sent / MiB)} MiB on the way`);
  await eventually(() => dataOf(stalled, 1).toString() === "greetings\n", busy);

  const lively = await tunnel(port.echo);
  let expected = "";
  for (let turn = 0; turn < 50; turn++) {
    expected += `${turn};`;
    await lively.send(0, `${turn};`);
    await eventually(() => lively.text() === expected, { timeoutMs: 2000 });
  }
  await lively.close();
  assert.ok(sent < most / 2, `${sent} bytes`);
  stalled.socket.terminate();
  await flood;
});

test("what can fail before the upgrade is answered as a problem", { skip }, async () => {
  const path = `${pod.path}/portforward`;
  for (const query of [
    {},
    { ports: 0 },
    { ports: 65536 },
    { ports: "http" },
    { ports: [80, 81], raw: true },
  ]) {
    problemOf(await refusal(crest(), path, { subprotocols: [v4], query }), 400, "invalid_request");
  }
  const absent = `/v1/pods/${"f".repeat(64)}/portforward`;
  problemOf(await refusal(crest(), absent, { subprotocols: [v4], query: { ports: 80 } }), 404, "not_found");
  assert.equal(anyProblemOf(await crest().get(`${path}?ports=80`)).code, "upgrade_required");
});

test("a stopped pod cannot be forwarded to", { skip }, async () => {
  const stopped = await runPod(crest());
  await crest().post(`${stopped.path}/stop`);
  const answer = await refusal(crest(), `${stopped.path}/portforward`, {
    subprotocols: [v4],
    query: { ports: 80 },
  });
  problemOf(answer, 409, "pod_not_ready");
});

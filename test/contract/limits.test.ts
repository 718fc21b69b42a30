/** The limits of a caller: each is met, what is below it passes, and another caller does not notice. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { request } from "node:http";
import type { Socket } from "node:net";
import { type TestContext, test } from "node:test";
import { WebSocket } from "ws";
import type { Caller } from "../../src/access/authorize.ts";
import { eventually } from "../support/eventually.ts";
import { held } from "../support/fake-runtime.ts";
import { sessionGateway } from "../support/spdy-gateway.ts";
import { type Answer, type LiveGateway, type LiveOptions, liveGateway, token } from "./live-gateway.ts";
import { begin, goodHeaders, rawAnswers, requestText } from "./raw-http.ts";

const otherToken = "a-token-for-another-caller";
const asOther = { authorization: `Bearer ${otherToken}` };
const other: Caller = { name: "other", grants: { all: true, allow: {}, deny: {} } };

/** A gateway with two callers: `token`, and the one with `otherToken`. */
function twoCallers(
  t: TestContext,
  callerLimits: LiveOptions["callerLimits"],
  caller: Caller = other,
): Promise<LiveGateway> {
  return liveGateway(t, "containerd-2.1", {
    callerLimits,
    otherCallers: (authorization) => (authorization === asOther.authorization ? caller : undefined),
  });
}

/** Asserts a refusal by a limit, and returns the seconds to wait. */
function refusedBy(answer: Answer, limit: string, max: number, setting: string): number {
  assert.equal(answer.status, 429, answer.text);
  assert.deepEqual(
    ["limit", "max", "setting", "retryable"].map((member) => answer.at(member)),
    [limit, max, setting, true],
  );
  const seconds = Number(answer.headers["retry-after"]);
  assert.ok(seconds >= 1 && seconds <= 60, `${seconds} s`);
  return seconds;
}

async function refusals({ ask }: LiveGateway, limit: string): Promise<number> {
  const { text } = await ask("GET /metrics", undefined, asOther);
  return Number(new RegExp(`^crest_limit_refusals_total\\{limit="${limit}"\\} (\\d+)`, "m").exec(text)?.[1]);
}

test("requests beyond the rate are 429, those after Retry-After pass, and another caller notices nothing", async (t) => {
  // So few that 30 take longer, however slow this machine is.
  const gateway = await twoCallers(t, { requestsPerSecond: 1 });
  const { ask } = gateway;
  const answers = await Promise.all(Array.from({ length: 30 }, () => ask("GET /v1/version")));
  const passed = answers.filter(({ status }) => status === 200);
  assert.ok(passed.length >= 2, "twice the rate at once");
  const refused = answers.find(({ status }) => status !== 200);
  assert.ok(refused);
  const seconds = refusedBy(refused, "requestsPerSecond", 1, "--caller-requests");
  assert.equal((await ask("GET /v1/version", undefined, asOther)).status, 200);
  assert.equal(await refusals(gateway, "requestsPerSecond"), answers.length - passed.length);
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  assert.equal((await ask("GET /v1/version")).status, 200);
});

test("the rate counts requests for paths that do not exist, and not health probes", async (t) => {
  const { ask } = await twoCallers(t, { requestsPerSecond: 1 });
  const [first, second, third] = [
    await ask("GET /v1/none"),
    await ask("GET /v1/none"),
    await ask("GET /v1/none"),
  ];
  assert.deepEqual([first.status, second.status, third.status], [404, 404, 429]);
  for (let sent = 0; sent < 5; sent++) assert.equal((await ask("GET /livez")).status, 200);
});

test("streams beyond the limit are 429, one that ends makes room, and another caller has its own", async (t) => {
  const gateway = await twoCallers(t, { streams: 2 });
  const { id } = gateway.fake.addContainer({ state: "running", pod: gateway.fake.addPod() });
  const watch = "GET /v1/events?watch=true";
  const follow = (): Promise<Socket> =>
    begin(gateway, requestText(gateway, watch, { headers: ["Accept: application/x-ndjson"] }));
  const sockets = [await follow(), await follow()];
  t.after(() => {
    for (const socket of sockets) socket.destroy();
  });
  await Promise.all(sockets.map((socket) => once(socket, "data")));
  const ndjson = { accept: "application/x-ndjson" };
  refusedBy(await gateway.ask(watch, undefined, ndjson), "streams", 2, "--caller-streams");
  const wait = `GET /v1/containers/${id}/wait?timeout=1`;
  refusedBy(await gateway.ask(wait), "streams", 2, "--caller-streams");
  const theirs = await gateway.ask(wait, undefined, asOther);
  assert.deepEqual([theirs.status, theirs.at("exited")], [200, false]);
  sockets[0]?.destroy();
  await eventually(async () => (await gateway.ask(wait)).status === 200);
});

test("a stream over a WebSocket takes the same places, and gives them back", async (t) => {
  const gateway = await twoCallers(t, { streams: 1 });
  const open = (headers: object): WebSocket =>
    new WebSocket(`ws://127.0.0.1:${gateway.port}/v1/events?watch=true`, { headers: { ...headers } });
  const mine = { authorization: `Bearer ${token}` };
  const first = open(mine);
  await once(first, "open");
  const status = async (headers: object): Promise<number> => {
    const socket = open(headers);
    const answered = new Promise<number>((resolve) => {
      socket.once("open", () => resolve(101));
      socket.once("unexpected-response", (_request, { statusCode = 0 }) => resolve(statusCode));
    });
    socket.on("error", () => undefined);
    const code = await answered;
    socket.terminate();
    return code;
  };
  assert.equal(await status(mine), 429);
  assert.equal(await status(asOther), 101);
  first.terminate();
  await eventually(async () => (await status(mine)) === 101);
});

test("pulls beyond the limit are 429, those who join one are not counted, and its end makes room", async (t) => {
  const gateway = await twoCallers(t, { pulls: 1 });
  const gate = held({ imageRef: `sha256:${"1".repeat(64)}` });
  gateway.fake.on("ImageService/PullImage", gate.answer);
  const pull = (image: string, headers = {}) =>
    gateway.ask("POST /v1/images/pull", { image: { image } }, headers);
  const first = pull("docker.io/library/one:1");
  await eventually(() => gateway.fake.callsOf("ImageService/PullImage").length === 1);
  const joined = pull("docker.io/library/one:1");
  refusedBy(await pull("docker.io/library/two:1"), "pulls", 1, "--caller-pulls");
  const theirs = pull("docker.io/library/two:1", asOther);
  await eventually(() => gateway.fake.callsOf("ImageService/PullImage").length === 2);
  gate.release();
  for (const answer of await Promise.all([first, joined, theirs])) assert.equal(answer.status, 200);
  assert.equal((await pull("docker.io/library/two:1")).status, 200);
});

test("bodies in flight are counted, with a length and without, until they are answered", async (t) => {
  const gateway = await twoCallers(t, { bodyBytes: 1024 * 1024 + 1000 });
  const json = "Content-Type: application/json";
  const sending = await begin(
    gateway,
    `POST /v1/pods HTTP/1.1\r\n${goodHeaders(gateway)}${json}\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{`,
  );
  t.after(() => sending.destroy());
  const body = { metadata: { name: "n".repeat(1100) } };
  await eventually(async () => (await gateway.ask("POST /v1/pods", body)).status === 429);
  refusedBy(await gateway.ask("POST /v1/pods", body), "bodyBytes", 1024 * 1024 + 1000, "--caller-bodies");
  assert.equal((await gateway.ask("POST /v1/pods", body, asOther)).status, 400, "another caller's is read");
  sending.destroy();
  await eventually(async () => (await gateway.ask("POST /v1/pods", body)).status === 400);
});

test("a body without a length counts as it is, once it has come", async (t) => {
  const gateway = await twoCallers(t, { bodyBytes: 1024 * 1024 + 1000 });
  const { id } = gateway.fake.addContainer({
    state: "running",
    pod: gateway.fake.addPod({ labels: { "crest/managed": "true" } }),
  });
  const gate = held({ exitCode: 0 });
  gateway.fake.on("RuntimeService/ExecSync", gate.answer);
  const exec = (): Promise<number> =>
    new Promise((resolve, reject) => {
      const sent = request({
        ...{ host: "127.0.0.1", port: gateway.port, method: "POST", path: `/v1/containers/${id}/exec` },
        headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      });
      sent.on("error", reject).on("response", (response) => resolve(response.resume().statusCode ?? 0));
      sent.write('{"cmd":');
      sent.end('["true"]}');
    });
  const running: Promise<number>[] = [];
  for (let count = 1; count <= 3; count++) {
    running.push(exec());
    await eventually(() => gateway.fake.callsOf("RuntimeService/ExecSync").length === count);
  }
  gate.release();
  assert.deepEqual(await Promise.all(running), [200, 200, 200]);
});

test("connections beyond the limit are 429 and closed, and one that closes makes room", async (t) => {
  const gateway = await twoCallers(t, { connections: 2 });
  const text = requestText(gateway, "GET /v1/version");
  const sockets = [await begin(gateway, text), await begin(gateway, text)];
  t.after(() => {
    for (const socket of sockets) socket.destroy();
  });
  await Promise.all(sockets.map((socket) => once(socket, "data")));
  // Until the gateway closes the connection.
  const [refused] = await rawAnswers(gateway, text);
  assert.equal(refused?.status, 429);
  assert.match(refused.body, /"limit":"connections","max":2,"setting":"--caller-connections"/);
  assert.equal(refused.headers.connection, "close");
  const theirs = await gateway.ask("GET /v1/version", undefined, asOther);
  assert.equal(theirs.status, 200);
  sockets[0]?.resetAndDestroy();
  await eventually(async () => (await rawAnswers(gateway, text, { count: 1 }))[0]?.status === 200);
});

test("a caller with limits of its own has those, and its refusal names its token", async (t) => {
  const gateway = await twoCallers(t, {}, { ...other, limits: { requestsPerSecond: 1 } });
  const { ask } = gateway;
  const grants = await ask("GET /v1/grants", undefined, asOther);
  assert.equal(grants.at("limits.requestsPerSecond"), 1);
  assert.equal(grants.at("limits.pulls"), 128);
  assert.equal((await ask("GET /v1/grants")).at("limits.requestsPerSecond"), 1000);
  await ask("GET /v1/version", undefined, asOther);
  refusedBy(await ask("GET /v1/version", undefined, asOther), "requestsPerSecond", 1, "limits of the token");
});

test("a gateway with one caller limits it in nothing, unless its operator does", async (t) => {
  const unlimited = await liveGateway(t);
  assert.deepEqual((await unlimited.ask("GET /v1/grants")).at("limits"), {});
  const limited = await liveGateway(t, "containerd-2.1", { callerLimits: { streams: 7 } });
  assert.deepEqual((await limited.ask("GET /v1/grants")).at("limits"), { streams: 7 });
});

test("a burst of 500 lists from each of two callers meets no default", async (t) => {
  const gateway = await twoCallers(t, undefined);
  gateway.fake.addContainer({ pod: gateway.fake.addPod() });
  const headers = [{}, asOther];
  const answers = await Promise.all(
    Array.from({ length: 1000 }, (_, number) =>
      gateway.ask("GET /v1/containers", undefined, headers[number % 2]),
    ),
  );
  assert.ok(answers.every(({ status }) => status === 200));
});

test("200 readers that read nothing take the places of their caller alone", async (t) => {
  const gateway = await twoCallers(t, { streams: 200 });
  const text = requestText(gateway, "GET /v1/events?watch=true", {
    headers: ["Accept: application/x-ndjson"],
  });
  const sockets = await Promise.all(Array.from({ length: 200 }, () => begin(gateway, text)));
  t.after(() => {
    for (const socket of sockets) socket.destroy();
  });
  await Promise.all(
    sockets.map(async (socket) => {
      await once(socket, "data");
      socket.pause();
    }),
  );
  const watch = ["GET /v1/events?watch=true", undefined, { accept: "application/x-ndjson" }] as const;
  refusedBy(await gateway.ask(...watch), "streams", 200, "--caller-streams");
  const { id } = gateway.fake.addContainer({ state: "running", pod: gateway.fake.addPod() });
  const theirs = await gateway.ask(`GET /v1/containers/${id}/wait?timeout=1`, undefined, asOther);
  assert.equal(theirs.status, 200);
});

test("a refusal of one caller's read is not that of another who asks the same", async (t) => {
  const gateway = await twoCallers(t, undefined);
  const gate = held();
  gateway.fake.on("RuntimeService/ListContainers", gate.answer);
  const asked = [gateway.ask("GET /v1/containers"), gateway.ask("GET /v1/containers", undefined, asOther)];
  await eventually(() => gateway.fake.callsOf("RuntimeService/ListContainers").length === 2);
  gate.release();
  for (const { status } of await Promise.all(asked)) assert.equal(status, 200);
});

test("10,000 requests whose connections are cut leave no place taken", async (t) => {
  const gateway = await twoCallers(t, { connections: 40, streams: 40, bodyBytes: 16 * 1024 * 1024 });
  const texts = [
    requestText(gateway, "GET /v1/events?watch=true", { headers: ["Accept: application/x-ndjson"] }),
    requestText(gateway, "GET /v1/version"),
    `POST /v1/pods HTTP/1.1\r\n${goodHeaders(gateway)}Content-Type: application/json\r\nContent-Length: 9999\r\n\r\n{`,
  ];
  for (let sent = 0; sent < 10_000; sent += 100) {
    const sockets = await Promise.all(
      Array.from({ length: 100 }, (_, number) => begin(gateway, texts[number % texts.length] ?? "")),
    );
    for (const [number, socket] of sockets.entries()) {
      // Some have been read by then, and some have not.
      if (number % 2 === 0) await new Promise((resolve) => setImmediate(resolve));
      socket.resetAndDestroy();
    }
  }
  const [watch = ""] = texts;
  await eventually(async () => {
    const sockets = await Promise.all(Array.from({ length: 40 }, () => begin(gateway, watch)));
    const starts = await Promise.all(sockets.map((socket) => once(socket, "data") as Promise<[Buffer]>));
    for (const socket of sockets) socket.destroy();
    return starts.every(([bytes]) => bytes.toString("latin1").startsWith("HTTP/1.1 200 "));
  });
});

test("sessions beyond the limit are 429, each port of a port-forward counts, and an end makes room", async (t) => {
  const gateway = await sessionGateway(t, { callerLimits: { sessions: 2 } });
  const exec = `${gateway.container}/exec?command=cat&stdin=true`;
  const first = gateway.open(exec);
  await first.opened;
  const refused = async (path: string): Promise<void> => {
    const { status, problem, headers } = await gateway.refusal(path, { subprotocols: ["v4.channel.k8s.io"] });
    assert.deepEqual(
      [status, problem.code, problem.limit, problem.max, problem.setting, headers["retry-after"]],
      [429, "too_many_sessions", "sessions", 2, "--caller-sessions", "1"],
    );
  };
  await refused(`${gateway.pod}/portforward?ports=80&ports=81`);
  const second = gateway.open(exec);
  await second.opened;
  await refused(exec);
  assert.equal(await gateway.count(), 2);
  first.socket.terminate();
  await eventually(async () => (await gateway.count()) === 1);
  await gateway.open(exec).opened;
});

test("more ports than a caller may have sessions are 400: waiting would not help", async (t) => {
  const gateway = await sessionGateway(t, { callerLimits: { sessions: 2 } });
  const { status, problem } = await gateway.refusal(`${gateway.pod}/portforward?ports=1&ports=2&ports=3`, {
    subprotocols: ["v4.channel.k8s.io"],
  });
  assert.deepEqual([status, problem.code], [400, "invalid_request"]);
  assert.match(problem.detail ?? "", /at most 2 ports/);
});

test("when all callers together have all sessions, the refusal says so", async (t) => {
  const gateway = await sessionGateway(t, { sessions: { mostSessions: 1 } });
  const exec = `${gateway.container}/exec?command=cat&stdin=true`;
  await gateway.open(exec).opened;
  const { problem, headers } = await gateway.refusal(exec);
  assert.deepEqual(
    [problem.limit, problem.max, problem.setting, headers["retry-after"]],
    ["allSessions", 1, "--max-sessions", "1"],
  );
});

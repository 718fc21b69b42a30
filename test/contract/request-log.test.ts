/** The request log: one entry for each request, two for a stream or session, and nothing secret in it. */
import assert from "node:assert/strict";
import { request } from "node:http";
import { test } from "node:test";
import { jsonLine, textLine } from "../../src/log-line.ts";
import type { LogEntry } from "../../src/server/log-entry.ts";
import { eventually } from "../support/eventually.ts";
import { held } from "../support/fake-runtime.ts";
import { cat } from "../support/spdy-behaviours.ts";
import { channel, sessionGateway } from "../support/spdy-gateway.ts";
import { type LiveGateway, liveGateway, token } from "./live-gateway.ts";
import { begin, rawAnswers, requestText } from "./raw-http.ts";

/** The entries of a request, once the last of them is there. */
async function entriesOf(
  gateway: { readonly requests: readonly LogEntry[] },
  requestId: string,
  count = 1,
): Promise<readonly LogEntry[]> {
  return eventually(() => {
    const entries = gateway.requests.filter((entry) => entry.requestId === requestId);
    return entries.length === count && entries;
  });
}

/** An entry without what differs from run to run, and without absent members. */
function steady(entry: LogEntry | undefined): object {
  const { durationMs, message, requestId, ...rest } = entry ?? {};
  assert.ok(durationMs === undefined || durationMs >= 0);
  return JSON.parse(JSON.stringify(rest));
}

async function logged(gateway: LiveGateway, target: string, body?: object): Promise<object> {
  const id = `log-${gateway.requests.length}-${target.length}`;
  await gateway.ask(target, body, { "x-request-id": id });
  const [entry] = await entriesOf(gateway, id);
  return steady(entry);
}

test("a request has its route, status, caller, grant, target and bytes", async (t) => {
  const gateway = await liveGateway(t);
  const { id } = gateway.fake.addContainer({ state: "running" });
  const containers = { level: "info", caller: "token", grant: "read:containers" };
  const one = "/v1/containers/{containerId}";
  const answer = await gateway.ask(`GET /v1/containers/${id.slice(0, 12)}`);
  assert.deepEqual(await logged(gateway, `GET /v1/containers/${id.slice(0, 12)}`), {
    ...{ ...containers, method: "GET", route: one, status: 200, target: `containers/${id}` },
    bytes: Buffer.byteLength(answer.text),
  });
  assert.deepEqual(await logged(gateway, `HEAD /v1/containers/${id}`), {
    ...{ ...containers, method: "HEAD", route: one, status: 200, target: `containers/${id}`, bytes: 0 },
  });
  const created = await gateway.ask(
    "POST /v1/pods",
    { metadata: { name: "web" } },
    { "x-request-id": "made" },
  );
  assert.equal(created.status, 201);
  const [made] = await entriesOf(gateway, "made");
  assert.equal(made?.target, `pods/${created.at("podSandboxId")}`);
  assert.equal(made?.message, "POST /v1/pods 201");
  assert.deepEqual(await logged(gateway, `POST /v1/containers/${id}/stop?timeout=0`), {
    ...{ level: "info", caller: "token", grant: "stop", method: "POST", status: 204, bytes: 0 },
    ...{ route: "/v1/containers/{containerId}/stop", target: `containers/${id}` },
  });
});

test("refusals and failures have their code, and what the caller named", async (t) => {
  const gateway = await liveGateway(t);
  const absent = "f".repeat(64);
  const { bytes: _length, ...entry } = (await logged(gateway, `GET /v1/containers/${absent}`)) as LogEntry;
  assert.deepEqual(entry, {
    ...{
      level: "info",
      caller: "token",
      grant: "read:containers",
      method: "GET",
      status: 404,
      code: "not_found",
    },
    ...{ route: "/v1/containers/{containerId}", target: `containers/${absent}` },
  });
  gateway.fake.on("RuntimeService/Version", () => ({ version: 7 }) as never);
  await gateway.ask("GET /v1/version", undefined, { "x-request-id": "broken" });
  const [broken] = await entriesOf(gateway, "broken");
  assert.deepEqual([broken?.level, broken?.status, broken?.code], ["info", 502, "runtime_error"]);
  // The reason is in an entry of its own.
  const reason = gateway.logged.find(({ requestId }) => requestId === "broken");
  assert.equal(reason?.level, "warn");
});

test("a path without a route is logged without its query, and cut", async (t) => {
  const gateway = await liveGateway(t);
  const entry = (await logged(gateway, `GET /v1/${"p".repeat(500)}?token=secret`)) as LogEntry;
  assert.equal(entry.path, `/v1/${"p".repeat(252)}`);
  assert.deepEqual([entry.status, entry.code, entry.route], [404, "route_not_found", undefined]);
});

test("health probes are debug, and a refused one is not", async (t) => {
  const gateway = await liveGateway(t, "containerd-2.1", {});
  for (const path of ["/livez", "/readyz"]) {
    const { bytes: _length, ...entry } = (await logged(gateway, `GET ${path}`)) as LogEntry;
    assert.deepEqual(entry, { level: "debug", method: "GET", route: path, status: 200 });
  }
  const [refused] = await rawAnswers(
    gateway,
    "GET /readyz?verbose HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: probe\r\n\r\n",
    { count: 1 },
  );
  assert.equal(refused?.status, 401);
  const [entry] = await entriesOf(gateway, "probe");
  assert.deepEqual([entry?.level, entry?.code], ["info", "unauthenticated"]);
});

test("a request that is refused while the gateway ends is logged", async (t) => {
  const gateway = await liveGateway(t);
  const gate = held();
  gateway.fake.on("RuntimeService/Version", gate.answer);
  const working = await begin(gateway, requestText(gateway, "GET /v1/version"));
  t.after(() => working.destroy());
  await gate.arrived;
  const text = requestText(gateway, "GET /v1/pods", { headers: ["X-Request-Id: late"] });
  const late = await begin(gateway, text.slice(0, 40));
  t.after(() => late.destroy());
  // It is in the middle of a request, so the end of the gateway does not close it.
  await eventually(() => connectionsOf(gateway).then((open) => open === 2));
  const closed = gateway.app.close(5000);
  late.write(text.slice(40));
  const [entry] = await entriesOf(gateway, "late");
  assert.deepEqual([entry?.status, entry?.code], [503, "shutting_down"]);
  gate.release();
  await closed;
});

const connectionsOf = ({ app }: LiveGateway): Promise<number> =>
  new Promise((resolve, reject) =>
    app.server.server.getConnections((error, count) => (error ? reject(error) : resolve(count))),
  );

test("a client that leaves before its answer has an entry without a status", async (t) => {
  const gateway = await liveGateway(t);
  const gate = held();
  gateway.fake.on("RuntimeService/Version", gate.answer);
  const headers = ["X-Request-Id: gone"];
  const socket = await begin(gateway, requestText(gateway, "GET /v1/version", { headers }));
  await gate.arrived;
  socket.destroy();
  const [entry] = await entriesOf(gateway, "gone");
  assert.deepEqual(
    [entry?.aborted, entry?.status, entry?.bytes, entry?.message],
    [true, undefined, undefined, "GET /v1/version left before the response"],
  );
  gate.release();
});

test("pipelined requests have their own bytes each", async (t) => {
  const gateway = await liveGateway(t);
  const of = (id: string): string =>
    requestText(gateway, "GET /v1/version", { headers: [`X-Request-Id: ${id}`] });
  const answers = await rawAnswers(gateway, `${of("p-1")}${of("p-2")}`, { count: 2 });
  for (const [index, id] of ["p-1", "p-2"].entries()) {
    const [entry] = await entriesOf(gateway, id);
    assert.equal(entry?.bytes, Buffer.byteLength(answers[index]?.body ?? ""));
  }
});

test("a stream is logged at its start and at its end", async (t) => {
  const gateway = await liveGateway(t);
  const { id } = gateway.fake.addContainer({ state: "running" });
  const path = `/v1/containers/${id}/wait`;
  const headers = {
    authorization: `Bearer ${token}`,
    accept: "application/x-ndjson",
    "x-request-id": "followed",
  };
  const sent = request({ port: gateway.port, host: "127.0.0.1", path, headers, agent: false });
  const received = new Promise<number>((resolve, reject) => {
    sent.on("error", reject);
    sent.on("response", (response) => {
      response.on("data", () => undefined);
      response.on("end", () => resolve(response.socket.bytesRead));
    });
  });
  sent.end();
  const same = {
    ...{ level: "info", method: "GET", route: "/v1/containers/{containerId}/wait", status: 200 },
    ...{ caller: "token", grant: "read:containers", target: `containers/${id}` },
  };
  const [start] = await entriesOf(gateway, "followed");
  assert.deepEqual(steady(start), { ...same, event: "start" });
  assert.equal(start?.message, "GET /v1/containers/{containerId}/wait started");
  await gateway.ask(`POST /v1/containers/${id}/stop?timeout=0`);
  const bytes = await received;
  const [, end] = await entriesOf(gateway, "followed", 2);
  assert.deepEqual(steady(end), { ...same, event: "end", bytes });
  assert.equal(end?.message, "GET /v1/containers/{containerId}/wait ended");
});

test("a client that leaves before a stream has begun has one entry, without a status", async (t) => {
  const gateway = await liveGateway(t);
  const { id } = gateway.fake.addContainer({ state: "running" });
  for (const [path, rpc] of [
    [`/v1/containers/${id}/wait`, "RuntimeService/ContainerStatus"],
    [`/v1/containers/${id}/logs?follow=true`, "RuntimeService/ListContainers"],
    ["/v1/events?watch=true", "RuntimeService/ListPodSandbox"],
    ["/v1/stats/pods/watch", "RuntimeService/ListContainerStats"],
  ] as const) {
    const gate = held();
    gateway.fake.on(rpc, gate.answer, { once: true });
    const requestId = `left-${rpc.replace(/.*\//, "")}`;
    const headers = {
      authorization: `Bearer ${token}`,
      accept: "application/x-ndjson",
      "x-request-id": requestId,
    };
    const sent = request({ port: gateway.port, host: "127.0.0.1", path, headers, agent: false });
    sent.on("error", () => undefined);
    sent.end();
    await gate.arrived;
    sent.destroy();
    const [entry] = await entriesOf(gateway, requestId);
    assert.deepEqual([entry?.event, entry?.status, entry?.aborted], [undefined, undefined, true], path);
    gate.release();
    // Whatever follows the release has happened when a later request has its answer.
    await gateway.ask("GET /v1/containers");
    await gateway.ask("GET /v1/containers");
    assert.equal((await entriesOf(gateway, requestId)).length, 1, path);
  }
});

test("a session is logged at its start and at its end, with the bytes of both directions", async (t) => {
  const gateway = await sessionGateway(t);
  gateway.streams.behaviour = cat;
  const client = gateway.open(`${gateway.container}/exec?command=cat&command=secret-word&stdin=true`, {
    headers: { "x-request-id": "shell" },
  });
  await client.opened;
  const same = {
    ...{ level: "info", method: "GET", route: "/v1/containers/{containerId}/exec", status: 101 },
    ...{ caller: "token", grant: "exec", target: gateway.container.replace("/v1/", "") },
  };
  const [start] = await entriesOf(gateway, "shell");
  assert.deepEqual(steady(start), { ...same, event: "start" });
  await client.send(channel.stdin, "x".repeat(5000));
  await eventually(() => client.bytes(channel.stdout).length === 5000);
  client.socket.close();
  const { code } = await client.closed;
  const [, end] = await entriesOf(gateway, "shell", 2);
  const { bytes = 0, bytesReceived = 0, ...rest } = steady(end) as LogEntry;
  assert.deepEqual(rest, { ...same, event: "end", closeCode: code });
  assert.ok(bytes >= 5000 && bytesReceived >= 5000, `${bytes} ${bytesReceived}`);
  const lines = gateway.requests.flatMap((entry) => [jsonLine(entry), textLine(entry)]).join("");
  assert.doesNotMatch(lines, /secret-word/);
});

test("a refused session has one entry", async (t) => {
  const gateway = await sessionGateway(t, { grants: { all: false, allow: {}, deny: {} } });
  await gateway.refusal(`${gateway.container}/exec?command=ls`, { headers: { "x-request-id": "no" } });
  const [entry] = await entriesOf(gateway, "no");
  assert.deepEqual([entry?.status, entry?.code, entry?.grant], [403, "not_capable", "exec"]);
});

test("nothing secret and nothing that acts on a terminal reaches the log", async (t) => {
  const gateway = await liveGateway(t);
  const secrets = ["query-secret", "body-secret", "wrong-token-secret", token];
  await gateway.ask("GET /v1/pods?labelSelector=a%3Dquery-secret");
  await gateway.ask("POST /v1/pods", { metadata: { name: "web" }, annotations: { a: "body-secret" } });
  await rawAnswers(
    gateway,
    "GET /v1/pods HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer wrong-token-secret\r\n\r\n",
    { count: 1 },
  );
  await gateway.ask("GET /v1/containers/%1b%5b2J%0aINFO%20forged%c2%9b2J");
  await eventually(() => gateway.requests.length === 4);
  for (const entry of gateway.requests) {
    for (const line of [jsonLine(entry), textLine(entry)]) {
      for (const secret of secrets) assert.ok(!line.includes(secret), line);
      // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must be absent
      assert.match(line, /^[^\u0000-\u001f\u007f-\u009f]+\n$/);
    }
  }
});

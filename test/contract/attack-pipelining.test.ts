/** Clients that send requests without waiting for answers: what a connection owes is limited. */
import assert from "node:assert/strict";
import { connect } from "node:net";
import { test } from "node:test";
import { maxOwedAnswers } from "../../src/server/pending-responses.ts";
import { hanging, held } from "../support/fake-runtime.ts";
import { peakRssBytes } from "../support/process-memory.ts";
import { liveGateway } from "./live-gateway.ts";
import { rawAnswers, requestText } from "./raw-http.ts";
import { type SpawnedGateway, spawnGateway, statusOf } from "./spawned-gateway.ts";

const mebibyte = 1024 * 1024;
/** A gateway needs about 110 MiB. Without the limit each attack takes several times as much. */
const maxPeakBytes = 220 * mebibyte;
const attackBytes = 6 * mebibyte;

/** Sends requests for `path` on one connection until the gateway ends it, or all are sent; reads nothing. */
function pipeline({ port, token }: SpawnedGateway, path: string, withToken: boolean): Promise<void> {
  const authorization = withToken ? `Authorization: Bearer ${token}\r\n` : "";
  const one = `GET ${path} HTTP/1.1\r\nHost: localhost\r\n${authorization}\r\n`;
  const bytes = Buffer.from(one.repeat(Math.ceil(attackBytes / one.length)));
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => socket.write(bytes));
    socket.on("error", () => undefined);
    socket.on("close", () => resolve());
    // A gateway that lets it go on is found by its memory.
    socket.setTimeout(20_000, () => socket.destroy());
  });
}

for (const { name, path, withToken, connections } of [
  { name: "/docs of a fresh gateway", path: () => "/docs", withToken: false, connections: 8 },
  { name: "/readyz before a runtime that hangs", path: () => "/readyz", withToken: false, connections: 1 },
  {
    name: "wait for a container that runs on",
    path: ({ container }: SpawnedGateway) => `${container}/wait?timeout=600`,
    withToken: true,
    connections: 1,
  },
]) {
  test(`pipelined requests end their connection, not the gateway: ${name}`, async (t) => {
    const gateway = await spawnGateway(t);
    if (path(gateway) === "/readyz") gateway.fake.on("RuntimeService/Version", hanging());
    const attacks = Array.from({ length: connections }, () => pipeline(gateway, path(gateway), withToken));
    await Promise.all(attacks);
    const peak = peakRssBytes(gateway.process.pid);
    t.diagnostic(`${name}: ${(peak / mebibyte).toFixed(0)} MiB at most`);
    assert.ok(peak < maxPeakBytes, `${peak} bytes`);
    assert.equal(await statusOf(gateway, "/livez"), 200);
  });
}

test(`${maxOwedAnswers} requests may be sent ahead, in both orders of answers`, async (t) => {
  const gateway = await liveGateway(t);
  const gate = held();
  gateway.fake.on("RuntimeService/Version", gate.answer);
  const slow = requestText(gateway, "GET /v1/version");
  const quick = requestText(gateway, "GET /livez");
  const answers = rawAnswers(gateway, slow + quick.repeat(maxOwedAnswers - 1), { count: maxOwedAnswers });
  await gate.arrived;
  gate.release();
  assert.deepEqual(new Set((await answers).map(({ status }) => status)), new Set([200]));
  assert.equal((await answers).length, maxOwedAnswers);
});

test(`a connection that owes more than ${maxOwedAnswers} answers is ended`, async (t) => {
  const gateway = await liveGateway(t);
  const gate = held();
  gateway.fake.on("RuntimeService/Version", gate.answer);
  const requests = requestText(gateway, "GET /v1/version").repeat(maxOwedAnswers + 1);
  assert.deepEqual(await rawAnswers(gateway, requests), []);
  gate.release();
  assert.deepEqual(gateway.logged, []);
});

test("a connection that sends 2 MiB ahead of its answers is ended", async (t) => {
  const gateway = await liveGateway(t);
  const gate = held();
  gateway.fake.on("RuntimeService/Version", gate.answer);
  const long = requestText(gateway, "GET /v1/version", { headers: [`X-Long: ${"x".repeat(300 * 1024)}`] });
  const requests = requestText(gateway, "GET /v1/version") + long.repeat(10);
  // The connection is reset, with requests on it that were not read.
  const answers = await rawAnswers(gateway, requests).catch(({ code }: NodeJS.ErrnoException) => code);
  assert.equal(answers, "ECONNRESET");
  gate.release();
});

test("a body of 1 MiB behind another request is read", async (t) => {
  const gateway = await liveGateway(t);
  const body = JSON.stringify({ metadata: { name: "web" }, annotations: { a: "x".repeat(1_000_000) } });
  const run = requestText(gateway, "POST /v1/pods", { headers: ["Content-Type: application/json"], body });
  const answers = await rawAnswers(gateway, requestText(gateway, "GET /v1/version") + run, { count: 2 });
  assert.deepEqual(
    answers.map(({ status }) => status),
    [200, 201],
  );
});

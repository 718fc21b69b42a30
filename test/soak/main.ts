/**
 * `npm run test:soak`: the same request again and again, and what the gateway holds stays the same.
 *
 * Each kind of request is sent 100,000 times (`-- --requests N` for fewer), and 1,000 sessions are opened and closed
 * three times. The gateway runs in this process, so that its heap, handles and listeners can be counted.
 */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { parseArgs } from "node:util";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { createApp } from "../../src/app.ts";
import { connect as connectRuntime } from "../../src/cri/channel.ts";
import { idOf } from "../bench/population.ts";
import { startChild } from "../bench/process/child.ts";
import { eventually } from "../support/eventually.ts";
import { cat } from "../support/spdy-behaviours.ts";
import { channel, sessionGateway } from "../support/spdy-gateway.ts";
import { sendAgain } from "./send-again.ts";

const { values } = parseArgs({ options: { requests: { type: "string", default: "100000" } } });
const requests = Number(values.requests);
assert.ok(Number.isInteger(requests) && requests >= 1000, "--requests must be an integer of at least 1000");

const mebibyte = 1024 * 1024;
/** What the heap may grow by in all; a leak of 40 bytes a request is more. */
const maxGrowthBytes = 3 * mebibyte;

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

interface Held {
  readonly heapBytes: number;
  /** Open sockets, timers, files: each by its kind. */
  readonly handles: string;
}

/** Timers of keep-alive connections come and go. */
function openHandles(): string {
  const counts = new Map<string, number>();
  const kinds = process.getActiveResourcesInfo().filter((kind) => kind !== "Timeout");
  for (const kind of kinds) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  return JSON.stringify([...counts].sort());
}

/** What the process holds once nothing is under way. */
async function heldNow(): Promise<Held> {
  let handles = "";
  const isStill = (): boolean => {
    const before = handles;
    handles = openHandles();
    return handles === before;
  };
  await eventually(isStill, { intervalMs: 200 });
  for (let round = 0; round < 3; round++) collect();
  return { heapBytes: process.memoryUsage().heapUsed, handles };
}

/** Node warns of an emitter with more than ten listeners of one kind. */
const leaks: string[] = [];
process.on("warning", ({ name, message }) => {
  if (name === "MaxListenersExceededWarning") leaks.push(message);
});

const folder = await mkdtemp(join(tmpdir(), "crest-soak-"));
const socket = join(folder, "cri.sock");
const fake = startChild("servers/runtime", { args: [socket] });
await fake.listening;
const runtime = connectRuntime({ runtimeEndpoint: socket });
const token = "a-token-for-the-soak";
const logged: string[] = [];
const app = createApp({
  config: {
    listen: { host: "127.0.0.1", port: 0 },
    dataDir: folder,
    acceptHost: ["127.0.0.1"],
    grants: { all: true, allow: {}, deny: {} },
  },
  runtime,
  token,
  log: ({ message }) => {
    if (logged.length < 10) logged.push(message);
  },
});
const port = Number(new URL(await app.listen()).port);
after(async () => {
  await app.close();
  runtime.close();
  await fake.stop();
  await rm(folder, { recursive: true, force: true });
});

const container = `/v1/containers/${idOf("container", 0)}`;
const json = "Content-Type: application/json";

interface Kind {
  readonly name: string;
  readonly start: string;
  readonly status: number;
  readonly headers?: readonly string[];
  readonly body?: string;
}

const kinds: readonly Kind[] = [
  { name: "liveness", start: "GET /livez", status: 200 },
  { name: "readiness", start: "GET /readyz", status: 200 },
  { name: "a page", start: "HEAD /docs", status: 200 },
  { name: "a small read", start: "GET /v1/version", status: 200 },
  { name: "a read of one container", start: `GET ${container}`, status: 200 },
  { name: "a list", start: "GET /v1/containers?limit=5", status: 200 },
  {
    name: "a list by lines",
    start: "GET /v1/containers",
    status: 200,
    headers: ["Accept: application/x-ndjson"],
  },
  { name: "a custom route", start: "GET /v1/grants", status: 200 },
  {
    name: "a mutation",
    start: `PATCH ${container}/resources`,
    status: 204,
    headers: [json],
    body: JSON.stringify({ linux: { cpuShares: "512" } }),
  },
  {
    name: "a command",
    start: `POST ${container}/exec`,
    status: 200,
    headers: [json],
    body: JSON.stringify({ cmd: ["true"], timeout: 5 }),
  },
  { name: "a body that is not JSON", start: "POST /v1/pods", status: 400, headers: [json], body: "{" },
  { name: "an RPC that the runtime lacks", start: "GET /v1/metrics/descriptors", status: 501 },
  { name: "a path that is none", start: "GET /v1/nope", status: 404 },
];

for (const { name, start, status, headers = [], body } of kinds) {
  test(`${requests} times: ${name}`, async (t) => {
    const send = (count: number) => sendAgain({ port, token }, { start, headers, body, status, count });
    // Until caches, pools and compiled code have their size.
    await send(Math.min(requests, 5000));
    const before = await heldNow();
    const begun = performance.now();
    await send(requests);
    const rate = requests / ((performance.now() - begun) / 1000);
    const afterwards = await heldNow();
    const growth = afterwards.heapBytes - before.heapBytes;
    t.diagnostic(`${rate.toFixed(0)} a second, heap ${(growth / 1024).toFixed(0)} KiB`);
    assert.ok(growth < maxGrowthBytes, `the heap grew by ${growth} bytes`);
    assert.equal(afterwards.handles, before.handles);
    assert.deepEqual(leaks, []);
  });
}

test("1,000 sessions opened and closed three times", async (t) => {
  const gateway = await sessionGateway(t);
  gateway.streams.behaviour = cat;
  const path = `${gateway.container}/exec?command=cat&stdin=true&stdout=true`;
  const round = async (): Promise<Held> => {
    const clients = Array.from({ length: 1000 }, () => gateway.open(path));
    await Promise.all(clients.map(({ opened }) => opened));
    await Promise.all(clients.map((client) => client.send(channel.stdin, "x")));
    await eventually(() => clients.every((client) => client.text(channel.stdout) === "x"), {
      timeoutMs: 60_000,
    });
    for (const client of clients) client.socket.close();
    await eventually(async () => (await gateway.count()) === 0, { timeoutMs: 60_000 });
    await eventually(() => gateway.streams.connections === 0, { timeoutMs: 60_000 });
    // What the test's own sides remember is not the gateway's.
    gateway.forget();
    return await heldNow();
  };
  const first = await round();
  const second = await round();
  const third = await round();
  const kib = [first, second, third].map(({ heapBytes }) => (heapBytes / 1024).toFixed(0));
  t.diagnostic(`heap after each round: ${kib.join(", ")} KiB`);
  assert.ok(third.heapBytes - second.heapBytes < maxGrowthBytes, "the heap grew");
  assert.equal(third.handles, second.handles);
  assert.deepEqual(gateway.logged, []);
  assert.deepEqual(leaks, []);
});

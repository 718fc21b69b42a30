/** Watching what pods and containers use: the forms, what is null, and how it ends. */
import assert from "node:assert/strict";
import { get, type IncomingMessage } from "node:http";
import { test } from "node:test";
import { WebSocket } from "ws";
import { eventually } from "../support/eventually.ts";
import { mannerNames } from "../support/fake-runtime.ts";
import { type LiveGateway, liveGateway, token } from "./live-gateway.ts";

interface LiveUsage {
  readonly id: string;
  readonly cores: number | null;
  readonly workingSetBytes: number | null;
  readonly memoryLimitBytes: number | null;
  readonly memoryPercentOfLimit: number | null;
  readonly receivedBytesPerSecond: number | null;
  readonly pod?: string;
  readonly podSandboxId?: string;
}
interface LiveUsages {
  readonly time: string;
  readonly items: readonly LiveUsage[];
}

const authorization = `Bearer ${token}`;

/** Follows a stream; `leave` ends it from this side. */
async function follow({ port }: LiveGateway, path: string, accept: string) {
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    get({ port, host: "127.0.0.1", path, headers: { authorization, accept }, agent: false }, resolve).on(
      "error",
      reject,
    );
  });
  let text = "";
  response.setEncoding("utf8").on("data", (part: string) => {
    text += part;
  });
  response.on("error", () => undefined);
  const ended = new Promise<void>((resolve) => response.once("close", resolve));
  return { response, ended, text: () => text, leave: () => response.destroy() };
}

function linesOf<T>(text: string): readonly T[] {
  return text
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line) as T);
}

const watchers = async (gateway: LiveGateway): Promise<string | undefined> =>
  /^crest_stats_watchers (\d+)$/m.exec((await gateway.ask("GET /metrics")).text)?.[1];

function world({ fake }: LiveGateway) {
  const pod = fake.addPod({ config: { linux: { cgroupParent: "/crest" } }, labels: { app: "web" } });
  const resources = { memoryLimitInBytes: "4000000", cpuQuota: "50000", cpuPeriod: "100000" };
  const container = fake.addContainer({ pod, state: "running", config: { linux: { resources } } });
  return { pod, container };
}

test("JSON is one answer with rates, on every runtime", async (t) => {
  for (const manner of mannerNames) {
    const gateway = await liveGateway(t, manner);
    const { pod, container } = world(gateway);
    const all = await gateway.ask("GET /v1/stats/containers/watch?interval=1s");
    assert.equal(all.status, 200, all.text);
    const [item] = (JSON.parse(all.text) as LiveUsages).items;
    assert.equal(item?.id, container.id, manner);
    // The fake's containers use a hundredth of a core.
    assert.ok(Math.abs((item?.cores ?? 1) - 0.01) < 0.005, `${manner}: ${item?.cores}`);
    assert.equal(item?.podSandboxId, pod.id);
    assert.equal(item?.workingSetBytes, 1_200_000, manner);
    if (manner !== "cri-dockerd") {
      assert.equal(item?.memoryLimitBytes, 4_000_000, manner);
      assert.equal(item?.memoryPercentOfLimit, 30, manner);
    }
    const one = await gateway.ask(`GET /v1/pods/${pod.id}/stats/watch?interval=1s`);
    assert.equal(one.at("id"), pod.id);
    // CRI has the traffic of pods, but for cri-dockerd.
    assert.equal(one.at("receivedBytesPerSecond"), manner === "cri-dockerd" ? null : 0, manner);
    await eventually(async () => (await watchers(gateway)) === "0");
  }
});

test("the first item has null for rates, later ones have numbers, in each form", async (t) => {
  const gateway = await liveGateway(t, "cri-o");
  const { container } = world(gateway);
  const path = `/v1/containers/${container.id}/stats/watch?interval=1s`;
  const ndjson = await follow(gateway, path, "application/x-ndjson");
  const sse = await follow(gateway, path, "text/event-stream");
  const text = await follow(gateway, path, "text/plain");
  const socket = new WebSocket(`ws://127.0.0.1:${gateway.port}${path}`, { headers: { authorization } });
  const messages: LiveUsage[] = [];
  socket.on("message", (data) => messages.push(JSON.parse(String(data))));
  await eventually(() => linesOf(ndjson.text()).length >= 3 && messages.length >= 2, { timeoutMs: 20_000 });
  const cores = linesOf<LiveUsage>(ndjson.text()).map((item) => item.cores);
  assert.equal(cores[0], null);
  for (const one of cores.slice(1)) assert.ok((one ?? -1) > 0, String(one));
  assert.match(sse.text(), /^data: \{"time":/);
  assert.match(text.text(), /^\S+Z {2}\S*\/\S+ {2}(?:-|\d\.\d{3}) cores {2}/);
  assert.equal(await watchers(gateway), "4");
  ndjson.leave();
  sse.leave();
  text.leave();
  socket.terminate();
  await eventually(async () => (await watchers(gateway)) === "0");
  const before = gateway.fake.callsOf("RuntimeService/ListContainerStats").length;
  await new Promise((resolve) => setTimeout(resolve, 1500));
  assert.equal(gateway.fake.callsOf("RuntimeService/ListContainerStats").length, before, "nobody watches");
});

test("one that ends: the list goes on without it, its own stream ends", async (t) => {
  const gateway = await liveGateway(t);
  const { pod, container } = world(gateway);
  const other = gateway.fake.addContainer({ pod, state: "running" });
  const all = await follow(gateway, "/v1/stats/containers/watch?interval=1s", "application/x-ndjson");
  const own = await follow(
    gateway,
    `/v1/containers/${container.id}/stats/watch?interval=1s`,
    "application/x-ndjson",
  );
  await eventually(() => own.text() !== "" && all.text() !== "");
  await gateway.ask(`POST /v1/containers/${container.id}/stop?timeout=0`);
  await own.ended;
  await eventually(() => linesOf<LiveUsages>(all.text()).at(-1)?.items.length === 1, { timeoutMs: 20_000 });
  const rounds = linesOf<LiveUsages>(all.text());
  assert.equal(rounds[0]?.items.length, 2);
  assert.equal(rounds.at(-1)?.items[0]?.id, other.id);
  all.leave();
});

test("history begins with what was read before", async (t) => {
  const gateway = await liveGateway(t);
  world(gateway);
  await gateway.ask("GET /v1/stats/containers/watch?interval=1s");
  const again = await follow(
    gateway,
    "/v1/stats/containers/watch?interval=1s&history=15m",
    "application/x-ndjson",
  );
  await eventually(() => linesOf(again.text()).length >= 2, { timeoutMs: 20_000 });
  const times = linesOf<LiveUsages>(again.text()).map(({ time }) => time);
  assert.deepEqual(times, times.toSorted());
  assert.equal(new Set(times).size, times.length);
  again.leave();
});

test("filters narrow a list", async (t) => {
  const gateway = await liveGateway(t);
  const { pod, container } = world(gateway);
  const elsewhere = gateway.fake.addPod({ config: { linux: { cgroupParent: "/crest" } } });
  gateway.fake.addContainer({ pod: elsewhere, state: "running" });
  const ids = async (query: string) => {
    const { text } = await gateway.ask(`GET /v1/stats/${query}`);
    return (JSON.parse(text) as LiveUsages).items.map(({ id }) => id);
  };
  assert.equal((await ids("containers/watch?interval=1s")).length, 2);
  assert.deepEqual(await ids(`containers/watch?interval=1s&pod=${pod.id.slice(0, 20)}`), [container.id]);
  assert.deepEqual(await ids("pods/watch?interval=1s&labelSelector=app%3Dweb"), [pod.id]);
  assert.deepEqual(await ids("pods/watch?interval=1s&namespace=none"), []);
});

test("what cannot be watched is refused before anything is sent", async (t) => {
  const gateway = await liveGateway(t);
  const { pod } = world(gateway);
  const created = gateway.fake.addContainer({ pod, state: "created" });
  const stopped = gateway.fake.addPod({ state: "not ready" });
  const refusals = [
    [`containers/${created.id}/stats/watch`, "not_running"],
    [`pods/${stopped.id}/stats/watch`, "pod_not_ready"],
    [`containers/${"f".repeat(64)}/stats/watch`, "not_found"],
    ["stats/pods/watch?interval=0", "invalid_request"],
    ["stats/pods/watch?interval=61s", "invalid_request"],
    ["stats/pods/watch?interval=500ms", "invalid_request"],
    ["stats/pods/watch?history=16m", "invalid_request"],
    ["stats/pods/watch?history=yesterday", "invalid_request"],
    ["stats/pods/watch?labelSelector=%3D", "invalid_request"],
    ["stats/containers/watch?pod=not-an-id", "invalid_request"],
  ] as const;
  for (const [path, code] of refusals) {
    for (const accept of ["application/json", "text/event-stream"]) {
      const answer = await gateway.ask(`GET /v1/${path}`, undefined, { accept });
      assert.equal(answer.at("code"), code, answer.text);
    }
  }
  assert.equal(await watchers(gateway), "0");
  const meant = await gateway.ask("GET /v1/stats/containers?watch=2s");
  assert.match(
    String(meant.at("detail")),
    /GET \/v1\/stats\/containers\/watch follows them, with interval and history/,
  );
});

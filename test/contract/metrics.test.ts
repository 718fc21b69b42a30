/** /metrics and /metrics/cadvisor: who may read them, where, and that their size is bounded. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { request } from "node:http";
import { join } from "node:path";
import { test } from "node:test";
import { createApp } from "../../src/app.ts";
import { connect } from "../../src/cri/channel.ts";
import { createPullMetrics } from "../../src/metrics/pull-metrics.ts";
import { eventually } from "../support/eventually.ts";
import { packAny } from "../support/fake-runtime/containerd-services.ts";
import { createFakeRuntime, mannerNames } from "../support/fake-runtime.ts";
import { tempDir } from "../support/temp-dir.ts";
import { liveGateway, token } from "./live-gateway.ts";

const nothing = { all: false, allow: {}, deny: {} };

/** The samples of a text, each with its labels; fails for a series that is there twice, and for one without a type. */
function samplesOf(text: string): ReadonlyMap<string, number> {
  const samples = new Map<string, number>();
  const types = new Map<string, string>();
  for (const line of text.split("\n").slice(0, -1)) {
    const [, name = "", type = ""] = /^# TYPE (\S+) (\S+)$/.exec(line) ?? [];
    if (name !== "") {
      assert.ok(!types.has(name), `two families are named ${name}`);
      types.set(name, type);
    }
    const [, helped = "", help = ""] = /^# HELP (\S+) (.*)$/.exec(line) ?? [];
    if (helped !== "") assert.match(help, /^[A-Z0-9].*\.$/, helped);
    if (line.startsWith("#")) continue;
    const [, series = "", value = ""] = /^(\S+?(?:\{.*\})?) (\S+)$/.exec(line) ?? [];
    assert.notEqual(series, "", line);
    assert.ok(!samples.has(series), `${series} is there twice`);
    const family = series.replace(/\{.*/, "");
    assert.ok(types.has(family) || types.has(family.replace(/_(?:bucket|sum|count)$/, "")), line);
    samples.set(series, Number(value));
  }
  return samples;
}

test("metrics need the token and read:stats", async (t) => {
  const gateway = await liveGateway(t, "containerd-2.1", { grants: nothing });
  for (const path of ["/metrics", "/metrics/cadvisor"]) {
    const refused = await gateway.ask(`GET ${path}`);
    assert.equal(refused.at("code"), "not_capable");
    assert.match(String(refused.at("detail")), /--allow-read=stats/);
    const strange = await gateway.ask(`GET ${path}`, undefined, {
      authorization: "Bearer wrong-wrong-wrong-wrong",
    });
    assert.equal(strange.status, 401);
    const posted = await gateway.ask(`POST ${path}`);
    assert.equal(posted.status, 405);
  }
});

test("requests are counted by the id of their route and never by their path", async (t) => {
  const gateway = await liveGateway(t);
  const { id } = gateway.fake.addContainer({ state: "running" });
  for (let n = 0; n < 50; n++) {
    await gateway.ask(`GET /v1/no-such-route-${n}`);
    await gateway.ask(`GET /v1/containers/${n}${"f".repeat(40)}`);
  }
  await gateway.ask(`GET /v1/containers/${id}`);
  await gateway.ask("GET /livez");
  const samples = samplesOf((await gateway.ask("GET /metrics")).text);
  const counts = [...samples].filter(([series]) => series.startsWith("crest_http_requests_total"));
  assert.deepEqual(Object.fromEntries(counts), {
    'crest_http_requests_total{route="none",method="other",status="404"}': 50,
    'crest_http_requests_total{route="getContainer",method="GET",status="404"}': 50,
    'crest_http_requests_total{route="getContainer",method="GET",status="200"}': 1,
    'crest_http_requests_total{route="/livez",method="GET",status="200"}': 1,
  });
  assert.equal(samples.get('crest_http_request_duration_seconds_count{route="getContainer"}'), 51);
  assert.equal(samples.get('crest_runtime_calls_total{rpc="RuntimeService/ContainerStatus",code="ok"}'), 1);
  const again = samplesOf((await gateway.ask("GET /metrics")).text);
  // 0 if nothing was late since the scrape before.
  assert.ok(again.has("nodejs_eventloop_lag_max_seconds"));
  assert.ok((again.get("process_resident_memory_bytes") ?? 0) > 1e6);
});

/** The samples of a family that are not 0, without the buckets of histograms. */
function present(text: string, family: string): Readonly<Record<string, number>> {
  const found = [...samplesOf(text)].filter(
    ([series, value]) => series.startsWith(family) && !series.includes("_bucket") && value !== 0,
  );
  return Object.fromEntries(found);
}

function checkByPromtool(text: string): void {
  const { error, status, stdout, stderr } = spawnSync("promtool", ["check", "metrics"], {
    input: text,
    encoding: "utf8",
  });
  // The e2e tests install it.
  if (error === undefined) assert.equal(status, 0, `${stdout}${stderr}`);
}

test("pulls are counted by outcome, with those in progress, their time and their bytes", async (t) => {
  const gateway = await liveGateway(t);
  const { fake, ask } = gateway;
  const before = await ask("GET /metrics");
  assert.deepEqual(present(before.text, "crest_pull"), {});
  fake.addRemoteImage({ tags: ["quay.io/team/broken:1"], fault: "server error" });
  const alpine = await ask("POST /v1/images/pull", { image: "alpine:3.20" });
  assert.equal(alpine.status, 200, alpine.text);
  const broken = await ask("POST /v1/images/pull", { image: "quay.io/team/broken:1" });
  assert.equal(broken.status, 502, broken.text);
  let finish: (() => void) | undefined;
  const held = new Promise<void>((resolve) => {
    finish = resolve;
  });
  fake.on("ImageService/PullImage", async (_request, call) => {
    await held;
    return await call.next();
  });
  const pulls = [1, 2].map(() => ask("POST /v1/images/pull", { image: "busybox:1.36" }));
  await eventually(async () => {
    const { text } = await ask("GET /metrics");
    return samplesOf(text).get("crest_pulls") === 1;
  });
  finish?.();
  await Promise.all(pulls);
  const { text } = await ask("GET /metrics");
  const { crest_pull_duration_seconds_sum: _, ...counts } = present(text, "crest_pull");
  assert.equal(counts['crest_pulls_total{outcome="done"}'], 2);
  assert.equal(counts['crest_pulls_total{outcome="failed"}'], 1);
  assert.equal(counts['crest_pull_duration_seconds_count{outcome="done"}'], 2);
  assert.equal(counts.crest_pulls, undefined);
  checkByPromtool(text);
});

test("every metric of the gateway is documented", async (t) => {
  const gateway = await liveGateway(t);
  const documented = readFileSync(new URL("../../../docs/metrics.md", import.meta.url), "utf8");
  const { text } = await gateway.ask("GET /metrics");
  const names = [...text.matchAll(/^# TYPE (crest_\S+)/gm)].map(([, name]) => name);
  assert.ok(names.length > 15, names.join());
  for (const name of names) assert.ok(documented.includes(`\`${name}\``), name);
});

test("bytes of a pull are those of its layers that were not on the node", () => {
  const metrics = createPullMetrics();
  const layer = { digest: "sha256:1", sizeBytes: 100 };
  metrics.ended({
    progress: {
      phase: "cancelled",
      elapsedMs: 90_000,
      layers: [
        { ...layer, state: "exists", downloadedBytes: 100 },
        { ...layer, state: "downloading", downloadedBytes: 40 },
        { ...layer, state: "done", downloadedBytes: 100 },
      ],
    },
  });
  const samples = samplesOf(metrics.text(0));
  assert.equal(samples.get("crest_pull_bytes_total"), 140);
  assert.equal(samples.get('crest_pull_duration_seconds_bucket{outcome="cancelled",le="60"}'), 0);
  assert.equal(samples.get('crest_pull_duration_seconds_bucket{outcome="cancelled",le="120"}'), 1);
});

test("events are counted by type, with their lag, their readers and resyncs by source", async (t) => {
  for (const [manner, source] of [
    ["containerd-2.1", "containerd"],
    ["cri-o", "cri"],
    ["cri-dockerd", "lists"],
  ] as const) {
    const gateway = await liveGateway(t, manner, { events: { listEveryMs: 100 }, recoveryMs: 100 });
    const { fake, ask, port } = gateway;
    const { id } = fake.addContainer({ state: "running" });
    const sent = request({
      ...{ port, path: "/v1/events?watch=true" },
      headers: { authorization: `Bearer ${token}`, accept: "application/x-ndjson" },
    });
    let items = "";
    sent.on("error", () => undefined);
    sent.on("response", (response) => {
      response.on("error", () => undefined);
      response.on("data", (part) => {
        items += part;
      });
    });
    sent.end();
    await eventually(() => items.includes("bookmark"), { timeoutMs: 15_000 });
    await fake.exitContainer(id, 3);
    await eventually(() => items.includes("container.exited"), { timeoutMs: 15_000 });
    const { text } = await ask("GET /metrics");
    const samples = samplesOf(text);
    assert.equal(samples.get("crest_event_readers"), 1, manner);
    assert.equal(samples.get('crest_events_total{type="container.exited"}'), 1, manner);
    assert.ok((samples.get(`crest_event_lag_seconds_count{source="${source}"}`) ?? 0) >= 1, manner);
    const lag = samples.get(`crest_event_lag_seconds_sum{source="${source}"}`) ?? -1;
    assert.ok(lag >= 0 && lag < 15, `${manner}: ${lag}`);
    assert.equal(samples.get("crest_event_gaps_total"), 0);
    const resyncs = `crest_event_resyncs_total{source="${source}"}`;
    // A list that waits for the runtime loses nothing.
    if (source !== "lists") await fake.restart();
    await eventually(
      async () =>
        samplesOf((await ask("GET /metrics")).text).get(resyncs) === (source === "lists" ? undefined : 1),
      { timeoutMs: 15_000 },
    );
    checkByPromtool(text);
    sent.destroy();
    await eventually(
      async () => samplesOf((await ask("GET /metrics")).text).get("crest_event_readers") === 0,
    );
  }
});

test("readers of logs are counted by whether they follow, and with what they read", async (t) => {
  const gateway = await liveGateway(t);
  const { fake, ask, port } = gateway;
  const logDirectory = join(gateway.dataDir, "logs", "web");
  const pod = fake.addPod({ name: "web", config: { logDirectory } });
  const { id } = fake.addContainer({ pod, name: "app", logPath: "app.log", state: "running" });
  const line = "2026-01-01T00:00:00.000000000Z stdout F hello\n";
  await mkdir(logDirectory, { recursive: true });
  await writeFile(join(logDirectory, "app.log"), line);
  const samples = async () => samplesOf((await ask("GET /metrics")).text);
  assert.equal((await samples()).get('crest_log_readers{follow="true"}'), 0);
  assert.match((await ask(`GET /v1/containers/${id}/logs`)).text, /hello/);
  const sent = request({
    ...{ port, path: `/v1/containers/${id}/logs?follow=true` },
    headers: { authorization: `Bearer ${token}` },
  });
  sent.on("error", () => undefined);
  sent.on("response", (response) => response.on("error", () => undefined).resume());
  sent.end();
  await eventually(async () => (await samples()).get("crest_log_read_bytes_total") === 2 * line.length);
  const during = await samples();
  assert.equal(during.get('crest_log_readers{follow="true"}'), 1);
  assert.equal(during.get('crest_log_readers{follow="false"}'), 0);
  assert.equal(during.get('crest_log_readers_total{follow="false"}'), 1);
  sent.destroy();
  await eventually(async () => (await samples()).get('crest_log_readers{follow="true"}') === 0);
  const { text } = await ask("GET /metrics");
  assert.equal(samplesOf(text).get("crest_log_rotations_total"), 0);
  checkByPromtool(text);
});

test("containers and pods have cAdvisor's names on every runtime, from what CRI tells", async (t) => {
  for (const manner of mannerNames) {
    const gateway = await liveGateway(t, manner);
    const pod = gateway.fake.addPod({ config: { linux: { cgroupParent: "/crest" } } });
    const container = gateway.fake.addContainer({
      pod,
      state: "running",
      config: { linux: { resources: { memoryLimitInBytes: "4000000" } } },
    });
    const { text, headers } = await gateway.ask("GET /metrics/cadvisor");
    assert.equal(headers["content-type"], "text/plain; version=0.0.4; charset=utf-8");
    const samples = samplesOf(text);
    const of = (name: string, label: string): number | undefined =>
      [...samples].find(([series]) => series.startsWith(`${name}{`) && series.includes(label))?.[1];
    const own = `name="${container.id}"`;
    const cpu = of("container_cpu_usage_seconds_total", own);
    assert.ok(cpu !== undefined && cpu >= 0 && cpu < 60, `${manner}: ${cpu}`);
    assert.equal(of("container_memory_working_set_bytes", own), 1_200_000, manner);
    const podSum = of("container_memory_working_set_bytes", 'container=""');
    assert.equal(podSum, 1_200_000, manner);
    const received = of("container_network_receive_bytes_total", `name="${pod.id}"`);
    assert.equal(received, manner === "cri-dockerd" ? undefined : 4200, manner);
    if (manner !== "cri-dockerd")
      assert.equal(of("container_spec_memory_limit_bytes", own), 4_000_000, manner);
    assert.equal(of("kube_pod_status_phase", 'phase="Running"'), 1, manner);
    assert.equal(of("kube_pod_status_phase", 'phase="Failed"'), 0, manner);
    assert.ok(of("kube_pod_info", 'node="') === 1, manner);
    // What the fake's pids would be on this machine is some other process, whose figures these are not.
    assert.equal(of("container_threads", own), undefined, manner);
  }
});

test("calls of containerd's own services are counted and timed like those of CRI", async (t) => {
  const gateway = await liveGateway(t, "containerd-2.1");
  const { fake, port, ask } = gateway;
  const now = async () => samplesOf((await ask("GET /metrics")).text);
  fake.serveContainerd("Tasks/Metrics", () => ({ metrics: [] }));
  fake.addContainer({ state: "running" });
  await ask("GET /metrics/cadvisor");
  const samples = await now();
  assert.equal(samples.get('crest_runtime_calls_total{rpc="Tasks/Metrics",code="ok"}'), 1);
  assert.equal(samples.get('crest_runtime_call_duration_seconds_count{rpc="Tasks/Metrics"}'), 1);

  fake.serveContainerd("Events/Subscribe", () => []);
  const stream = 'crest_runtime_calls_total{rpc="Events/Subscribe",code="ok"}';
  const leaving = new AbortController();
  await fetch(`http://127.0.0.1:${port}/v1/events?watch=true`, {
    headers: { authorization: `Bearer ${token}`, accept: "application/x-ndjson" },
    signal: leaving.signal,
  });
  // They end at once.
  await eventually(async () => ((await now()).get(stream) ?? 0) > 0);
  leaving.abort();
  assert.ok(!(await now()).has('crest_runtime_call_duration_seconds_count{rpc="Events/Subscribe"}'));
});

test("containerd's own metrics tell what CRI does not, in both versions, where the node's cgroups are out of sight", async (t) => {
  const gateway = await liveGateway(t, "containerd-2.1");
  const { fake } = gateway;
  const pod = fake.addPod({ config: { linux: { cgroupParent: "/crest" } } });
  const resources = { cpuQuota: "50000", cpuPeriod: "100000" };
  const [one, two] = [1, 2].map(() =>
    fake.addContainer({ pod, state: "running", config: { linux: { resources } } }),
  );
  assert.ok(one && two);
  const throttling = { periods: 9, throttledPeriods: 4 };
  fake.serveContainerd("Tasks/Metrics", () => ({
    metrics: [
      {
        id: one.id,
        data: packAny(
          "io.containerd.cgroups.CgroupV1Metrics",
          {
            pids: { current: 3 },
            cpu: {
              usage: { user: 1_500_000_000, kernel: 500_000_000 },
              throttling: { ...throttling, throttledTime: 250_000_000 },
            },
            memory: {
              totalRss: 1000,
              totalCache: 2000,
              totalInactiveFile: 500,
              usage: { usage: 4000, limit: 2n ** 63n - 4096n, max: 5000, failcnt: 2 },
            },
            memoryOomControl: { oomKill: 1 },
          },
          "io.containerd.cgroups.v1.Metrics",
        ),
      },
      {
        id: two.id,
        data: packAny(
          "io.containerd.cgroups.CgroupV2Metrics",
          {
            pids: { current: 3 },
            cpu: {
              ...{ userUsec: 1_500_000, systemUsec: 500_000 },
              ...{ nrPeriods: 9, nrThrottled: 4, throttledUsec: 250_000 },
            },
            memory: { anon: 1000, file: 2000, inactiveFile: 500, usage: 4000, usageLimit: 2n ** 64n - 1n },
            memoryEvents: { max: 2, oomKill: 1 },
          },
          "io.containerd.cgroups.v2.Metrics",
        ),
      },
      { id: "another", data: packAny("containerd.events.TaskOOM", {}, "a.machine.Stats") },
    ],
  }));
  const samples = samplesOf((await gateway.ask("GET /metrics/cadvisor")).text);
  const expected = {
    ...{ cpu_user_seconds_total: 1.5, cpu_system_seconds_total: 0.5, threads: 3, oom_events_total: 1 },
    ...{
      cpu_cfs_periods_total: 9,
      cpu_cfs_throttled_periods_total: 4,
      cpu_cfs_throttled_seconds_total: 0.25,
    },
    ...{ memory_rss: 1000, memory_cache: 2000, memory_usage_bytes: 4000, memory_working_set_bytes: 3500 },
    ...{ memory_failcnt: 2, spec_memory_limit_bytes: 0, spec_cpu_quota: 50_000 },
  };
  for (const { id } of [one, two]) {
    for (const [name, value] of Object.entries(expected)) {
      const found = [...samples].find(
        ([series]) => series.startsWith(`container_${name}{`) && series.includes(`name="${id}"`),
      );
      assert.equal(found?.[1], value, `${name} of ${id === one.id ? "version 1" : "version 2"}`);
    }
  }
});

test("what has ended keeps its counters and loses its gauges, and a pod that was made again is there once", async (t) => {
  const gateway = await liveGateway(t);
  const { fake } = gateway;
  const config = {
    metadata: { name: "web", namespace: "demo", uid: "u-1", attempt: 0 },
    linux: { cgroupParent: "/c" },
  };
  const pod = fake.addPod({ config });
  const container = fake.addContainer({ pod, state: "running" });
  const first = samplesOf((await gateway.ask("GET /metrics/cadvisor")).text);
  await gateway.ask(`POST /v1/pods/${pod.id}/stop`);
  const second = fake.addPod({ config: { ...config, metadata: { ...config.metadata, attempt: 1 } } });
  fake.addContainer({ pod: second, state: "running" });
  const samples = samplesOf((await gateway.ask("GET /metrics/cadvisor")).text);
  const own = (all: ReadonlyMap<string, number>) =>
    [...all.keys()]
      .filter((series) => series.includes(`name="${container.id}"`))
      .map((series) => series.split("{")[0]);
  assert.ok(own(first).includes("container_memory_working_set_bytes"));
  assert.ok(!own(samples).includes("container_memory_working_set_bytes"));
  assert.ok(own(samples).includes("container_cpu_usage_seconds_total"));
  assert.ok(own(samples).includes("container_last_seen"));
});

test("a node of a thousand containers is one scrape, and two at the same time read once", async (t) => {
  const gateway = await liveGateway(t);
  for (let n = 0; n < 200; n++) {
    const pod = gateway.fake.addPod({ config: { linux: { cgroupParent: "/crest" } } });
    for (let m = 0; m < 5; m++) gateway.fake.addContainer({ pod, state: "running" });
  }
  await gateway.ask("GET /metrics/cadvisor");
  const before = gateway.fake.callsOf("RuntimeService/ListContainerStats").length;
  const began = performance.now();
  const [{ text }] = await Promise.all([
    gateway.ask("GET /metrics/cadvisor"),
    gateway.ask("GET /metrics/cadvisor"),
  ]);
  t.diagnostic(`two scrapes took ${Math.round(performance.now() - began)} ms, ${text.length} bytes each`);
  assert.equal(gateway.fake.callsOf("RuntimeService/ListContainerStats").length, before + 1);
  const samples = samplesOf(text);
  t.diagnostic(`${samples.size} series`);
  assert.equal([...samples.keys()].filter((series) => series.startsWith("container_last_seen")).length, 1200);
  assert.ok(text.length < 1000 * 20 * 400);
});

test("a listener of their own serves metrics without a token, and nothing else", async (t) => {
  const fake = await createFakeRuntime({ manner: "containerd-2.1" });
  const runtime = connect({ runtimeEndpoint: fake.socket });
  const app = createApp({
    config: {
      ...{ listen: { host: "127.0.0.1", port: 0 }, metricsListen: { host: "127.0.0.1", port: 0 } },
      ...{ dataDir: await tempDir(t), acceptHost: ["localhost", "127.0.0.1"], grants: nothing },
    },
    ...{ runtime, token: "a-token-for-the-api-alone" },
    log: () => undefined,
  });
  t.after(async () => {
    await app.close();
    runtime.close();
    await fake.close();
  });
  await app.listen();
  const port = Number(new URL(app.metricsAddress ?? "").port);
  const ask = (path: string, method = "GET", headers = {}) =>
    new Promise<{ status: number | undefined; text: string }>((resolve, reject) => {
      const sent = request({ port, host: "127.0.0.1", path, method, headers, agent: false }, (response) => {
        let text = "";
        response.setEncoding("utf8").on("data", (part) => {
          text += part;
        });
        response.on("end", () => resolve({ status: response.statusCode, text }));
      });
      sent.on("error", reject).end();
    });
  const own = await ask("/metrics");
  assert.equal(own.status, 200);
  assert.ok(samplesOf(own.text).has("crest_sessions"));
  assert.ok(samplesOf((await ask("/metrics/cadvisor")).text).has("machine_cpu_cores"));
  assert.deepEqual(await ask("/metrics", "HEAD"), { status: 200, text: "" });
  for (const path of ["/v1/pods", "/", "/docs", "/metrics/", "/metrics/cadvisor/x", "/openapi.json"])
    assert.equal((await ask(path)).status, 404, path);
  assert.equal((await ask("/metrics", "POST")).status, 405);
  assert.equal((await ask("/metrics", "GET", { host: "evil.example" })).status, 403);
  assert.equal((await ask("/metrics", "GET", { origin: "http://evil.example" })).status, 403);
  await fake.stop();
  assert.equal((await ask("/metrics")).status, 200, "its own metrics need no runtime");
});

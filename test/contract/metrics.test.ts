/** /metrics and /metrics/cadvisor: who may read them, where, and that their size is bounded. */
import assert from "node:assert/strict";
import { request } from "node:http";
import { test } from "node:test";
import { createApp } from "../../src/app.ts";
import { connect } from "../../src/cri/channel.ts";
import { packAny } from "../support/fake-runtime/containerd-services.ts";
import { createFakeRuntime, mannerNames } from "../support/fake-runtime.ts";
import { tempDir } from "../support/temp-dir.ts";
import { liveGateway } from "./live-gateway.ts";

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

/** A real Prometheus scrapes the gateway as docs/metrics.md says, and boards that people have find their data. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { adapt } from "../../src/app.ts";
import { connect } from "../../src/cri/channel.ts";
import { createNodeLists } from "../../src/inventory/node-lists.ts";
import { createNodeReader } from "../../src/stats/read-node.ts";
import { documentedScript } from "../support/documents.ts";
import { eventually } from "../support/eventually.ts";
import { bodyOf } from "./support/api.ts";
import { startGateway } from "./support/gateway.ts";
import { podStatus, runContainer, runPod, shell } from "./support/pods.ts";
import { noPrometheus, startPrometheus } from "./support/prometheus.ts";

const isRoot = process.getuid?.() === 0;
const skip = isRoot ? noPrometheus : "needs root";

/** The mixin's rule, by which its boards know the node of a pod. */
const ofNode =
  'on (namespace, pod) group_left(node) topk by (namespace, pod) (1, max by (namespace, pod, node) (kube_pod_info{node!=""}))';
const network = (name: string) =>
  `sum by (pod) (rate(container_network_${name}_total{namespace=~".+"}[30s]))`;
const disks = "(/dev/)?(mmcblk.p.+|nvme.+|rbd.+|sd.+|vd.+|xvd.+|dm-.+|md.+|dasd.+)";
const ofDisks = (name: string) =>
  `sum by (pod) (rate(container_fs_${name}_total{device=~"${disks}",container!=""}[30s]))`;

/** What panels for pods and containers ask for. `[$__rate_interval]` is 30 seconds here. */
const panels: { readonly [board: string]: readonly string[] } = {
  "kubernetes-mixin": [
    `sum by (namespace, pod, container) (irate(container_cpu_usage_seconds_total{job="cadvisor",image!=""}[30s])) * ${ofNode}`,
    `container_memory_working_set_bytes{job="cadvisor",image!=""} * ${ofNode}`,
    `container_memory_rss{job="cadvisor",image!=""} * ${ofNode}`,
    `container_memory_cache{job="cadvisor",image!=""} * ${ofNode}`,
    `container_memory_swap{job="cadvisor",image!=""} * ${ofNode}`,
    'sum(increase(container_cpu_cfs_throttled_periods_total{container!=""}[30s])) by (container) / sum(increase(container_cpu_cfs_periods_total[30s])) by (container)',
    'sum(container_memory_working_set_bytes{container!="",image!=""}) by (container)',
    'sum(kube_pod_container_resource_requests{resource="cpu"}) by (container)',
    'sum(kube_pod_container_resource_limits{resource="cpu"}) by (container)',
    'sum(kube_pod_container_resource_limits{resource="memory"}) by (container)',
    'sum(container_memory_working_set_bytes{container!="",image!=""}) by (pod) / sum(kube_pod_container_resource_limits{resource="memory"}) by (pod)',
    'sum(rate(container_cpu_usage_seconds_total{container!=""}[30s])) by (pod) / sum(kube_pod_container_resource_limits{resource="cpu"}) by (pod)',
    'kube_pod_container_resource_limits{resource="memory"} * on (namespace, pod) group_left() max by (namespace, pod) (kube_pod_status_phase{phase=~"Pending|Running"} == 1)',
    ...["receive", "transmit"].flatMap((way) =>
      ["bytes", "packets", "packets_dropped"].map((what) => network(`${way}_${what}`)),
    ),
  ],
  dotdc: [
    'sum(rate(container_cpu_usage_seconds_total{namespace="default",image!="",container!=""}[30s])) by (container)',
    'sum(rate(container_cpu_usage_seconds_total{namespace="default",image!="",pod=~".+"}[30s])) by (pod)',
    'sum(container_memory_working_set_bytes{namespace="default",image!="",container!=""}) by (pod, container)',
    'sum(rate(container_cpu_cfs_throttled_seconds_total{namespace="default",image!="",container!=""}[30s])) by (container)',
    'sum(increase(container_oom_events_total{namespace="default",container!=""}[30s])) by (container)',
    'sum(container_memory_rss{namespace="default",image!="",container!=""}) by (container)',
    "count(kube_pod_info)",
    'sum(kube_pod_status_phase{phase="Running"})',
    'sum(rate(container_cpu_usage_seconds_total{container!=""}[30s])) / sum(machine_cpu_cores)',
    'sum(container_memory_working_set_bytes{container!=""}) / sum(machine_memory_bytes)',
    ...["receive", "transmit"].map((way) => network(`${way}_errors`)),
  ],
  dockprom: [
    'sum by (name) (rate(container_cpu_usage_seconds_total{image!=""}[30s]))',
    'sum by (name) (container_memory_usage_bytes{image!=""})',
    'sum by (name) (container_memory_max_usage_bytes{image!=""})',
    'sum by (name) (rate(container_network_receive_bytes_total{image!=""}[30s]))',
    'sum by (name) (rate(container_network_transmit_bytes_total{image!=""}[30s]))',
    'count(rate(container_last_seen{name=~".+"}[30s]))',
    'scalar(count(container_memory_usage_bytes{image!=""}) > 0)',
    'sum(rate(container_cpu_user_seconds_total{image!=""}[30s]))',
    'sum(rate(container_cpu_system_seconds_total{image!=""}[30s]))',
    'time() - container_start_time_seconds{image!=""}',
    'sum by (name) (container_spec_memory_limit_bytes{image!=""})',
    'sum by (name) (container_fs_usage_bytes{image!=""})',
    'sum by (name) (container_fs_limit_bytes{image!=""})',
    'sum by (name) (container_processes{image!=""})',
    'sum by (name) (container_threads{image!=""})',
  ],
  Crest: [
    "sum by (route, status) (rate(crest_http_requests_total[30s]))",
    "histogram_quantile(0.99, sum by (le) (rate(crest_http_request_duration_seconds_bucket[30s])))",
    "histogram_quantile(0.99, sum by (rpc, le) (rate(crest_runtime_call_duration_seconds_bucket[30s])))",
    "sum by (rpc, code) (rate(crest_runtime_calls_total[30s]))",
    "nodejs_eventloop_lag_p99_seconds",
    "process_resident_memory_bytes",
    "rate(process_cpu_seconds_total[30s])",
  ],
};

/** Not every kernel counts what containers read and write: version 1 of cgroups often not. */
const diskPanels = ["reads", "writes", "reads_bytes", "writes_bytes"].map(ofDisks);

test("a Prometheus that is configured as documented finds data for every panel", { skip }, async (t) => {
  const gateway = await startGateway("up", { args: ["--allow-all", "--metrics-listen=127.0.0.1:0"] });
  t.after(() => gateway.close());
  const resources = {
    cpuQuota: "20000",
    cpuPeriod: "100000",
    cpuShares: "256",
    memoryLimitInBytes: String(64 * 2 ** 20),
  };
  const pod = await runPod(gateway);
  await runContainer(gateway, pod, {
    ...shell("mkdir /www; echo hello > /www/index.html; httpd -p 80 -h /www; while :; do :; done"),
    linux: { resources },
  });
  const ip = (await podStatus(gateway, pod)).network?.ip;
  const client = await runPod(gateway);
  const writer = await runContainer(gateway, client, {
    ...shell(
      `while :; do wget -q -O /dev/null http://${ip}/; dd if=/dev/zero of=/f bs=64k count=16 oflag=direct; sleep 0.2; done`,
    ),
    linux: { resources },
  });

  const config = documentedScript("yaml prometheus")
    .replaceAll("127.0.0.1:8585", new URL(gateway.address).host)
    .replaceAll("/var/lib/crest/token", `${gateway.dataDir}/token`);
  const [, own] = /^Metrics are at http:\/\/(\S+)\/metrics and /m.exec(gateway.process.output()) ?? [];
  assert.ok(own !== undefined, gateway.process.output());
  const prometheus = await startPrometheus(
    t,
    `global:\n  scrape_interval: 1s\n${config}  - job_name: without-token\n    metrics_path: /metrics/cadvisor\n    metric_relabel_configs: [{ action: drop, regex: ".*", source_labels: [__name__] }]\n    static_configs:\n      - targets: ["${own}"]\n`,
  );
  await eventually(
    async () => {
      const targets = await prometheus.targets();
      assert.deepEqual(targets.map(({ job, health, lastError }) => [job, health, lastError]).sort(), [
        ["cadvisor", "up", ""],
        ["crest", "up", ""],
        ["without-token", "up", ""],
      ]);
      return true;
    },
    { timeoutMs: 60_000, intervalMs: 500 },
  );

  const empty = new Map<string, string>();
  for (const [board, queries] of Object.entries(panels)) {
    for (const query of queries) {
      const found = eventually(
        async () => (await prometheus.query(query)).some(({ value }) => value[1] !== "NaN"),
        {
          timeoutMs: 60_000,
          intervalMs: 500,
        },
      );
      await found.catch((error: Error) => empty.set(`${board}: ${query}`, error.message));
    }
  }
  assert.deepEqual([...empty], []);

  await t.test("the figures are those of the containers", async () => {
    const numberOf = async (query: string) => Number((await prometheus.query(query))[0]?.value[1]);
    const shown = JSON.stringify((await gateway.get(writer.path)).body);
    assert.match(shown, new RegExp(writer.id));
    // A loop that may use a fifth of a core uses most of it, and is throttled.
    const cores = await numberOf(
      `sum(rate(container_cpu_usage_seconds_total{container!="",pod="${await nameOf()}"}[10s]))`,
    );
    assert.ok(cores > 0.01 && cores < 0.3, `${cores} cores`);
    const limit = await numberOf('max(kube_pod_container_resource_limits{resource="cpu"})');
    assert.equal(limit, 0.2);
    assert.equal(await numberOf('max(kube_pod_container_resource_requests{resource="cpu"})'), 0.25);
    const workingSet = await numberOf(
      `sum(container_memory_working_set_bytes{pod="${await nameOf()}",container!=""})`,
    );
    assert.ok(workingSet > 50_000 && workingSet < 64 * 2 ** 20, `${workingSet} bytes`);
    const received = await numberOf(
      `sum(rate(container_network_receive_bytes_total{pod="${await nameOf()}"}[10s]))`,
    );
    assert.ok(received > 10, `${received} bytes a second`);
  });
  async function nameOf(): Promise<string> {
    return (await podStatus(gateway, pod)).metadata?.name ?? "";
  }

  await t.test("promtool finds nothing wrong but the name that is cAdvisor's", async () => {
    const scraped = await (await fetch(`http://${own}/metrics/cadvisor`)).text();
    const { stdout, stderr } = spawnSync("promtool", ["check", "metrics"], {
      input: scraped,
      encoding: "utf8",
    });
    const complaints = `${stdout}${stderr}`.split("\n").filter((line) => line !== "");
    assert.deepEqual(complaints, ['container_memory_failcnt counter metrics should have "_total" suffix']);
    const gatewaysOwn = await (await fetch(`http://${own}/metrics`)).text();
    assert.equal(
      spawnSync("promtool", ["check", "metrics"], { input: gatewaysOwn, encoding: "utf8" }).status,
      0,
    );
  });

  await t.test("a gateway that does not see the node's cgroups has the same from containerd", async () => {
    const transport = connect({ runtimeEndpoint: `${gateway.dataDir}/containerd.sock` });
    t.after(() => transport.close());
    const { runtime } = adapt(transport);
    const lists = createNodeLists(runtime, { onChange: async () => false });
    const seen = await createNodeReader({ runtime, lists })();
    const unseen = await createNodeReader({
      runtime,
      lists,
      cgroups: { find: () => undefined, ofPod: () => undefined, read: () => undefined },
      network: () => undefined,
    })();
    for (const { id, usage } of seen.containers) {
      const other = unseen.containers.find((one) => one.id === id)?.usage;
      for (const name of [
        "userSeconds",
        "rss",
        "workingSet",
        "threads",
        "maxMemoryUsage",
        "oomKills",
      ] as const)
        assert.ok(other?.[name] !== undefined, name);
      assert.equal(other?.memoryLimit, usage.memoryLimit);
      assert.equal(other?.cpuQuota, usage.cpuQuota);
      assert.ok((other?.throttling?.periods ?? 0) >= (usage.throttling?.periods ?? Number.NaN));
      const [own = 0, theirs = 0] = [usage.userSeconds, other?.userSeconds];
      assert.ok(Math.abs(theirs - own) < 3, `${own} and ${theirs} seconds`);
    }
    for (const { usage } of unseen.pods) {
      assert.deepEqual(
        usage.interfaces?.map(({ name }) => name),
        ["eth0"],
      );
      assert.ok((usage.cpuSeconds ?? 0) > 0);
    }
  });

  await t.test("disks", async (own) => {
    for (const query of diskPanels)
      if ((await prometheus.query(query)).length === 0)
        own.diagnostic(`this kernel has no data for ${query}`);
  });
});

test("a busy loop uses what CRI counts for it, and the first item has no rate", {
  skip: isRoot ? undefined : "needs root",
}, async (t) => {
  const gateway = await startGateway("up", { args: ["--allow-all"] });
  t.after(() => gateway.close());
  const pod = await runPod(gateway);
  const container = await runContainer(gateway, pod, shell("while :; do :; done"));
  interface Item {
    readonly time: string;
    readonly cores: number | null;
    readonly workingSetBytes: number | null;
  }
  const used = async (): Promise<readonly [number, number]> => {
    interface Stats {
      readonly stats: {
        readonly cpu: {
          readonly timestamp: string;
          readonly usageCoreNanoSeconds: { readonly value: string };
        };
      };
    }
    const { stats } = bodyOf(await gateway.get<Stats>(`${container.path}/stats`));
    return [Number(stats.cpu.timestamp) / 1e9, Number(stats.cpu.usageCoreNanoSeconds.value) / 1e9];
  };
  const response = await fetch(`${gateway.address}${container.path}/stats/watch?interval=1s`, {
    headers: { authorization: `Bearer ${gateway.token}`, accept: "application/x-ndjson" },
  });
  assert.equal(response.status, 200);
  const before = await used();
  let text = "";
  for await (const part of response.body ?? []) {
    text += Buffer.from(part as Uint8Array).toString();
    if (text.split("\n").length > 6) break;
  }
  const after = await used();
  const items = text
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Item);
  assert.equal(items[0]?.cores, null);
  const rates = items.slice(1).map(({ cores }) => cores ?? Number.NaN);
  const mean = rates.reduce((sum, rate) => sum + rate, 0) / rates.length;
  const expected = (after[1] - before[1]) / (after[0] - before[0]);
  t.diagnostic(`${mean.toFixed(3)} cores by the items, ${expected.toFixed(3)} by CRI`);
  assert.ok(mean > 0 && mean < 1.1, `${mean} cores`);
  assert.ok(Math.abs(mean - expected) < 0.3, `${mean} is not ${expected}`);
  for (const { workingSetBytes } of items) assert.ok((workingSetBytes ?? 0) > 10_000);
});

/** What the kernel's files say of a cgroup, in both versions. */
import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { createCgroupFiles } from "../../../src/stats/cgroup-files.ts";
import { type AfterTest, tempDir } from "../../support/temp-dir.ts";

const id = "17cd16983f814043e9cb3066d4978715a5263bf8bb2ad7a84c0f31b75aeaff4b";
const uid = "d2ffb83c-284c-432d-9667-99b885b25a10";

async function tree(t: AfterTest, files: { readonly [path: string]: string }) {
  const root = await tempDir(t);
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), text);
  }
  return createCgroupFiles({
    ...{ proc: join(root, "proc"), cgroups: join(root, "cgroup"), blockDevices: join(root, "block") },
  });
}

const version1 = (path: string) =>
  ["9:name=systemd:", "8:pids:", "4:memory:", "2:cpu,cpuacct:", "0::"]
    .map((line) => `${line}${path}\n`)
    .join("");

test("a container's cgroup is found by its pid, in either version and below a slice", async (t) => {
  const files = await tree(t, {
    "proc/1/cgroup": version1(`/kubepods/pod${uid}/${id}`),
    "proc/2/cgroup": `0::/kubepods.slice/kubepods-pod${uid.replaceAll("-", "_")}.slice/crio-${id}.scope/container\n`,
    "proc/3/cgroup": "0::/user.slice/session-1.scope\n",
    "proc/4/cgroup": `0::/../../${id}\n`,
    "proc/5/cgroup": "nothing of the kind",
  });
  assert.deepEqual(files.find(id, 1), { version: 1, path: `/kubepods/pod${uid}/${id}` });
  const second = files.find(id, 2);
  assert.match(second?.path ?? "", new RegExp(`/crio-${id}\\.scope$`));
  assert.equal(second?.version, 2);
  for (const pid of [3, 4, 5, 6, 0, -1, 1.5, Number.NaN])
    assert.equal(files.find(id, pid), undefined, String(pid));
  assert.equal(files.find("", 1), undefined);
});

test("the cgroup around a container is the pod's when it has the pod's uid in any spelling", async (t) => {
  const files = await tree(t, {});
  const around = (path: string, asked = uid) => files.ofPod({ path, version: 2 }, asked)?.path;
  const slice = `/kubepods.slice/kubepods-burstable-pod${uid.replaceAll("-", "_")}.slice`;
  assert.equal(around(`${slice}/cri-containerd-${id}.scope`), slice);
  assert.equal(around(`/crest/${uid.replaceAll("-", "_")}/${id}`), `/crest/${uid.replaceAll("-", "_")}`);
  assert.equal(around(`/docker/${id}`), undefined);
  assert.equal(around(`/crest/${id}`, "rest"), undefined, "a short uid may be there by chance");
  assert.equal(around(`/crest/${id}`, ""), undefined);
});

test("version 1 tells CPU, throttling, memory, devices and processes", async (t) => {
  const path = `/crest/pod/${id}`;
  const at = (controller: string, name: string) => `cgroup/${controller}${path}/${name}`;
  const files = await tree(t, {
    [at("cpuacct", "cpuacct.usage")]: "2500000000\n",
    [at("cpuacct", "cpuacct.usage_user")]: "2000000000\n",
    [at("cpuacct", "cpuacct.usage_sys")]: "500000000\n",
    [at("cpu", "cpu.stat")]: "nr_periods 47\nnr_throttled 28\nthrottled_time 478110905\n",
    [at("cpu", "cpu.cfs_quota_us")]: "50000\n",
    [at("cpu", "cpu.cfs_period_us")]: "100000\n",
    [at("cpu", "cpu.shares")]: "512\n",
    [at("memory", "memory.usage_in_bytes")]: "1000000\n",
    [at("memory", "memory.max_usage_in_bytes")]: "3000000\n",
    [at("memory", "memory.limit_in_bytes")]: "67108864\n",
    [at("memory", "memory.failcnt")]: "3\n",
    [at("memory", "memory.stat")]:
      "cache 1\nrss 2\nswap 3\ninactive_file 4\ntotal_cache 500000\ntotal_rss 400000\ntotal_swap 7\ntotal_inactive_file 300000\n",
    [at("memory", "memory.oom_control")]: "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n",
    [at("pids", "cgroup.procs")]: "10\n11\n",
    [at("pids", "pids.current")]: "5\n",
    [at("blkio", "blkio.throttle.io_service_bytes_recursive")]:
      "253:0 Read 4096\n253:0 Write 8192\n253:0 Sync 8192\n253:0 Total 12288\n7:1 Read 1\n7:1 Write 2\nTotal 12291\n",
    [at("blkio", "blkio.throttle.io_serviced_recursive")]: "253:0 Read 1\n253:0 Write 2\nTotal 3\n",
    "block/253:0/uevent": "MAJOR=253\nMINOR=0\nDEVNAME=vda\nDEVTYPE=disk\n",
  });
  const { cpuTime, ...usage } = files.read({ path, version: 1 }) ?? {};
  assert.ok(cpuTime !== undefined && Math.abs(cpuTime - Date.now() / 1000) < 3600);
  assert.deepEqual(usage, {
    ...{
      cpuSeconds: 2.5,
      userSeconds: 2,
      systemSeconds: 0.5,
      cpuQuota: 50_000,
      cpuPeriod: 100_000,
      cpuShares: 512,
    },
    throttling: { periods: 47, throttledPeriods: 28, throttledSeconds: 0.478110905 },
    ...{ memoryUsage: 1_000_000, workingSet: 700_000, rss: 400_000, cache: 500_000, swap: 7 },
    ...{ maxMemoryUsage: 3_000_000, memoryFailures: 3, memoryLimit: 67_108_864, oomKills: 2 },
    ...{ processes: 2, threads: 5 },
    devices: [
      { name: "/dev/vda", readBytes: 4096, writtenBytes: 8192, reads: 1, writes: 2 },
      { name: "7:1", readBytes: 1, writtenBytes: 2, reads: 0, writes: 0 },
    ],
  });
});

test("version 2 tells the same", async (t) => {
  const path = `/kubepods/pod/${id}`;
  const at = (name: string) => `cgroup${path}/${name}`;
  const files = await tree(t, {
    [at("cpu.stat")]:
      "usage_usec 2500000\nuser_usec 2000000\nsystem_usec 500000\nnr_periods 4\nnr_throttled 2\nthrottled_usec 250000\n",
    [at("cpu.max")]: "50000 100000\n",
    [at("cpu.weight")]: "20\n",
    [at("memory.current")]: "1000000\n",
    [at("memory.peak")]: "3000000\n",
    [at("memory.max")]: "67108864\n",
    [at("memory.swap.current")]: "7\n",
    [at("memory.stat")]: "anon 400000\nfile 500000\ninactive_anon 1\ninactive_file 300000\n",
    [at("memory.events")]: "low 0\nhigh 0\nmax 3\noom 1\noom_kill 2\n",
    [at("cgroup.procs")]: "10\n11\n",
    [at("pids.current")]: "5\n",
    [at("io.stat")]: "253:0 rbytes=4096 wbytes=8192 rios=1 wios=2 dbytes=0 dios=0\n7:1 \n",
  });
  const { cpuTime: _, ...usage } = files.read({ path, version: 2 }) ?? {};
  assert.deepEqual(usage, {
    ...{
      cpuSeconds: 2.5,
      userSeconds: 2,
      systemSeconds: 0.5,
      cpuQuota: 50_000,
      cpuPeriod: 100_000,
      cpuShares: 500,
    },
    throttling: { periods: 4, throttledPeriods: 2, throttledSeconds: 0.25 },
    ...{ memoryUsage: 1_000_000, workingSet: 700_000, rss: 400_000, cache: 500_000, swap: 7 },
    ...{ maxMemoryUsage: 3_000_000, memoryFailures: 3, memoryLimit: 67_108_864, oomKills: 2 },
    ...{ processes: 2, threads: 5 },
    devices: [{ name: "253:0", readBytes: 4096, writtenBytes: 8192, reads: 1, writes: 2 }],
  });
});

test("what is unlimited or not told is absent, and a cgroup that is gone is undefined", async (t) => {
  const path = `/a/${id}`;
  const files = await tree(t, {
    [`cgroup${path}/memory.current`]: "10\n",
    [`cgroup${path}/memory.max`]: "max\n",
    [`cgroup${path}/cpu.max`]: "max 100000\n",
    [`cgroup${path}/memory.stat`]: "inactive_file 20\n",
    [`cgroup/memory${path}/memory.usage_in_bytes`]: "10\n",
    [`cgroup/memory${path}/memory.limit_in_bytes`]: "9223372036854771712\n",
    [`cgroup/cpu${path}/cpu.cfs_quota_us`]: "-1\n",
  });
  const two = files.read({ path, version: 2 });
  assert.deepEqual(Object.keys(two ?? {}), ["cpuTime", "memoryUsage", "workingSet"]);
  assert.equal(two?.workingSet, 0, "not below 0");
  assert.deepEqual(Object.keys(files.read({ path, version: 1 }) ?? {}), [
    "cpuTime",
    "memoryUsage",
    "workingSet",
  ]);
  for (const version of [1, 2] as const) assert.equal(files.read({ path: "/gone", version }), undefined);
});

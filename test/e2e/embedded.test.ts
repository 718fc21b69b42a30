/** The embedded runtime on the real containerd, with real pods: what it starts, and that nothing of it stays. */

import assert from "node:assert/strict";
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import {
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { call } from "../../src/cri/call.ts";
import { connect } from "../../src/cri/channel.ts";
import { createEmbedded, type Embedded, type EmbeddedOptions } from "../../src/embedded/containerd.ts";
import { podCgroup } from "../../src/runtimes/pod-cgroup.ts";
import { removeAllPods } from "../../src/runtimes/remove-pods.ts";
import { eventually } from "../support/eventually.ts";
import { freePort } from "../support/free-port.ts";
import { newFolder } from "./support/gateway.ts";
import { reasonToSkip } from "./support/machine.ts";
import { allKinds, kindsOf, marksOf as marksOfIds, tracesOf } from "./support/traces.ts";

const skip = await reasonToSkip();

interface Pod {
  /** Of the pod, its container and its cgroup. */
  readonly ids: readonly string[];
  readonly hostPort: number;
}

/** A pod with a host port, where a busybox in it says hello over HTTP; it does when this resolves. */
async function runPod(socket: string): Promise<Pod> {
  const hostPort = await freePort();
  const uid = randomUUID();
  const cgroupParent = podCgroup("CGROUPFS", uid);
  const sandboxConfig = {
    metadata: { name: "e2e", uid, namespace: "default" },
    portMappings: [{ containerPort: 80, hostPort }],
    linux: { cgroupParent },
  };
  const config = {
    metadata: { name: "main" },
    image: { image: "busybox:1.35" },
    command: ["sh"],
    args: ["-c", "echo hello >/tmp/index.html; exec httpd -f -p 80 -h /tmp"],
    linux: {},
  };
  const runtime = connect({ runtimeEndpoint: socket });
  try {
    const made = await call(runtime, "RuntimeService/RunPodSandbox", { config: sandboxConfig });
    const { podSandboxId } = made;
    const request = { podSandboxId, config, sandboxConfig };
    const { containerId } = await call(runtime, "RuntimeService/CreateContainer", request);
    await call(runtime, "RuntimeService/StartContainer", { containerId });
    while (!(await answers(hostPort))) await sleep(20);
    return { ids: [podSandboxId, containerId, cgroupParent], hostPort };
  } finally {
    runtime.close();
  }
}

async function answers(port: number): Promise<boolean> {
  const url = `http://127.0.0.1:${port}/`;
  return fetch(url).then(
    async (response) => (await response.text()) === "hello\n",
    () => false,
  );
}

const marksOf = (dataDir: string, pods: readonly Pod[]): readonly string[] =>
  marksOfIds(
    dataDir,
    pods.flatMap(({ ids }) => ids),
  );

function procFile(pid: string, name: string): string {
  try {
    return readFileSync(`/proc/${pid}/${name}`, "utf8");
  } catch {
    return "";
  }
}

function ctr(socket: string, ...args: readonly string[]): readonly string[] {
  const output = execFileSync("ctr", ["--address", socket, "--namespace", "k8s.io", ...args], {
    encoding: "utf8",
  });
  return output.split("\n").filter((line) => line !== "");
}

// --- The gateways under test. ---

const folders: string[] = [];
const open: Embedded[] = [];
const children: ChildProcess[] = [];
after(async () => {
  for (const child of children) child.kill("SIGKILL");
  await Promise.allSettled(open.map((embedded) => embedded.close()));
  // A test that failed may have left a killed gateway's runtime.
  for (const folder of folders.filter((folder) => existsSync(join(folder, "containerd-state")))) {
    await (await start(folder)).close();
  }
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

function newDataDir(): string {
  const folder = newFolder();
  folders.push(folder);
  return folder;
}

async function start(dataDir: string, options: Partial<EmbeddedOptions> = {}): Promise<Embedded> {
  const defaults = { dataDir, report: () => undefined, removePods: removeAllPods, install: false };
  const embedded = await createEmbedded({ ...defaults, ...options });
  open.push(embedded);
  return embedded;
}

/** A gateway in a process of its own, which can be killed; resolves when it serves. */
async function startChild(dataDir: string): Promise<ChildProcess> {
  const module = import.meta.resolve(`../../src/embedded/containerd${import.meta.url.slice(-3)}`);
  const script = `import { createEmbedded } from ${JSON.stringify(module)};
    await createEmbedded({ dataDir: ${JSON.stringify(dataDir)}, report() {}, async removePods() {}, install: false });
    console.log("ready");
    setInterval(() => {}, 1000);`;
  const stdio = ["ignore", "pipe", "inherit"] as const;
  const child = spawn(process.execPath, ["--input-type=module", "--eval", script], { stdio: [...stdio] });
  children.push(child);
  const [first] = await Promise.race([once(child.stdout ?? child, "data"), once(child, "exit")]);
  assert.equal(String(first), "ready\n");
  return child;
}

// --- The tests. ---

test("createEmbedded() runs a pod of its own images, and close() leaves nothing of it", {
  skip,
}, async () => {
  const dataDir = newDataDir();
  const steps: string[] = [];
  const embedded = await start(dataDir, { report: (step) => steps.push(step) });
  assert.match(embedded.version, /^\d+\.\d+\.\d+$/);
  assert.deepEqual(steps, [`Starting containerd ${embedded.version}`, "Importing busybox:1.35 and pause:1"]);
  const images = ctr(embedded.socket, "images", "ls", "--quiet");
  for (const name of [
    "crest.invalid/pause:1",
    "docker.io/library/busybox:1.35",
    "docker.io/library/busybox:latest",
  ]) {
    assert.ok(images.includes(name), name);
  }

  const pod = await runPod(embedded.socket);
  const marks = marksOf(dataDir, [pod]);
  assert.deepEqual(kindsOf(tracesOf(marks)), allKinds);

  await Promise.all([embedded.close(), embedded.close()]);
  assert.deepEqual(tracesOf(marks), []);
});

test("containerd has no plugin that restarts containers, which a label makes run any program", {
  skip,
}, async () => {
  const embedded = await start(newDataDir());
  const plugins = ctr(embedded.socket, "plugins", "ls").map((row) => row.split(/\s+/)[1]);
  assert.ok(plugins.includes("opt"), `${plugins}`);
  assert.ok(!plugins.includes("restart"), `${plugins}`);
  await embedded.close();
});

test("createEmbedded() takes over a data folder in which the pause image has its former name", {
  skip,
}, async () => {
  const dataDir = newDataDir();
  const earlier = await start(dataDir);
  ctr(earlier.socket, "images", "tag", "crest.invalid/pause:1", "crest.local/pause:1");
  ctr(earlier.socket, "images", "rm", "crest.invalid/pause:1");
  await earlier.close();

  const steps: string[] = [];
  const embedded = await start(dataDir, { report: (step) => steps.push(step) });
  assert.deepEqual(steps.slice(1), ["Importing pause:1"]);
  const names = ctr(embedded.socket, "images", "ls", "--quiet");
  assert.deepEqual(
    names.filter((name) => name.includes("/pause:")),
    ["crest.invalid/pause:1"],
  );
  await runPod(embedded.socket);
  await embedded.close();
});

test("the pause image's process reaps orphans and ends at the first SIGTERM", { skip }, async () => {
  const embedded = await start(newDataDir());
  const [pod = "", container = ""] = (await runPod(embedded.socket)).ids;
  const row = ctr(embedded.socket, "tasks", "ls").find((line) => line.startsWith(pod));
  const pid = row?.split(/\s+/)[1] ?? "";
  const children = () => procFile(pid, `task/${pid}/children`).trim().split(" ");
  const [waitedFor] = children();
  const script = "sleep 1000 </dev/null >/dev/null 2>&1 &";
  ctr(embedded.socket, "tasks", "exec", "--exec-id", "orphan", pod, "sh", "-c", script);
  const orphan = children().find((child) => child !== waitedFor);
  process.kill(Number(orphan), "SIGKILL");
  while (children().length > 1) await sleep(20);
  assert.deepEqual(children(), [waitedFor]);

  const runtime = connect({ runtimeEndpoint: embedded.socket });
  await call(runtime, "RuntimeService/RemoveContainer", { containerId: container });
  runtime.close();
  const startedAtMs = Date.now();
  process.kill(Number(pid), "SIGTERM");
  while (procFile(pid, "cmdline") !== "") await sleep(20);
  assert.ok(Date.now() - startedAtMs < 1_000);
  await embedded.close();
});

test("close() leaves nothing when the runtime cannot remove its pods", { skip }, async () => {
  const dataDir = newDataDir();
  const steps: string[] = [];
  const embedded = await start(dataDir, {
    report: (step) => steps.push(step),
    removePods: () => Promise.reject(new Error("no")),
  });
  const marks = marksOf(dataDir, [await runPod(embedded.socket)]);
  await embedded.close();
  assert.deepEqual(steps.slice(-2), ["Removing pods", "Cannot remove the pods in order: no"]);
  assert.deepEqual(tracesOf(marks), []);

  const again = await start(dataDir, { report: (step) => steps.push(step) });
  assert.equal(steps.at(-1), `Starting containerd ${again.version}`, "its records went too");
  assert.deepEqual(ctr(again.socket, "containers", "ls", "--quiet"), []);
  await again.close();
});

test("pods of a killed gateway that the runtime cannot remove are gone after the next start", {
  skip,
}, async () => {
  const dataDir = newDataDir();
  const child = await startChild(dataDir);
  await runPod(join(dataDir, "containerd.sock"));
  child.kill("SIGKILL");
  await once(child, "exit");
  const embedded = await start(dataDir, { removePods: () => Promise.reject(new Error("no")) });
  assert.deepEqual(ctr(embedded.socket, "containers", "ls", "--quiet"), []);
  const runtime = connect({ runtimeEndpoint: embedded.socket });
  const { items } = await call(runtime, "RuntimeService/ListPodSandbox", {});
  runtime.close();
  assert.deepEqual(items, []);
  await embedded.close();
});

test("a killed gateway's pods are removed at the next start on the folder, its images are kept", {
  skip,
}, async () => {
  const dataDir = newDataDir();
  const child = await startChild(dataDir);
  const socket = join(dataDir, "containerd.sock");
  const pods = [await runPod(socket), await runPod(socket)];
  const marks = marksOf(dataDir, pods);
  child.kill("SIGKILL");
  await once(child, "exit");
  assert.deepEqual(kindsOf(tracesOf(marks)), allKinds);

  const steps: string[] = [];
  const embedded = await start(dataDir, { report: (step) => steps.push(step) });
  assert.deepEqual(steps, [
    "Cleaning up after a gateway that was killed",
    `Starting containerd ${embedded.version}`,
    "Removing pods",
  ]);
  const ids = pods.flatMap((pod) => pod.ids);
  assert.deepEqual(
    tracesOf(marks).filter((trace) => ids.some((id) => trace.includes(id))),
    [],
  );
  assert.deepEqual(ctr(socket, "containers", "ls", "--quiet"), []);
  await runPod(socket);
  await embedded.close();
  assert.deepEqual(tracesOf(marks), []);
});

test("what was killed together with its containerd and shims is cleaned up too", { skip }, async () => {
  const dataDir = newDataDir();
  const child = await startChild(dataDir);
  const pod = await runPod(join(dataDir, "containerd.sock"));
  const marks = marksOf(dataDir, [pod]);
  child.kill("SIGKILL");
  for (const line of tracesOf(marks)) {
    const [kind, pid] = line.split(" ");
    if (kind === "process" && line.includes("containerd")) process.kill(Number(pid), "SIGKILL");
  }
  const embedded = await start(dataDir);
  await embedded.close();
  assert.deepEqual(tracesOf(marks), []);
});

test("the cgroup of a pod whose making was cut off goes when its folder of logs tells of it", {
  skip,
}, async () => {
  const dataDir = newDataDir();
  // Where version 1 is mounted it has a hierarchy for each controller.
  const [hierarchy] = ["/sys/fs/cgroup/pids", "/sys/fs/cgroup"].filter((folder) => existsSync(folder));
  const [ours, another] = [randomUUID(), randomUUID()].map((uid) => ({
    log: join(dataDir, "logs", `default_web_${uid}`),
    cgroup: `${hierarchy}${podCgroup("CGROUPFS", uid)}`,
  }));
  assert.ok(ours && another);
  for (const folder of [ours.log, ours.cgroup, another.cgroup]) mkdirSync(folder, { recursive: true });
  await (await start(dataDir)).close();
  assert.deepEqual([existsSync(ours.cgroup), existsSync(another.cgroup)], [false, true]);
  rmdirSync(another.cgroup);
});

test("two data folders have two runtimes, and closing one does not disturb the other", { skip }, async () => {
  const [one, two] = [newDataDir(), newDataDir()];
  const [first, second] = await Promise.all([start(one), start(two)]);
  const [firstPod, secondPod] = await Promise.all([runPod(first.socket), runPod(second.socket)]);
  const subnet = (dataDir: string) => readFileSync(join(dataDir, "subnet"), "utf8");
  assert.notEqual(subnet(one), subnet(two));
  const marks = marksOf(one, [firstPod]);
  const other = tracesOf(marksOf(two, [secondPod]));
  await first.close();
  assert.deepEqual(tracesOf(marks), []);
  assert.deepEqual(tracesOf(marksOf(two, [secondPod])), other);
  assert.ok(await answers(secondPod.hostPort));
  await second.close();
});

test("a data folder keeps its subnet from one start to the next", { skip }, async () => {
  const dataDir = newDataDir();
  await (await start(dataDir)).close();
  const before = readFileSync(join(dataDir, "subnet"), "utf8");
  await (await start(dataDir)).close();
  assert.equal(readFileSync(join(dataDir, "subnet"), "utf8"), before);
});

test("folders of the runtime that another user made or linked are refused before anything is read", {
  skip,
}, async () => {
  const nobody = 65534;
  for (const name of ["containerd", "containerd-state", "cni", "cni-addresses", "logs"]) {
    const dataDir = newDataDir();
    const path = join(dataDir, name);
    mkdirSync(path);
    chownSync(path, nobody, nobody);
    const theirs = new RegExp(`^StartError: .*: ${path} belongs to user ${nobody}, .*or choose another with`);
    await assert.rejects(start(dataDir), theirs);
    rmdirSync(path);
    symlinkSync("/etc", path);
    await assert.rejects(start(dataDir), new RegExp(`: ${path} is a symbolic link: run rm ${path}`));
    rmSync(path);
  }
});

test("links that another user left in the folder are not followed", { skip }, async () => {
  const dataDir = newDataDir();
  const victim = join(newDataDir(), "victim");
  writeFileSync(victim, "precious");
  for (const name of ["containerd.toml", "containerd.log", "subnet"])
    symlinkSync(victim, join(dataDir, name));
  await (await start(dataDir)).close();
  assert.equal(readFileSync(victim, "utf8"), "precious");
  for (const name of ["containerd.toml", "containerd.log", "subnet"]) {
    assert.ok(lstatSync(join(dataDir, name)).isFile(), name);
  }
  rmSync(join(dataDir, "subnet"));
  execFileSync("mkfifo", [join(dataDir, "subnet")]);
  await (await start(dataDir)).close();
});

test("containerd is started again when it is killed, and its pods go on", { skip }, async () => {
  const dataDir = newDataDir();
  const steps: string[] = [];
  const embedded = await start(dataDir, { report: (step) => steps.push(step) });
  const pod = await runPod(embedded.socket);
  const marks = marksOf(dataDir, [pod]);
  for (let kill = 1; kill <= 2; kill++) {
    const { pid } = embedded;
    process.kill(pid, "SIGKILL");
    await eventually(() => embedded.pid !== pid, { timeoutMs: 30_000 });
    assert.ok(await answers(pod.hostPort));
    const runtime = connect({ runtimeEndpoint: embedded.socket });
    const { items } = await call(runtime, "RuntimeService/ListPodSandbox", {});
    const { containers } = await call(runtime, "RuntimeService/ListContainers", {});
    runtime.close();
    const states = [...items, ...containers].map(({ id, state }) => [id, state]);
    const [podId, containerId] = pod.ids;
    assert.deepEqual(states, [
      [podId, "SANDBOX_READY"],
      [containerId, "CONTAINER_RUNNING"],
    ]);
  }
  assert.deepEqual(
    steps.filter((step) => step.startsWith("containerd was ended")),
    Array(2).fill("containerd was ended by SIGKILL; it is started again"),
  );
  await embedded.close();
  assert.deepEqual(tracesOf(marks), []);
});

test("exited resolves when containerd ends for good, and close() still cleans up", { skip }, async () => {
  const dataDir = newDataDir();
  const embedded = await start(dataDir, { restart: false });
  const marks = marksOf(dataDir, [await runPod(embedded.socket)]);
  process.kill(embedded.pid, "SIGKILL");
  assert.match(await embedded.exited, /^containerd was ended by SIGKILL; its log is /);
  await embedded.close();
  assert.deepEqual(tracesOf(marks), []);
});

/** The embedded runtime on the real containerd, with real pods: what it starts, and that nothing of it stays. */

import assert from "node:assert/strict";
import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Client, credentials } from "@grpc/grpc-js";
import { createEmbedded, type Embedded, type EmbeddedOptions } from "../../src/embedded/containerd.ts";
import { missingPackages } from "../../src/embedded/requirements.ts";
import { StartError } from "../../src/errors.ts";

const skip = await reasonToSkip();

async function reasonToSkip(): Promise<string | false> {
  if (process.platform !== "linux" || process.geteuid?.() !== 0) return "needs Linux and root";
  const missing = await missingPackages();
  return missing.length > 0 ? `needs the packages ${missing.join(", ")}` : false;
}

// --- The few CRI messages that a pod needs, in protobuf's wire format, and the calls. ---

function field(number: number, value: Buffer | string | number): Buffer {
  if (typeof value === "number") return Buffer.concat([varint(number << 3), varint(value)]);
  const bytes = Buffer.from(value);
  return Buffer.concat([varint((number << 3) | 2), varint(bytes.length), bytes]);
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  for (let rest = value; ; rest >>>= 7) {
    if (rest < 128) return Buffer.from([...bytes, rest]);
    bytes.push((rest & 127) | 128);
  }
}

function message(...fields: readonly Buffer[]): Buffer {
  return Buffer.concat(fields);
}

/** Ids are 64 hexadecimal digits: found in an answer without decoding it. */
function idsIn(answer: Buffer): readonly string[] {
  return [...new Set(answer.toString("latin1").match(/(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])/g) ?? [])];
}

async function cri(socket: string, rpc: string, request: Buffer): Promise<Buffer> {
  const client = new Client(`unix:${socket}`, credentials.createInsecure());
  const same = (bytes: Buffer) => bytes;
  try {
    return await new Promise((resolve, reject) => {
      client.makeUnaryRequest(`/runtime.v1.RuntimeService/${rpc}`, same, same, request, (error, answer) =>
        error ? reject(error) : resolve(answer ?? Buffer.alloc(0)),
      );
    });
  } finally {
    client.close();
  }
}

async function removePods(socket: string): Promise<void> {
  for (const pod of idsIn(await cri(socket, "ListPodSandbox", Buffer.alloc(0)))) {
    await cri(socket, "StopPodSandbox", field(1, pod));
    await cri(socket, "RemovePodSandbox", field(1, pod));
  }
}

interface Pod {
  readonly ids: readonly string[];
  readonly hostPort: number;
}

/** A pod with a host port, where a busybox in it says hello over HTTP; it does when this resolves. */
async function runPod(socket: string): Promise<Pod> {
  const hostPort = await freePort();
  const config = message(
    field(1, message(field(1, "e2e"), field(2, randomUUID()), field(3, "default"))),
    field(5, message(field(2, 80), field(3, hostPort))),
    field(8, Buffer.alloc(0)),
  );
  const [pod = ""] = idsIn(await cri(socket, "RunPodSandbox", field(1, config)));
  const container = message(
    field(1, field(1, "main")),
    field(2, field(1, "busybox:1.35")),
    field(3, "sh"),
    ...["-c", "echo hello >/tmp/index.html; exec httpd -f -p 80 -h /tmp"].map((arg) => field(4, arg)),
    field(15, Buffer.alloc(0)),
  );
  const created = await cri(
    socket,
    "CreateContainer",
    message(field(1, pod), field(2, container), field(3, config)),
  );
  const [id = ""] = idsIn(created);
  await cri(socket, "StartContainer", field(1, id));
  while (!(await answers(hostPort))) await sleep(20);
  return { ids: [pod, id], hostPort };
}

async function answers(port: number): Promise<boolean> {
  const url = `http://127.0.0.1:${port}/`;
  return fetch(url).then(
    async (response) => (await response.text()) === "hello\n",
    () => false,
  );
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, resolve));
  const address = server.address();
  server.close();
  assert.ok(typeof address === "object" && address !== null);
  return address.port;
}

// --- What a runtime has on the machine. ---

/** The marks that tell what is of the runtime of `dataDir`; taken while its pods run. */
function marksOf(dataDir: string, pods: readonly Pod[]): readonly string[] {
  const network = networkOf(dataDir);
  const subnet = readFileSync(join(dataDir, "subnet"), "utf8").replace(/0\/24\n$/, "");
  const ids = pods.flatMap((pod) => pod.ids);
  return [dataDir, network, subnet, ...portsOf(network), ...ids, ...shimSocketsOf(dataDir, ids)];
}

function shimSocketsOf(dataDir: string, ids: readonly string[]): readonly string[] {
  const tasks = join(dataDir, "containerd-state", "io.containerd.runtime.v2.task", "k8s.io");
  return ids
    .map((id) => join(tasks, id, "address"))
    .filter((path) => existsSync(path))
    .flatMap((path) => /[0-9a-f]{64}$/.exec(readFileSync(path, "utf8").trim())?.[0] ?? []);
}

/** Everything on the machine that has one of `marks`, as lines. */
function traces(marks: readonly string[]): readonly string[] {
  const has = (text: string) => marks.some((mark) => text.includes(mark));
  const withMark = (title: string, texts: readonly string[]) =>
    texts.filter(has).map((text) => `${title} ${text}`);
  const processes = readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    // A zombie has no command line, and is its parent's to reap.
    .filter((pid) => procFile(pid, "cmdline") !== "")
    .map((pid) => [pid, procFile(pid, "cmdline").replaceAll("\0", " "), procFile(pid, "cgroup")].join(" "));
  const network = ["/run/netns", "/run/containerd", "/var/lib/cni"];
  const ownFiles = marks
    .filter((mark) => mark.startsWith("/"))
    .flatMap((dataDir) => ["containerd-state", "containerd.sock"].map((name) => join(dataDir, name)));
  return [
    ...withMark("process", processes),
    ...withMark("mount", readFileSync("/proc/self/mountinfo", "utf8").split("\n")),
    ...withMark("link", readdirSync("/sys/class/net")),
    ...withMark("rule", execFileSync("iptables-save", { encoding: "utf8" }).split("\n")),
    ...withMark("cgroup", pathsBelow(["/sys/fs/cgroup"], "d")),
    ...withMark("file", pathsBelow([...network, ...ownFiles], "f,d,s")),
  ];
}

/** By find(1), which goes on when others remove what it is looking at. */
function pathsBelow(folders: readonly string[], types: string): readonly string[] {
  return spawnSync("find", [...folders, "-type", types], { encoding: "utf8" }).stdout.split("\n");
}

/** The kinds of traces that a running pod has: what the tests prove to be gone. */
const allKinds = ["cgroup", "file", "link", "mount", "process", "rule"];

function kindsOf(lines: readonly string[]): readonly string[] {
  return [...new Set(lines.map((line) => line.split(" ")[0] ?? ""))].sort();
}

function procFile(pid: string, name: string): string {
  try {
    return readFileSync(`/proc/${pid}/${name}`, "utf8");
  } catch {
    return "";
  }
}

function networkOf(dataDir: string): string {
  return JSON.parse(readFileSync(join(dataDir, "cni", "10-crest.conflist"), "utf8")).name;
}

/** The host's ends of the pods' links. */
function portsOf(network: string): readonly string[] {
  return readdirSync(`/sys/class/net/${network}/brif`);
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
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "crest-e2e-")));
  folders.push(folder);
  return folder;
}

async function start(dataDir: string, options: Partial<EmbeddedOptions> = {}): Promise<Embedded> {
  const defaults = { dataDir, report: () => undefined, removePods, install: false };
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
    "crest.local/pause:1",
    "docker.io/library/busybox:1.35",
    "docker.io/library/busybox:latest",
  ]) {
    assert.ok(images.includes(name), name);
  }

  const pod = await runPod(embedded.socket);
  const marks = marksOf(dataDir, [pod]);
  assert.deepEqual(kindsOf(traces(marks)), allKinds);

  await Promise.all([embedded.close(), embedded.close()]);
  assert.deepEqual(traces(marks), []);
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

  await cri(embedded.socket, "RemoveContainer", field(1, container));
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
  assert.deepEqual(traces(marks), []);

  const again = await start(dataDir, { report: (step) => steps.push(step) });
  assert.equal(steps.at(-1), "Removing pods", "its records are removed at the next start");
  assert.deepEqual(ctr(again.socket, "containers", "ls", "--quiet"), []);
  await again.close();
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
  assert.deepEqual(kindsOf(traces(marks)), allKinds);

  const steps: string[] = [];
  const embedded = await start(dataDir, { report: (step) => steps.push(step) });
  assert.deepEqual(steps, [
    "Cleaning up after a gateway that was killed",
    `Starting containerd ${embedded.version}`,
    "Removing pods",
  ]);
  const ids = pods.flatMap((pod) => pod.ids);
  assert.deepEqual(
    traces(marks).filter((trace) => ids.some((id) => trace.includes(id))),
    [],
  );
  assert.deepEqual(ctr(socket, "containers", "ls", "--quiet"), []);
  await runPod(socket);
  await embedded.close();
  assert.deepEqual(traces(marks), []);
});

test("what was killed together with its containerd and shims is cleaned up too", { skip }, async () => {
  const dataDir = newDataDir();
  const child = await startChild(dataDir);
  const pod = await runPod(join(dataDir, "containerd.sock"));
  const marks = marksOf(dataDir, [pod]);
  child.kill("SIGKILL");
  for (const line of traces(marks)) {
    const [kind, pid] = line.split(" ");
    if (kind === "process" && line.includes("containerd")) process.kill(Number(pid), "SIGKILL");
  }
  const embedded = await start(dataDir);
  await embedded.close();
  assert.deepEqual(traces(marks), []);
});

test("two data folders have two runtimes, and closing one does not disturb the other", { skip }, async () => {
  const [one, two] = [newDataDir(), newDataDir()];
  const [first, second] = await Promise.all([start(one), start(two)]);
  const [firstPod, secondPod] = await Promise.all([runPod(first.socket), runPod(second.socket)]);
  const subnet = (dataDir: string) => readFileSync(join(dataDir, "subnet"), "utf8");
  assert.notEqual(subnet(one), subnet(two));
  const marks = marksOf(one, [firstPod]);
  const other = traces(marksOf(two, [secondPod]));
  await first.close();
  assert.deepEqual(traces(marks), []);
  assert.deepEqual(traces(marksOf(two, [secondPod])), other);
  assert.ok(await answers(secondPod.hostPort));
  await second.close();
});

test("a second gateway on the same folder is refused with the pid of the first", { skip }, async () => {
  const dataDir = newDataDir();
  const embedded = await start(dataDir);
  await assert.rejects(start(dataDir), (error: unknown) => {
    assert.ok(error instanceof StartError);
    assert.ok(error.message.includes(`process ${process.pid}:`), error.message);
    return true;
  });
  const before = readFileSync(join(dataDir, "subnet"), "utf8");
  await embedded.close();
  const again = await start(dataDir);
  assert.equal(readFileSync(join(dataDir, "subnet"), "utf8"), before);
  await again.close();
});

test("exited resolves when containerd ends by itself, and close() still cleans up", { skip }, async () => {
  const dataDir = newDataDir();
  const embedded = await start(dataDir);
  const marks = marksOf(dataDir, [await runPod(embedded.socket)]);
  process.kill(embedded.pid, "SIGKILL");
  assert.match(await embedded.exited, /^containerd was ended by SIGKILL; its log is /);
  await embedded.close();
  assert.deepEqual(traces(marks), []);
});

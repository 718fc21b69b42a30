/** The files that people have for `crictl` as bodies, log files, and what of a container stays secret. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { existsSync, readFileSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { stringify } from "yaml";
import type { ContainerStatusResponse, PodSandboxStatusResponse } from "../../src/gen/messages.ts";
import { type CrictlFile, crictlFiles } from "../support/crictl-files.ts";
import { eventually } from "../support/eventually.ts";
import { repositoryRoot } from "../support/repository.ts";
import { assertDone, bodyOf, problemOf } from "./support/api.ts";
import { reasonToSkip } from "./support/machine.ts";
import {
  containerStatus,
  exec,
  exited,
  podStatus,
  type Resource,
  removePod,
  runContainer,
  runPod,
  shell,
} from "./support/pods.ts";
import { useGateway } from "./support/suite.ts";

const skip = await reasonToSkip();
const crest = useGateway(skip);

const busy = { timeoutMs: 20_000, intervalMs: 30 };
const fileText = (name: string) =>
  readFileSync(join(repositoryRoot(), "test", "e2e", "support", "crictl", name), "utf8");
const logDirectory = "/tmp/crest-e2e-crictl-logs";
after(() => rmSync(logDirectory, { recursive: true, force: true }));

async function postFile(path: string, name: string): Promise<Resource> {
  const answer = await crest().post(path, fileText(name));
  bodyOf(answer, 201);
  const location = answer.headers.location ?? "";
  return { path: location, id: location.slice(location.lastIndexOf("/") + 1) };
}

/** The lines that a container wrote, in the format of Kubernetes' container logs. */
function logLines(path: string): readonly string[] {
  const line = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+(?:Z|[+-]\d\d:\d\d) (std\w+ [FP] .*)$/;
  const lines = readFileSync(path, "utf8").trimEnd().split("\n");
  return lines.map((text) => line.exec(text)?.[1] ?? `no log line: ${text}`);
}

test("crictl's pod and container files are taken unchanged", { skip }, async () => {
  const pod = await postFile("/v1/pods", "pod-config.json");
  const ofPod = await podStatus(crest(), pod);
  assert.deepEqual({ ...ofPod.metadata }, JSON.parse(fileText("pod-config.json")).metadata);
  assert.deepEqual({ ...ofPod.annotations }, { note: "kept as it is" });

  const container = await postFile(`${pod.path}/containers`, "container-config.json");
  assertDone(await crest().post(`${container.path}/start`));
  const status = await containerStatus(crest(), container);
  assert.deepEqual({ ...status.metadata }, { name: "container-of-crictl", attempt: 2 });
  assert.equal(status.logPath, `${logDirectory}/crictl/container.log`);
  await eventually(() => existsSync(status.logPath) && readFileSync(status.logPath).length > 0, busy);
  assert.deepEqual(logLines(status.logPath), ["stdout F 8080 = plain text from from-crictl in /tmp"]);

  const inside = await exec(
    crest(),
    container,
    "cat /etc/resolv.conf; grep -E 'CapBnd|NoNewPrivs' /proc/self/status",
  );
  assert.match(inside.stdout, /^search pods\.example$/m);
  assert.match(inside.stdout, /^nameserver 192\.0\.2\.53$/m);
  assert.match(inside.stdout, /^NoNewPrivs:\s*1$/m);
  const bounding = BigInt(`0x${/CapBnd:\s*([0-9a-f]+)/.exec(inside.stdout)?.[1]}`);
  assert.equal((bounding >> 13n) & 1n, 0n, "CAP_NET_RAW was dropped");

  const path = `${container.path}?verbose`;
  const { info } = bodyOf(await crest().get<ContainerStatusResponse>(path));
  const kept = JSON.parse(info.info ?? "").runtimeSpec.linux.resources;
  assert.deepEqual([kept.cpu.shares, kept.memory.limit], [512, 67_108_864]);
  await removePod(crest(), pod);
});

/** Sends one of crictl's files, under a name that no other has, and gives what was made and warned of. */
async function sendFile(
  { kind, text }: CrictlFile,
  type: string,
  pod: Resource,
): Promise<Resource & { readonly warnings: readonly string[] }> {
  // Only the start of a process is not of interest here, and neither is the folder of its logs.
  const body = text
    .replaceAll("/tmp/crest-crictl-files", logDirectory)
    .replace(/(hdish)\w+/, `$1${randomUUID()}`);
  const path = kind === "pod" ? "/v1/pods" : `${pod.path}/containers`;
  const answer = await crest().send("POST", path, { body, headers: { "content-type": type } });
  bodyOf(answer, 201);
  const location = answer.headers.location ?? "";
  const warnings = String(answer.headers.warning ?? "").matchAll(/unknown field \\"(.*?)\\"/g);
  return {
    path: location,
    id: location.slice(location.lastIndexOf("/") + 1),
    warnings: [...warnings].map(([, pointer = ""]) => pointer).sort(),
  };
}

test("what crictl passes over in a file is left out and named, in JSON and in YAML", { skip }, async () => {
  for (const file of crictlFiles) {
    const isJson = file.text.startsWith("{");
    const asYaml = { ...file, text: isJson ? stringify(JSON.parse(file.text)) : file.text };
    for (const [sent, type] of [
      [asYaml, "application/yaml"],
      ...(isJson ? ([[file, "application/json"]] as const) : []),
    ] as const) {
      const pod = await runPod(crest());
      const { warnings, ...made } = await sendFile(sent, type, pod);
      assert.deepEqual(warnings, [...file.unknown].sort(), file.what);
      if (file.kind === "pod") await removePod(crest(), made);
      await removePod(crest(), pod);
    }
  }
});

test("a pod's log directory and a container's log path are made when none is given", { skip }, async () => {
  const pod = await runPod(crest());
  const script = "echo out; echo err >&2; printf unfinished";
  const container = await runContainer(crest(), pod, { metadata: { name: "app" }, ...shell(script) });
  await exited(crest(), container);
  const { logPath } = await containerStatus(crest(), container);
  const { metadata } = await podStatus(crest(), pod);
  const folder = `default_${metadata?.name}_${metadata?.uid}`;
  assert.equal(logPath, join(crest().dataDir, "logs", folder, "app", "0.log"));
  const lines = await eventually(() => logLines(logPath).length === 3 && logLines(logPath), busy);
  assert.deepEqual([...lines].sort(), ["stderr F err", "stdout F out", "stdout P unfinished"]);
  await removePod(crest(), pod);
});

test("a log file that was moved away is opened anew when told", { skip }, async () => {
  const pod = await runPod(crest());
  const container = await runContainer(
    crest(),
    pod,
    shell("n=0; while :; do n=$((n+1)); echo $n; sleep 0.05; done"),
  );
  const { logPath } = await containerStatus(crest(), container);
  await eventually(() => readFileSync(logPath).length > 0, busy);
  renameSync(logPath, `${logPath}.1`);
  assertDone(await crest().post(`${container.path}/logs/reopen`));
  await eventually(() => readFileSync(logPath).length > 0, busy);
  assert.match(logLines(logPath)[0] ?? "", /^stdout F \d+$/);
  await removePod(crest(), pod);
});

test("a log path that leaves the log directory is refused", { skip }, async () => {
  const pod = await runPod(crest());
  const config = { metadata: { name: "app" }, image: "busybox:latest", log_path: "../../outside.log" };
  const problem = problemOf(await crest().post(`${pod.path}/containers`, config), 400, "invalid_request");
  assert.match(problem.errors?.[0]?.pointer ?? "", /^\/(logPath|log_path)$/);
  await removePod(crest(), pod);
});

test("a log directory that is no absolute path is refused", { skip }, async () => {
  for (const name of ["logDirectory", "log_directory"]) {
    const answer = await crest().post("/v1/pods", { metadata: { name: "relative" }, [name]: "logs/here" });
    const problem = problemOf(answer, 400, "invalid_request");
    assert.match(problem.errors?.[0]?.pointer ?? "", /^\/(logDirectory|log_directory)$/);
  }
});

test("an environment comes back in verbose status only, and in no log of the gateway", { skip }, async () => {
  const secret = "canary-of-the-environment";
  const pod = await runPod(crest());
  const envs = [{ key: "PASSWORD", value: secret }];
  const container = await runContainer(crest(), pod, { envs });
  assert.equal((await exec(crest(), container, "echo $PASSWORD")).stdout, `${secret}\n`);
  const plain = [
    container.path,
    "/v1/containers",
    pod.path,
    "/v1/pods",
    `${container.path}/stats`,
    "/v1/grants",
  ];
  for (const path of plain) {
    const answer = await crest().get(path);
    bodyOf(answer);
    assert.ok(!answer.text.includes(secret), path);
  }
  assert.ok((await crest().get(`${container.path}?verbose=true`)).text.includes(secret));

  const broken = { metadata: { name: "broken" }, image: "registry.example/absent:1", envs };
  const refusals = [
    await crest().post(`${pod.path}/containers`, broken),
    await crest().post(`${pod.path}/containers`, { ...broken, comand: [secret] }),
    await crest().post(`${container.path}/exec`, { cmd: [secret] }),
  ];
  assert.deepEqual(
    refusals.map(({ status }) => status),
    [404, 400, 400],
  );
  await removePod(crest(), pod);
  assert.ok(!crest().process.output().includes(secret), crest().process.output());
});

test("a pod's verbose status shows what the runtime keeps, the plain one nothing of it", {
  skip,
}, async () => {
  const pod = await runPod(crest());
  const plain = bodyOf(await crest().get<PodSandboxStatusResponse>(pod.path));
  assert.deepEqual({ ...plain.info }, {});
  const verbose = bodyOf(await crest().get<PodSandboxStatusResponse>(`${pod.path}?verbose`));
  assert.ok(JSON.parse(verbose.info.info ?? "").config.metadata.name);
  await removePod(crest(), pod);
});

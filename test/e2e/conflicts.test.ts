/** What a real runtime refuses, in the problems that say what it means: 404, 409, and 400 for mistakes. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { open } from "node:fs/promises";
import { test } from "node:test";
import type { RunPodSandboxResponse } from "../../src/gen/messages.ts";
import { routes } from "../../src/routes/index.ts";
import { eventually } from "../support/eventually.ts";
import { freePort } from "../support/free-port.ts";
import { type Answer, anyProblemOf, assertDone, bodyOf, problemOf } from "./support/api.ts";
import { reasonToSkip } from "./support/machine.ts";
import {
  containerStatus,
  createContainer,
  type ExecAnswer,
  exited,
  image,
  newName,
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

const absent = "f".repeat(64);
const bodies: { readonly [routeId: string]: object } = {
  createContainer: { metadata: { name: "app" }, image },
  execSync: { cmd: ["true"] },
  updateContainerResources: { linux: { cpuShares: "512" } },
  updatePodResources: { overhead: { cpuShares: "512" } },
  checkpointContainer: { location: "/tmp/crest-e2e-never-written.tar" },
  checkpointPod: { outputPath: "/tmp/crest-e2e-never-written.tar" },
};

for (const route of routes) {
  const [kind] = Object.keys(route.path ?? {});
  if (route.kind === "session" || (kind !== "podSandboxId" && kind !== "containerId")) continue;
  const send = (id: string): Promise<Answer> => {
    const [method = "", path = ""] = route.http.split(" ");
    return crest().send(method, path.replace(/\{\w+\}/, id), { body: bodies[route.id] });
  };
  test(`${route.id} of what is absent is 404`, { skip }, async () => {
    const whole = anyProblemOf(await send(absent));
    // Whether the runtime has the RPC comes first where the id is not looked at here.
    if (whole.status !== 501) assert.deepEqual([whole.status, whole.code], [404, "not_found"], whole.detail);
    problemOf(await send("ffffffffffff"), 404, "not_found");
    problemOf(await send("no-id"), 404, "not_found");
  });
}

test("starting a container twice is 409", { skip }, async () => {
  const pod = await runPod(crest());
  const container = await runContainer(crest(), pod);
  problemOf(await crest().post(`${container.path}/start`), 409, "already_running");
  assert.equal((await containerStatus(crest(), container)).state, "CONTAINER_RUNNING");
  await removePod(crest(), pod);
});

test("starting or removing what is starting is 409, and retryable", { skip }, async () => {
  const pod = await runPod(crest());
  const container = await createContainer(crest(), pod);
  // containerd opens the log before it starts the process, and waits for somebody to read this one.
  const { logPath } = await containerStatus(crest(), container);
  execFileSync("mkfifo", [logPath]);
  const starts = [crest().post(`${container.path}/start`), crest().post(`${container.path}/start`)];
  const refused = problemOf(await Promise.race(starts), 409, "state_changing");
  assert.equal(refused.retryable, true);
  problemOf(await crest().delete(container.path), 409, "state_changing");
  const reader = await open(logPath, "r");
  const statuses = (await Promise.all(starts)).map(({ status }) => status);
  assert.deepEqual(statuses.sort(), [204, 409]);
  assertDone(await crest().delete(container.path));
  await reader.close();
  await removePod(crest(), pod);
});

test("one of several concurrent starts succeeds, the others are 409", { skip }, async () => {
  const pod = await runPod(crest());
  const container = await createContainer(crest(), pod);
  const starts = Array.from({ length: 8 }, () => crest().post(`${container.path}/start`));
  const answers = await Promise.all(starts);
  assert.deepEqual(answers.map(({ status }) => status).sort(), [204, ...Array(7).fill(409)]);
  for (const answer of answers.filter(({ status }) => status === 409))
    assert.match(anyProblemOf(answer).code, /^(state_changing|already_running)$/);
  await removePod(crest(), pod);
});

test("commands in what ends meanwhile run, are killed with it, or are 409", { skip }, async () => {
  const pod = await runPod(crest());
  for (let round = 0; round < 4; round++) {
    const container = await runContainer(crest(), pod);
    const run = () => crest().post<ExecAnswer>(`${container.path}/exec`, { cmd: ["true"] });
    const before = Array.from({ length: 8 }, run);
    const stopped = crest().post(`${container.path}/stop?timeout=0`);
    for (const answer of await Promise.all([...before, ...Array.from({ length: 8 }, run)])) {
      if (answer.status === 200) assert.ok([0, 137].includes(bodyOf(answer).exitCode));
      else problemOf(answer, 409, "not_running");
    }
    assertDone(await stopped);
  }
  await removePod(crest(), pod);
});

test("starting, running a command in and measuring what has exited is 409", { skip }, async () => {
  const pod = await runPod(crest());
  const container = await runContainer(crest(), pod, shell("exit 0"));
  await exited(crest(), container);
  problemOf(await crest().post(`${container.path}/start`), 409, "already_exited");
  problemOf(await crest().post(`${container.path}/exec`, { cmd: ["true"] }), 409, "not_running");
  problemOf(await crest().post(`${container.path}/logs/reopen`), 409, "not_running");
  problemOf(await crest().get(`${container.path}/stats`), 409, "not_running");
  await removePod(crest(), pod);
});

test("running a command in what was not started is 409, and runs nothing", { skip }, async () => {
  const pod = await runPod(crest());
  const container = await createContainer(crest(), pod);
  problemOf(await crest().post(`${container.path}/exec`, { cmd: ["true"] }), 409, "not_running");
  assert.equal((await containerStatus(crest(), container)).state, "CONTAINER_CREATED");
  await removePod(crest(), pod);
});

test("creating a container in a stopped pod is 409", { skip }, async () => {
  const pod = await runPod(crest());
  assertDone(await crest().post(`${pod.path}/stop`));
  const answer = await crest().post(`${pod.path}/containers`, { metadata: { name: "late" }, image });
  problemOf(answer, 409, "pod_not_ready");
  problemOf(await crest().get(`${pod.path}/stats`), 409, "pod_not_ready");
  await removePod(crest(), pod);
});

test("a pod's name, namespace, uid and attempt are taken until it is removed", { skip }, async () => {
  const metadata = { name: newName(), uid: "one", namespace: "default", attempt: 1 };
  const pod = await runPod(crest(), { metadata });
  problemOf(await crest().post("/v1/pods", { metadata }), 409, "name_reserved");
  const other = await runPod(crest(), { metadata: { ...metadata, attempt: 2 } });
  assertDone(await crest().post(`${pod.path}/stop`));
  problemOf(await crest().post("/v1/pods", { metadata }), 409, "name_reserved");
  await removePod(crest(), pod);
  await removePod(crest(), await runPod(crest(), { metadata }));
  await removePod(crest(), other);
});

test("a container's name and attempt are taken in its pod", { skip }, async () => {
  const [pod, other] = [await runPod(crest()), await runPod(crest())];
  const config = { metadata: { name: "app" }, image };
  await createContainer(crest(), pod, config);
  problemOf(await crest().post(`${pod.path}/containers`, config), 409, "name_reserved");
  await createContainer(crest(), pod, { metadata: { name: "app", attempt: 1 } });
  await createContainer(crest(), other, config);
  for (const each of [pod, other]) await removePod(crest(), each);
});

/** A pod with port 80 published, behind which a busybox says `text`. */
async function runWebPod(text: string, hostPort: number): Promise<Resource> {
  const pod = await runPod(crest(), { portMappings: [{ containerPort: 80, hostPort }] });
  await runContainer(crest(), pod, shell(`echo ${text} >/tmp/index.html; exec httpd -f -p 80 -h /tmp`));
  return pod;
}

/** What a port of the node says, once it says something. */
const saidOn = (hostPort: number): Promise<string> =>
  eventually(async () => await (await fetch(`http://127.0.0.1:${hostPort}/`)).text());

test("a host port of another pod is 409, and its connections stay with that pod", { skip }, async () => {
  const hostPort = await freePort();
  const first = await runWebPod("first", hostPort);
  assert.equal(await saidOn(hostPort), "first\n");
  const metadata = { name: newName(), uid: "one" };
  const mapping = { containerPort: 80, hostPort };
  const publish = (...portMappings: readonly object[]) =>
    crest().post("/v1/pods", { metadata, portMappings });
  for (const address of [{}, { hostIp: "0.0.0.0" }, { hostIp: "127.0.0.1" }]) {
    const answer = await publish({ containerPort: 81 }, { ...mapping, ...address });
    const { detail, errors } = problemOf(answer, 409, "port_in_use");
    assert.ok(detail.includes(`host port ${hostPort} (TCP) is in use by pod "${first.id}"`), detail);
    assert.deepEqual(
      errors?.map(({ pointer }) => pointer),
      ["/portMappings/1/hostPort"],
    );
  }
  assert.equal(await saidOn(hostPort), "first\n");

  const other = await runPod(crest(), { portMappings: [{ ...mapping, protocol: "UDP" }] });
  assertDone(await crest().post(`${first.path}/stop`));
  const second = await runWebPod("second", hostPort);
  assert.equal(await saidOn(hostPort), "second\n");
  problemOf(await publish(mapping), 409, "port_in_use");
  await removePod(crest(), second);
  await removePod(crest(), await runPod(crest(), { metadata, portMappings: [mapping] }));
  for (const pod of [first, other]) await removePod(crest(), pod);
});

test("one of several concurrent pods with one host port is run, the others are 409", { skip }, async () => {
  const portMappings = [{ containerPort: 80, hostPort: await freePort() }];
  const run = () =>
    crest().post<RunPodSandboxResponse>("/v1/pods", { metadata: { name: newName() }, portMappings });
  const answers = await Promise.all(Array.from({ length: 6 }, run));
  const [made, ...more] = answers.filter(({ status }) => status === 201);
  assert.ok(made !== undefined && more.length === 0, answers.map(({ text }) => text).join("\n"));
  for (const answer of answers) if (answer !== made) problemOf(answer, 409, "port_in_use");
  assertDone(await crest().delete(`/v1/pods/${bodyOf(made, 201).podSandboxId}`));
});

test("an image that is not there is 404, and a reference that is none is 400", { skip }, async () => {
  const pod = await runPod(crest());
  const create = (reference: string) =>
    crest().post(`${pod.path}/containers`, { metadata: { name: "app" }, image: reference });
  problemOf(await create("registry.example/absent:1"), 404, "image_not_found");
  const problem = anyProblemOf(await create("Not A Reference"));
  assert.ok(problem.status === 400 || problem.status === 404, problem.detail);
  await removePod(crest(), pod);
});

test("an unknown runtime handler is 400, and leaves no pod behind", { skip }, async () => {
  const metadata = { name: newName(), uid: "one" };
  const answer = await crest().post("/v1/pods", { metadata, runtimeHandler: "nope" });
  problemOf(answer, 400, "unknown_handler");
  await removePod(crest(), await runPod(crest(), { metadata }));
});

test("starting a command that does not exist is 400", { skip }, async () => {
  const pod = await runPod(crest());
  const container = await createContainer(crest(), pod, { command: ["/no/such/command"] });
  problemOf(await crest().post(`${container.path}/start`), 400, "command_not_found");
  await removePod(crest(), pod);
});

test("a refused request leaves the pod as it was", { skip }, async () => {
  const pod = await runPod(crest());
  const before = await podStatus(crest(), pod);
  problemOf(await crest().patch(`${pod.path}/resources`, { unknown: 1 }), 400, "invalid_request");
  problemOf(
    await crest().post(`${pod.path}/containers`, { metadata: { name: "a" } }),
    400,
    "invalid_request",
  );
  problemOf(await crest().send("DELETE", pod.path, { body: { force: true } }), 400, "invalid_request");
  assert.deepEqual(await podStatus(crest(), pod), before);
  await removePod(crest(), pod);
});

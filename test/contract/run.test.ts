/** A run makes a pod with one container, in one request, or leaves nothing. */
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { request } from "node:http";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { status } from "@grpc/grpc-js";
import type { Grants } from "../../src/grants.ts";
import type { RunItem } from "../../src/routes/answers.ts";
import type { LogEntry } from "../../src/server/log-entry.ts";
import { testAudit } from "../support/audit-log.ts";
import { eventually } from "../support/eventually.ts";
import {
  type Answerer,
  type FakeRuntime,
  failing,
  GrpcFault,
  hanging,
  held,
  mannerNames,
  type RpcName,
} from "../support/fake-runtime.ts";
import { type Answer, type LiveGateway, liveGateway, token } from "./live-gateway.ts";

const image = "busybox:1.36";
const target = "POST /v1/run";
const run = ({ ask }: LiveGateway, body: object = {}, query = ""): Promise<Answer> =>
  ask(`${target}${query}`, { image, ...body });

type Json = { readonly [name: string]: Json } & { readonly [index: number]: Json };

/** The last request of an RPC. */
const sent = (fake: FakeRuntime, rpc: RpcName): Json => {
  const last = fake.callsOf(rpc).at(-1);
  assert.ok(last, rpc);
  return last.request as unknown as Json;
};

const nothingIsLeft = ({ fake }: LiveGateway): void => {
  assert.deepEqual([...fake.pods.keys()], []);
  assert.deepEqual([...fake.containers.keys()], []);
};

for (const manner of mannerNames) {
  test(`run: makes a pod and a container and starts it on ${manner}`, async (t) => {
    const gateway = await liveGateway(t, manner);
    const { fake } = gateway;
    const answer = await run(gateway, { command: ["sleep", "60"] });
    assert.equal(answer.status, 201, answer.text);
    const [container] = [...fake.containers.values()];
    const [pod] = [...fake.pods.values()];
    assert.deepEqual(JSON.parse(answer.text), {
      podSandboxId: pod?.id,
      containerId: container?.id,
      namespace: "default",
      name: answer.at("name"),
      pulled: false,
      started: true,
    });
    assert.match(String(answer.at("name")), /^busybox-[0-9a-z]{5}$/);
    assert.equal(answer.headers.location, `/v1/containers/${container?.id}`);
    assert.equal(container?.state, "CONTAINER_RUNNING");
    assert.equal(container?.config.metadata?.name, answer.at("name"));
  });

  test(`run: a step that fails leaves nothing on ${manner}`, async (t) => {
    const gateway = await liveGateway(t, manner);
    const { fake } = gateway;
    const steps: readonly (readonly [RpcName, string, object])[] = [
      ["ImageService/PullImage", "pull", { pull: "always" }],
      ["RuntimeService/RunPodSandbox", "pod", {}],
      ["RuntimeService/CreateContainer", "container", {}],
      ["RuntimeService/StartContainer", "start", {}],
    ];
    for (const [rpc, step, body] of steps) {
      const restore = fake.on(rpc, failing(status.UNKNOWN, "out of luck"));
      const answer = await run(gateway, body);
      assert.equal(answer.status, 502, answer.text);
      assert.equal(answer.at("step"), step, answer.text);
      assert.match(String(answer.at("detail")), /out of luck.*the run failed at step/);
      assert.equal(answer.at("podSandboxId"), undefined);
      nothingIsLeft(gateway);
      restore();
    }
  });

  test(`run: a command that does not exist is a mistake of the caller on ${manner}`, async (t) => {
    const gateway = await liveGateway(t, manner);
    const answer = await run(gateway, { command: ["no-such-program"] });
    assert.equal(answer.at("code"), "command_not_found", answer.text);
    assert.match(String(answer.at("step")), /^(container|start)$/);
    nothingIsLeft(gateway);
  });

  test(`run: one of four concurrent runs of a name succeeds on ${manner}`, async (t) => {
    const gateway = await liveGateway(t, manner);
    const answers = await Promise.all(Array.from({ length: 4 }, () => run(gateway, { name: "web" })));
    const outcomes = answers.map((answer) => answer.at("code") ?? answer.status).sort();
    assert.deepEqual(outcomes, [201, "name_reserved", "name_reserved", "name_reserved"]);
    assert.equal(gateway.fake.pods.size, 1);
    const later = await run(gateway, { name: "web" });
    assert.equal(later.at("code"), "name_reserved", later.text);
    const [pod] = [...gateway.fake.pods.keys()];
    assert.ok(String(later.at("detail")).includes(String(pod)), later.text);
    assert.deepEqual([gateway.fake.pods.size, gateway.fake.containers.size], [1, 1]);
    assert.equal((await run(gateway, { name: "web", namespace: "other" })).status, 201);
  });
}

test("run: every member reaches the runtime where CRI has it", async (t) => {
  const gateway = await liveGateway(t);
  const { fake } = gateway;
  const answer = await run(gateway, {
    ...{ name: "web", namespace: "demo", command: ["sleep"], args: ["60"], workingDir: "/srv" },
    env: { A: "1", B: "two" },
    labels: { app: "web" },
    annotations: { note: "x" },
    user: "1000:100",
    ...{ tty: true, stdin: true, memory: "64Mi", cpus: 0.5, hostNetwork: true },
    mounts: [{ hostPath: "/srv", containerPath: "/data", readonly: true }],
    ports: [{ hostPort: 18_080, containerPort: 80 }],
    pod: { logDirectory: "/var/log/pods/box", metadata: { attempt: 2 } },
    container: { stop_signal: "SIGNAL_SIGINT", linux: { security_context: { readonlyRootfs: true } } },
  });
  assert.equal(answer.status, 201, answer.text);
  const pod = sent(fake, "RuntimeService/RunPodSandbox").config as Json;
  const container = sent(fake, "RuntimeService/CreateContainer").config as Json;
  const { uid: _, ...metadata } = pod.metadata as Json;
  assert.deepEqual(metadata, { name: "web", namespace: "demo", attempt: 2 });
  assert.deepEqual(pod.labels, { app: "web", "crest/managed": "true" });
  assert.deepEqual(pod.annotations, { note: "x" });
  assert.equal(pod.logDirectory, "/var/log/pods/box");
  assert.deepEqual(pod.portMappings, [{ hostPort: 18_080, containerPort: 80 }]);
  assert.equal((pod.linux as Json).securityContext?.namespaceOptions?.network, "NODE");
  assert.deepEqual(container.metadata, { name: "web" });
  assert.deepEqual([container.command, container.args], [["sleep"], ["60"]]);
  const value = (text: string): string => Buffer.from(text).toString("base64");
  assert.deepEqual(container.envs, [
    { key: "A", value: value("1") },
    { key: "B", value: value("two") },
  ]);
  assert.deepEqual(container.labels, { app: "web" });
  assert.equal(container.workingDir, "/srv");
  assert.deepEqual([container.stdin, container.tty, container.stopSignal], [true, true, "SIGNAL_SIGINT"]);
  assert.deepEqual(container.mounts, [{ hostPath: "/srv", containerPath: "/data", readonly: true }]);
  const { resources, securityContext } = container.linux as Json;
  assert.deepEqual(resources, { memoryLimitInBytes: "67108864", cpuPeriod: "100000", cpuQuota: "50000" });
  assert.deepEqual(securityContext?.runAsUser, { value: "1000" });
  assert.deepEqual(securityContext?.runAsGroup, { value: "100" });
  assert.equal(securityContext?.readonlyRootfs, true);
});

test("run: mistakes are named all at once, where the caller made them", async (t) => {
  const gateway = await liveGateway(t);
  const { fake } = gateway;
  const mistakes = async (body: object, query = ""): Promise<readonly unknown[]> => {
    const answer = await gateway.ask(`${target}${query}`, body);
    assert.equal(answer.status, 400, answer.text);
    const errors = answer.at("errors") as readonly { pointer?: string; parameter?: string }[];
    return errors.map(({ pointer, parameter }) => pointer ?? parameter).sort();
  };
  assert.deepEqual(await mistakes({}), ["/image"]);
  assert.deepEqual(await mistakes({ image: "", volumes: [], memory: "1 GB", pull: "often", env: { A: 1 } }), [
    ...["/env/A", "/image", "/memory", "/pull", "/volumes"],
  ]);
  assert.deepEqual(await mistakes({ image, mounts: [{ hostPath: "x" }], ports: [{ hostPort: -1 }] }), [
    ...["/mounts/0/containerPath", "/mounts/0/hostPath", "/ports/0/containerPort", "/ports/0/hostPort"],
  ]);
  assert.deepEqual(
    await mistakes({ image, pod: { colour: 1 }, container: { colour: 1, linux: { colour: 1 } } }),
    ["/container/colour", "/container/linux/colour", "/pod/colour"],
  );
  assert.deepEqual(
    await mistakes({
      image,
      args: ["x"],
      hostNetwork: true,
      container: { args: [], image },
      pod: { linux: 5 },
    }),
    ["/container/args", "/container/image", "/pod/linux"],
  );
  assert.deepEqual(await mistakes({ image, env: { "a/b": "x\0y" } }), ["/env/a~1b"]);
  assert.deepEqual(await mistakes({ image, user: "99999999999999999999" }), ["/user"]);
  assert.deepEqual(await mistakes({ image }, "?remove=true"), ["remove"]);
  assert.deepEqual(await mistakes({ image }, "?wait=true&start=false"), ["wait"]);
  const hint = await gateway.ask(target, { image, mount: [] });
  assert.match(String(hint.at("errors.0.detail")), /did you mean mounts\?/);
  assert.equal(fake.callsOf("RuntimeService/RunPodSandbox").length, 0);
});

test("run: pulls by policy, and the image stays", async (t) => {
  const gateway = await liveGateway(t);
  const { fake } = gateway;
  const tag = "quay.io/contract/run:1";
  const pulls = () => fake.callsOf("ImageService/PullImage").length;
  const never = await run(gateway, { image: tag, pull: "never" });
  assert.deepEqual([never.status, never.at("code"), pulls()], [404, "image_not_found", 0]);
  assert.equal(never.at("errors.0.pointer"), "/image");
  fake.addRemoteImage({ tags: [tag] });
  const missing = await run(gateway, { image: tag, command: ["no-such-program"] });
  assert.equal(missing.at("code"), "command_not_found", missing.text);
  assert.equal(pulls(), 1);
  assert.equal((await run(gateway, { image: tag })).at("pulled"), false);
  assert.equal((await run(gateway, { image: tag, pull: "always" })).at("pulled"), true);
  assert.equal(pulls(), 2);
});

test("run: a refusal names every missing grant, before anything happens", async (t) => {
  const gateway = await liveGateway(t, "containerd-2.1", {
    grants: { all: false, allow: { run: ["demo/*"] }, deny: {} },
  });
  const { fake } = gateway;
  const answer = await run(gateway, { namespace: "demo" }, "?wait=true&remove=1");
  assert.equal(answer.status, 403, answer.text);
  const refused = await gateway.ask(`${target}?wait=1`, { image: "x", namespace: "default", name: "web" });
  assert.deepEqual(refused.at("grants"), ["run", "pull", "logs"]);
  const detail = String(refused.at("detail"));
  for (const flag of [
    "--allow-run=default/web",
    "--allow-pull=docker.io/library/x",
    "--allow-logs=default/web",
  ])
    assert.ok(detail.includes(flag), detail);
  assert.equal((await run(gateway, { namespace: "demo", pull: "never" })).status, 201);
  assert.equal((await run(gateway, { pull: "never" })).at("grants.0"), "run");
  assert.equal(fake.callsOf("ImageService/PullImage").length, 0);
  assert.equal(fake.pods.size, 1);
});

test("run: the pod policy refuses pod and container together, with pointers into the body", async (t) => {
  const gateway = await liveGateway(t, "containerd-2.1", {
    grants: { all: false, allow: { run: true, pull: true }, deny: {} },
  });
  const answer = await run(gateway, {
    pull: "always",
    hostNetwork: true,
    mounts: [{ hostPath: "/etc", containerPath: "/etc" }],
    ports: [{ hostPort: 18_081, containerPort: 80 }],
    container: { linux: { securityContext: { privileged: true } } },
  });
  assert.equal(answer.status, 403, answer.text);
  const errors = answer.at("errors") as readonly { pointer: string; grant: string }[];
  assert.deepEqual(errors.map(({ pointer }) => pointer).toSorted(), [
    "/container/linux/securityContext/privileged",
    "/hostNetwork",
    "/mounts/0/hostPath",
    "/ports/0/hostPort",
  ]);
  assert.match(String(answer.at("detail")), /--allow-host=port:18081,network,mount:\/etc,privileged$/);
  assert.equal(gateway.fake.callsOf("ImageService/PullImage").length, 0);
  nothingIsLeft(gateway);
});

/** The container writes these lines, and exits. */
function writing({ fake }: LiveGateway, lines: readonly string[], exitCode: number): void {
  fake.on("RuntimeService/StartContainer", async (asked, call) => {
    const made = sent(fake, "RuntimeService/CreateContainer");
    const folder = String(made.sandboxConfig?.logDirectory);
    await writeFile(join(folder, String((made.config as Json).logPath)), lines.join(""));
    const reply = await call.next();
    await fake.exitContainer(String(asked.containerId), exitCode);
    return reply;
  });
}

const line = (stream: string, text: string): string => `2026-11-29T12:00:00.000000001Z ${stream} F ${text}\n`;

test("run: with wait, the answer has the exit code and the output", async (t) => {
  const gateway = await liveGateway(t);
  writing(gateway, [line("stdout", "Hello"), line("stderr", "Oh"), line("stdout", "é")], 3);
  const answer = await run(gateway, { stdin: true }, "?wait=true");
  const { finishedAt: _, ...result } = answer.at("result") as Json;
  assert.deepEqual(result, {
    ...{ exited: true, state: "CONTAINER_EXITED", exitCode: 3, reason: "Error" },
    ...{ stdout: "Hello\né\n", stderr: "Oh\n", encoding: "utf8", lossy: false, truncated: false },
  });
  assert.equal(gateway.fake.pods.size, 1);
  const removed = await run(gateway, { stdin: true }, "?wait=true&remove=true&encoding=base64");
  assert.equal(removed.at("removed"), true, removed.text);
  assert.equal(removed.at("result.stdout"), Buffer.from("Hello\né\n").toString("base64"));
  assert.equal(gateway.fake.pods.size, 1);
});

test("run: more output than an answer holds is cut, and the answer says so", async (t) => {
  const gateway = await liveGateway(t);
  const text = "x".repeat(9999);
  writing(
    gateway,
    Array.from({ length: 500 }, () => line("stdout", text)),
    0,
  );
  const answer = await run(gateway, { stdin: true }, "?wait=true");
  assert.equal(answer.at("result.truncated"), true);
  assert.equal(String(answer.at("result.stdout")).length, 4 * 1024 * 1024);
});

test("run: a wait that is over before the container leaves it, or removes it", async (t) => {
  const gateway = await liveGateway(t);
  const body = { command: ["sleep", "60"] };
  const stays = await run(gateway, body, "?wait=true&timeout=0");
  assert.deepEqual([stays.at("result.exited"), stays.at("result.state")], [false, "CONTAINER_RUNNING"]);
  assert.equal(gateway.fake.pods.size, 1);
  const goes = await run(gateway, body, "?wait=true&timeout=0&remove=true");
  assert.deepEqual([goes.at("result.exited"), goes.at("removed")], [false, true]);
  assert.equal(gateway.fake.pods.size, 1);
});

test("run: with start=false the container is made, and not started", async (t) => {
  const gateway = await liveGateway(t);
  const answer = await run(gateway, { tty: true }, "?start=false");
  assert.equal(answer.at("started"), false, answer.text);
  assert.deepEqual(
    [...gateway.fake.containers.values()].map(({ state }) => state),
    ["CONTAINER_CREATED"],
  );
});

/** Sends a run whose client can leave. */
function startRun({ port }: LiveGateway, body: object, { query = "", accept = "application/json" } = {}) {
  const authorization = `Bearer ${token}`;
  const headers = { authorization, accept, "content-type": "application/json" };
  const path = `/v1/run${query}`;
  const asked = request({ port, host: "127.0.0.1", method: "POST", path, headers, agent: false });
  let text = "";
  const ended = new Promise<void>((resolve) => asked.once("close", resolve));
  asked.on("error", () => undefined);
  asked.on("response", (response) => {
    response.setEncoding("utf8").on("data", (part: string) => {
      text += part;
    });
    response.on("error", () => undefined);
  });
  asked.end(JSON.stringify({ image, ...body }));
  const items = (): readonly RunItem[] =>
    text
      .split("\n")
      .slice(0, -1)
      .map((one) => JSON.parse(one) as RunItem);
  return { ended, leave: () => asked.destroy(), items };
}

for (const rpc of [
  ...(["ImageService/PullImage", "RuntimeService/RunPodSandbox"] as const),
  ...(["RuntimeService/CreateContainer", "RuntimeService/StartContainer"] as const),
]) {
  test(`run: a client that leaves during ${rpc} leaves nothing`, async (t) => {
    const gateway = await liveGateway(t);
    const { fake } = gateway;
    for (const accept of ["application/json", "application/x-ndjson"]) {
      const gate = held();
      const restore = fake.on(rpc, gate.answer);
      const { leave, ended } = startRun(gateway, { pull: "always" }, { accept });
      await gate.arrived;
      leave();
      await ended;
      // The gateway knows it now.
      await eventually(() => gateway.requests.length > 0);
      gate.release();
      if (rpc !== "ImageService/PullImage")
        await eventually(() => fake.callsOf("RuntimeService/RemovePodSandbox").length > 0);
      await eventually(() => fake.pods.size === 0);
      assert.equal(fake.containers.size, 0);
      restore();
      fake.calls.length = 0;
      (gateway.requests as LogEntry[]).length = 0;
    }
    assert.deepEqual(
      gateway.logged.filter(({ level }) => level === "error"),
      [],
    );
  });
}

test("run: a client that leaves the wait leaves the container, or has it removed", async (t) => {
  const gateway = await liveGateway(t);
  const { fake } = gateway;
  for (const query of ["?wait=true", "?wait=true&remove=true"]) {
    const { leave, ended } = startRun(gateway, { command: ["sleep", "60"] }, { query });
    await eventually(() => fake.callsOf("RuntimeService/ContainerStatus").length > 0);
    leave();
    await ended;
    if (query.endsWith("remove=true"))
      await eventually(() => fake.callsOf("RuntimeService/RemovePodSandbox").length > 0);
    await eventually(() => fake.pods.size === 1);
    fake.calls.length = 0;
  }
});

test("run: as lines, the progress of the pull comes before what was made", async (t) => {
  const gateway = await liveGateway(t);
  const { fake } = gateway;
  const tag = "quay.io/contract/slow:1";
  let arrive = (): void => undefined;
  const arrival = new Promise<void>((resolve) => {
    arrive = resolve;
  });
  fake.addRemoteImage({ tags: [tag], arrival });
  const { items, ended } = startRun(gateway, { image: tag }, { accept: "application/x-ndjson" });
  await eventually(() => items().length > 0);
  assert.equal(items()[0]?.progress?.image, tag);
  arrive();
  await ended;
  const last = items().at(-1);
  assert.equal(last?.result?.pulled, true, JSON.stringify(last));
  assert.ok(fake.containers.has(last?.result?.containerId ?? ""));
});

test("run: a pod whose reply was lost is found and removed", async (t) => {
  const gateway = await liveGateway(t, "containerd-2.1", { deadlineMs: 500 });
  const { fake } = gateway;
  const lost: Answerer = async (_request, call) => {
    await call.next();
    return hanging()(_request, call);
  };
  fake.on("RuntimeService/RunPodSandbox", lost, { once: true });
  const answer = await run(gateway);
  assert.equal(answer.at("code"), "outcome_unknown", answer.text);
  nothingIsLeft(gateway);
});

test("run: what cannot be removed is named", async (t) => {
  const gateway = await liveGateway(t);
  const { fake } = gateway;
  fake.on("RuntimeService/StartContainer", failing(status.UNKNOWN, "out of luck"));
  const refuse = new GrpcFault(status.INVALID_ARGUMENT, "it is glued");
  fake.on("RuntimeService/RemovePodSandbox", () => {
    throw refuse;
  });
  const answer = await run(gateway);
  const [pod] = [...fake.pods.keys()];
  const [container] = [...fake.containers.keys()];
  assert.deepEqual([answer.at("podSandboxId"), answer.at("containerId")], [pod, container], answer.text);
  assert.match(String(answer.at("detail")), /out of luck.*could not be removed: .*it is glued/s);
});

test("run: the end of the gateway removes what a run has made", async (t) => {
  const gateway = await liveGateway(t);
  const { fake } = gateway;
  const gate = held();
  fake.on("RuntimeService/StartContainer", gate.answer);
  const answer = run(gateway);
  await gate.arrived;
  const closed = gateway.app.close(10_000);
  gate.release();
  assert.equal((await answer).at("code"), "shutting_down");
  await closed;
  nothingIsLeft(gateway);
});

test("run: the audit log has one request, with what it is about and its grants, and no secret", async (t: TestContext) => {
  const log = await testAudit(t);
  const grants: Grants = { all: false, allow: { run: true, pull: true, host: ["network"] }, deny: {} };
  const gateway = await liveGateway(t, "containerd-2.1", { audit: log.audit, grants });
  const body = {
    image,
    name: "web",
    namespace: "demo",
    env: { TOKEN: "a-very-secret-value" },
    hostNetwork: true,
  };
  const answer = await gateway.ask(target, body, { "x-request-id": "run" });
  assert.equal(answer.status, 201, answer.text);
  const [received, ended] = await log.linesOf("run", 2);
  assert.equal(received?.annotations["object.crest/image"], image);
  assert.equal(received?.annotations["object.crest/container"], "web");
  assert.equal(received?.annotations["authorization.crest/grant"], "run,host=network,pull");
  assert.deepEqual(received?.objectRef, { resource: "run", namespace: "demo", name: "web" });
  assert.equal(ended?.annotations["object.crest/created"], `containers/${answer.at("containerId")}`);
  assert.equal((await log.lines()).length, 2);
  assert.doesNotMatch(JSON.stringify(await log.lines()), /a-very-secret/);
});

test("run: a secret that the runtime repeats is not in the problem", async (t) => {
  const gateway = await liveGateway(t);
  const env = { TOKEN: "a-very-secret-value" };
  gateway.fake.on(
    "RuntimeService/CreateContainer",
    failing(status.UNKNOWN, "cannot set a-very-secret-value"),
  );
  const answer = await run(gateway, { env });
  assert.equal(answer.status, 502);
  assert.doesNotMatch(answer.text, /a-very-secret/);
});

test("a run with a key is done once, and a repetition gets its answer", async (t) => {
  const { fake, ask } = await liveGateway(t);
  const send = (body: object, headers: { readonly [name: string]: string } = {}) =>
    ask("POST /v1/run", body, { "idempotency-key": "once", ...headers });
  const body = { image: "busybox:1.36", pull: "never" };
  const [first, second] = await Promise.all([send(body), send(body)]);
  assert.deepEqual([first.status, second.status], [201, 201], first.text);
  assert.equal(first.text, second.text);
  assert.equal(first.headers.location, second.headers.location);
  assert.equal(fake.callsOf("RuntimeService/RunPodSandbox").length, 1);
  const other = await send({ ...body, name: "other" });
  assert.deepEqual([other.status, other.at("code")], [422, "idempotency_key_reused"]);
  const streamed = await send(body, { accept: "application/x-ndjson" });
  assert.deepEqual([streamed.status, streamed.at("code")], [400, "invalid_request"]);
});

test("a run with a key goes on when its client leaves, for the client that comes back", async (t) => {
  const gateway = await liveGateway(t);
  const { fake, ask, port } = gateway;
  const body = { image, pull: "never", name: "left" };
  const creating = held();
  const restore = fake.on("RuntimeService/CreateContainer", creating.answer);
  const stop = new AbortController();
  const key = { "idempotency-key": "back" };
  const lost = fetch(`http://127.0.0.1:${port}/v1/run`, {
    method: "POST",
    headers: { ...key, authorization: `Bearer ${token}`, "content-type": "application/json" },
    body: JSON.stringify(body),
    signal: stop.signal,
  });
  await eventually(() => fake.callsOf("RuntimeService/CreateContainer").length === 1);
  stop.abort();
  await assert.rejects(lost);
  const again = ask(target, body, key);
  restore();
  creating.release();
  assert.equal((await again).status, 201);
  assert.equal(fake.callsOf("RuntimeService/RunPodSandbox").length, 1);
});

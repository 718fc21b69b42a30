import assert from "node:assert/strict";
import { test } from "node:test";
import { type ServiceError, status } from "@grpc/grpc-js";
import { eventually } from "../support/eventually.ts";
import { fakeBench } from "../support/fake-bench.ts";
import { type MannerName, mannerNames } from "../support/fake-runtime.ts";

const containerds = ["containerd-1.6", "containerd-1.7", "containerd-2.1"] as const;

type Item = {
  id: string;
  state?: string;
  labels?: { [key: string]: string };
  imageRef?: string;
  imageId?: string;
};

/** Runs a check against a fake of each manner. */
function eachManner(
  name: string,
  check: (bench: Awaited<ReturnType<typeof fakeBench>>, manner: MannerName) => Promise<void>,
  manners: readonly MannerName[] = mannerNames,
): void {
  for (const manner of manners) {
    test(`${name} (${manner})`, async (t) => check(await fakeBench(t, manner), manner));
  }
}

eachManner("a life through all the RPCs", async ({ client, runtime }) => {
  const config = {
    metadata: { name: "web", namespace: "default", uid: "u-1", attempt: 2 },
    logDirectory: "/var/log/pods/web",
    labels: { app: "web" },
    annotations: { note: "with \u0000 and \u{1f600}" },
    portMappings: [{ containerPort: 80, hostPort: 8080 }],
  };
  const { podSandboxId } = await client.call("RuntimeService/RunPodSandbox", { config });
  const { containerId } = await client.call("RuntimeService/CreateContainer", {
    podSandboxId,
    sandboxConfig: config,
    config: {
      metadata: { name: "main", attempt: 1 },
      image: { image: "docker.io/library/busybox:1.36", userSpecifiedImage: "busybox:1.36" },
      command: ["sh", "-c", "exit 3"],
      envs: [{ key: "A", value: Buffer.from("b").toString("base64") }],
      mounts: [{ containerPath: "/data", hostPath: "/srv/data", readonly: true }],
      labels: { tier: "front" },
      logPath: "main/0.log",
    },
  });
  await client.call("RuntimeService/StartContainer", { containerId });
  const ended = await eventually(async () => {
    const { status } = await client.call("RuntimeService/ContainerStatus", { containerId });
    return (status as Item).state === "CONTAINER_EXITED" && (status as { [field: string]: unknown });
  });
  assert.equal(ended.exitCode, 3);
  assert.equal(ended.reason, "Error");
  assert.equal(ended.logPath, "/var/log/pods/web/main/0.log");
  assert.deepEqual(ended.metadata, { name: "main", attempt: 1 });
  assert.deepEqual(ended.labels, { tier: "front" });
  assert.deepEqual(ended.mounts, [{ containerPath: "/data", hostPath: "/srv/data", readonly: true }]);
  assert.ok(BigInt(String(ended.finishedAt)) >= BigInt(String(ended.startedAt)));

  const { status: pod } = await client.call("RuntimeService/PodSandboxStatus", { podSandboxId });
  assert.deepEqual((pod as { annotations: object }).annotations, config.annotations);
  await client.call("RuntimeService/StopPodSandbox", { podSandboxId });
  await client.call("RuntimeService/RemovePodSandbox", { podSandboxId });
  assert.equal(runtime.pods.size + runtime.containers.size, 0);
});

eachManner("lists filter by id, state, pod and labels", async ({ client, runtime }, manner) => {
  const pod = runtime.addPod({ labels: { app: "web" } });
  runtime.addPod({ state: "not ready" });
  const running = runtime.addContainer({ pod, labels: { app: "web", tier: "front" } });
  runtime.addContainer({ pod, state: "created", labels: { app: "web" } });
  runtime.addContainer({ state: "exited" });
  const pods = async (filter: object) =>
    ((await client.call("RuntimeService/ListPodSandbox", { filter })).items ?? []) as Item[];
  const containers = async (filter: object) =>
    ((await client.call("RuntimeService/ListContainers", { filter })).containers ?? []) as Item[];

  assert.equal((await pods({})).length, 3);
  assert.equal((await pods({ id: pod.id.slice(0, 12) })).length, 1);
  // Present and empty is the zero of the enum.
  assert.equal((await pods({ state: {} })).length, 2);
  assert.equal((await pods({ state: { state: "SANDBOX_NOTREADY" } })).length, 1);
  assert.equal((await pods({ labelSelector: { app: "web" } })).length, 1);
  assert.equal((await containers({})).length, 3);
  assert.equal((await containers({ state: { state: "CONTAINER_RUNNING" } })).length, 1);
  assert.equal((await containers({ labelSelector: { app: "web", tier: "front" } }))[0]?.id, running.id);
  assert.equal((await containers({ podSandboxId: pod.id })).length, 2);
  const byPrefix = await containers({ podSandboxId: pod.id.slice(0, 12) });
  assert.equal(byPrefix.length, manner === "cri-dockerd" ? 0 : 2);
});

test("containerd's lists come in another order each time", async (t) => {
  const { client, runtime } = await fakeBench(t, "containerd-2.1");
  for (let count = 0; count < 20; count += 1) runtime.addPod();
  const orders = new Set<string>();
  for (let count = 0; count < 5; count += 1) {
    const { items } = await client.call("RuntimeService/ListPodSandbox");
    orders.add((items as Item[]).map(({ id }) => id).join());
  }
  assert.ok(orders.size > 1);
});

eachManner("StopContainer obeys or kills", async ({ client, runtime }) => {
  const exit = async (onTerm: number | "ignore", timeout: number) => {
    const { id } = runtime.addContainer({ onTerm });
    const startMs = performance.now();
    await client.call("RuntimeService/StopContainer", { containerId: id, timeout: String(timeout) });
    return { code: runtime.containers.get(id)?.exitCode, ms: performance.now() - startMs };
  };
  assert.equal((await exit(7, 10)).code, 7);
  assert.equal((await exit(7, 0)).code, 137);
  const resisted = await exit("ignore", 1);
  assert.equal(resisted.code, 137);
  assert.ok(resisted.ms > 900, `${resisted.ms} ms`);
});

eachManner("a trap in the script decides about SIGTERM", async ({ client, runtime }) => {
  const { id } = runtime.addContainer({
    command: ["sh", "-c", "trap 'exit 9' TERM; while true; do sleep 1; done"],
  });
  await client.call("RuntimeService/StopContainer", { containerId: id, timeout: "10" });
  assert.equal(runtime.containers.get(id)?.exitCode, 9);
});

eachManner("a stop whose client gives up goes on with CRI-O only", async ({ client, runtime }, manner) => {
  const { id, podId } = runtime.addContainer({ onTerm: "ignore" });
  const stop = client.call(
    "RuntimeService/StopContainer",
    { containerId: id, timeout: "1" },
    { timeoutMs: 100 },
  );
  await assert.rejects(stop, (error: ServiceError) => error.code === status.DEADLINE_EXCEEDED);
  await eventually(() => runtime.calls[0]?.cancelled);
  const startMs = performance.now();
  await client.call("RuntimeService/StopPodSandbox", { podSandboxId: podId });
  const waitedMs = performance.now() - startMs;
  assert.ok(manner === "cri-o" ? waitedMs > 600 : waitedMs < 500, `${waitedMs} ms`);
  assert.equal(runtime.containers.get(id)?.exitCode, 137);
});

test("times that have not come are unset, or Go's zero with Docker", async (t) => {
  for (const manner of ["containerd-2.1", "cri-o", "cri-dockerd"] as const) {
    const { client, runtime } = await fakeBench(t, manner);
    const { id } = runtime.addContainer({ state: "created" });
    const { status } = await client.call("RuntimeService/ContainerStatus", { containerId: id });
    const { startedAt, finishedAt } = status as { startedAt?: string; finishedAt?: string };
    const zero = manner === "cri-dockerd" ? "-6795364578871345152" : undefined;
    assert.deepEqual([startedAt, finishedAt], [zero, zero]);
  }
});

eachManner("images are named in the forms of the runtime", async ({ client, runtime }, manner) => {
  const { id } = runtime.addContainer({ image: "docker.io/library/busybox:1.36" });
  const image = [...runtime.images.values()].find(({ repoTags }) => repoTags[0]?.includes("busybox"));
  const digits = image?.digits ?? "";
  const { status } = await client.call("RuntimeService/ContainerStatus", { containerId: id });
  const { containers } = await client.call("RuntimeService/ListContainers");
  const [item] = containers as Item[];
  const { imageRef: pulled } = await client.call("ImageService/PullImage", {
    image: { image: "nginx:1.27" },
  });
  const { images } = await client.call("ImageService/ListImages");
  const ids = (images as Item[]).map((listed) => listed.id);
  if (manner === "cri-o") {
    assert.match(String((status as Item).imageRef), /^docker\.io\/library\/busybox@sha256:/);
    assert.equal((status as Item).imageId, digits);
    assert.match(String(pulled), /^[0-9a-f]{64}$/);
    assert.ok(ids.includes(digits));
  } else if (manner === "cri-dockerd") {
    assert.match(String((status as Item).imageRef), /^docker-pullable:\/\/busybox@sha256:/);
    assert.match(String(pulled), /^nginx@sha256:/);
    assert.ok(ids.includes(`sha256:${digits}`));
  } else {
    assert.match(String((status as Item).imageRef), /^docker\.io\/library\/busybox@sha256:/);
    assert.equal(item?.imageRef, `sha256:${digits}`);
    assert.match(String(pulled), /^sha256:[0-9a-f]{64}$/);
  }
});

eachManner("an image is found by each way to write it", async ({ client, runtime }, manner) => {
  const { digits } = runtime.addImage({ tags: ["quay.io/team/tool:1"] });
  const digest = [...runtime.images.values()].find((image) => image.digits === digits)?.repoDigests[0] ?? "";
  const found = async (image: string) =>
    (await client.call("ImageService/ImageStatus", { image: { image } })).image !== undefined;
  assert.ok(await found("quay.io/team/tool:1"));
  assert.ok(await found(digest));
  const foundAs = (image: string) => found(image).catch(() => false);
  assert.equal(await foundAs(`sha256:${digits}`), manner !== "cri-o");
  assert.equal(await foundAs(digits), manner !== "cri-dockerd");
  assert.ok(await found(digits.slice(0, 12)));
  assert.equal(await foundAs(`sha256:${digits.slice(0, 12)}`), manner.startsWith("containerd"));
});

eachManner("RemoveImage takes all tags, by name or by id", async ({ client, runtime }, manner) => {
  const { digits } = runtime.addImage({ tags: ["quay.io/team/tool:1", "quay.io/team/tool:latest"] });
  await client.call("ImageService/RemoveImage", { image: { image: "quay.io/team/tool:1" } });
  assert.equal(runtime.images.has(digits), manner === "cri-dockerd", "Docker removes nothing by name");
  const id = manner === "cri-o" ? digits : `sha256:${digits}`;
  await client.call("ImageService/RemoveImage", { image: { image: id } }).catch(() => undefined);
  assert.equal(runtime.images.has(digits), false);
});

eachManner("ListImages filters, but not with containerd", async ({ client }, manner) => {
  const filter = { image: { image: "docker.io/library/busybox:1.36" } };
  const { images } = await client.call("ImageService/ListImages", { filter });
  assert.equal((images as unknown[]).length, manner.startsWith("containerd") ? 2 : 1);
});

test("verbose status of containerd carries the configuration as Go writes it", async (t) => {
  const { client } = await fakeBench(t, "containerd-2.1");
  const config = {
    metadata: { name: "web", namespace: "default", uid: "u-1" },
    logDirectory: "/var/log/pods/web",
    linux: {
      cgroupParent: "/pods",
      securityContext: { namespaceOptions: { network: "NODE" } },
      resources: { cpuShares: "512" },
    },
  };
  const { podSandboxId } = await client.call("RuntimeService/RunPodSandbox", { config });
  const answer = await client.call("RuntimeService/PodSandboxStatus", { podSandboxId, verbose: true });
  const info = JSON.parse((answer.info as { info: string }).info);
  assert.deepEqual(info.config, {
    metadata: { name: "web", uid: "u-1", namespace: "default" },
    log_directory: "/var/log/pods/web",
    linux: {
      cgroup_parent: "/pods",
      security_context: { namespace_options: { network: 2 } },
      resources: { cpu_shares: 512 },
    },
  });
  assert.equal(
    (answer.status as { network?: { ip?: string } }).network?.ip,
    undefined,
    "on the host's network",
  );
});

eachManner("verbose info has the keys of the runtime", async ({ client, runtime }, manner) => {
  const { id, podId } = runtime.addContainer({
    config: { envs: [{ key: "SECRET", value: Buffer.from("hidden").toString("base64") }] },
  });
  const pod = await client.call("RuntimeService/PodSandboxStatus", { podSandboxId: podId, verbose: true });
  const container = await client.call("RuntimeService/ContainerStatus", { containerId: id, verbose: true });
  const daemon = await client.call("RuntimeService/Status", { verbose: true });
  const podInfo = (pod.info as { info?: string } | undefined)?.info;
  const containerInfo = JSON.parse((container.info as { info: string }).info);
  if (manner.startsWith("containerd")) {
    assert.ok("config" in JSON.parse(podInfo ?? "{}"));
    assert.deepEqual(containerInfo.config.envs, [{ key: "SECRET", value: "hidden" }]);
    assert.deepEqual(containerInfo.runtimeSpec.process.env, ["SECRET=hidden"]);
    assert.ok("lastCNILoadStatus" in (daemon.info as object));
  } else if (manner === "cri-o") {
    assert.deepEqual(Object.keys(JSON.parse(podInfo ?? "{}")), ["image", "pid", "runtimeSpec"]);
    assert.deepEqual(Object.keys(containerInfo), ["sandboxID", "pid", "runtimeSpec", "privileged"]);
    assert.ok((pod.containersStatuses as unknown[]).length === 1 && pod.timestamp !== undefined);
  } else {
    assert.equal(podInfo, undefined);
    assert.deepEqual(Object.keys(containerInfo), ["sandboxID", "pid"]);
  }
  const quiet = await client.call("RuntimeService/ContainerStatus", { containerId: id });
  assert.equal(quiet.info, undefined);
});

eachManner(
  "stream URLs have the shape of the runtime, or what a test wants",
  async ({ client, runtime }, manner) => {
    const { id, podId } = runtime.addContainer();
    const exec = { containerId: id, cmd: ["true"], stdout: true };
    const url = async () => String((await client.call("RuntimeService/Exec", exec)).url);
    const shape =
      manner === "cri-dockerd"
        ? /^\/\/\[::\]:(\d+)\/cri\/exec\/[\w-]{8}$/
        : /^http:\/\/127\.0\.0\.1:(\d+)\/exec\/[\w-]{8}$/;
    const before = shape.exec(await url())?.[1];
    assert.ok(before);
    await runtime.restart();
    const after = await eventually(async () => shape.exec(await url())?.[1]);
    assert.notEqual(after, before, "a restarted daemon listens elsewhere");

    runtime.streamUrl = (stream) => {
      assert.equal(stream.kind, "exec");
      assert.deepEqual(stream.command, ["true"]);
      assert.equal(stream.id, id);
      return 4444;
    };
    assert.equal(shape.exec(await url())?.[1], "4444");
    runtime.streamUrl = ({ kind, ports }) => `https://example.test/${kind}/${ports.join()}`;
    const forward = { podSandboxId: podId, port: [80, 443] };
    const { url: whole } = await client.call("RuntimeService/PortForward", forward);
    assert.equal(whole, "https://example.test/portforward/80,443");
  },
);

eachManner("ExecSync gives exact bytes and the exit code", async ({ client, runtime }) => {
  const { id } = runtime.addContainer({
    config: { envs: [{ key: "A", value: Buffer.from("b c").toString("base64") }] },
  });
  const run = async (...cmd: string[]) => {
    const { stdout, stderr, exitCode } = await client.call("RuntimeService/ExecSync", {
      containerId: id,
      cmd,
    });
    const text = (value: unknown) => Buffer.from(String(value ?? ""), "base64").toString("latin1");
    return [text(stdout), text(stderr), exitCode ?? 0];
  };
  assert.deepEqual(await run("echo", "-n", "hi"), ["hi", "", 0]);
  assert.deepEqual(await run("false"), ["", "", 1]);
  assert.deepEqual(await run("sh", "-c", "echo out; echo err >&2; exit 3"), ["out\n", "err\n", 3]);
  assert.deepEqual(await run("printf", "\\xff\\x00"), ["\xff\x00", "", 0]);
  assert.deepEqual(await run("sh", "-c", "kill -9 $$"), ["", "", 137]);
  assert.deepEqual(await run("printenv", "A"), ["b c\n", "", 0]);
});

eachManner("a client that leaves ExecSync is observed", async ({ client, runtime }) => {
  const { id } = runtime.addContainer();
  const call = client.call(
    "RuntimeService/ExecSync",
    { containerId: id, cmd: ["sleep", "30"] },
    { timeoutMs: 100 },
  );
  await assert.rejects(call, (error: ServiceError) => error.code === status.DEADLINE_EXCEEDED);
  await eventually(() => runtime.calls[0]?.cancelled);
});

eachManner(
  "the rate of the CPU comes with the second reading, if at all",
  async ({ client, runtime }, manner) => {
    const { id } = runtime.addContainer();
    const rate = async () => {
      const { stats } = await client.call("RuntimeService/ContainerStats", { containerId: id });
      return (stats as { cpu: { usageNanoCores?: { value?: string } } }).cpu.usageNanoCores;
    };
    const readings = [await rate(), await rate()];
    const expected: { [manner in MannerName]: unknown[] } = {
      "containerd-1.6": [{}, { value: "1500000" }],
      "containerd-1.7": [undefined, undefined],
      "containerd-2.1": [undefined, undefined],
      "cri-o": [undefined, { value: "1500000" }],
      "cri-dockerd": [undefined, undefined],
    };
    assert.deepEqual(readings, expected[manner]);
  },
);

test("CRI-O streams each list as one message", async (t) => {
  const { client, runtime } = await fakeBench(t, "cri-o");
  runtime.addContainer();
  const messages: number[] = [];
  for (const [rpc, field] of [
    ["RuntimeService/StreamPodSandboxes", "podSandboxes"],
    ["RuntimeService/StreamContainers", "containers"],
    ["RuntimeService/StreamContainerStats", "containerStats"],
    ["RuntimeService/StreamPodSandboxStats", "podSandboxStats"],
    ["RuntimeService/StreamPodSandboxMetrics", "podSandboxMetrics"],
    ["ImageService/StreamImages", "images"],
  ] as const) {
    for await (const message of client.stream(rpc)) messages.push((message[field] as unknown[]).length);
  }
  assert.deepEqual(messages, [1, 1, 1, 1, 1, 2]);
});

test("Docker's pods with an underscore lose their status, and labels of its own are dropped", async (t) => {
  const { client } = await fakeBench(t, "cri-dockerd");
  const labels = { "annotation.x": "1", "io.kubernetes.container.name": "POD", kept: "yes" };
  const config = { metadata: { name: "a_b", namespace: "default", uid: "u" }, labels };
  const { podSandboxId } = await client.call("RuntimeService/RunPodSandbox", { config });
  await assert.rejects(
    client.call("RuntimeService/PodSandboxStatus", { podSandboxId }),
    /failed to parse the sandbox name/,
  );
  const { items } = await client.call("RuntimeService/ListPodSandbox");
  assert.deepEqual(items, [
    { id: podSandboxId, metadata: { name: "a_b", namespace: "default" }, state: "SANDBOX_NOTREADY" },
  ]);
  await client.call("RuntimeService/RemovePodSandbox", { podSandboxId });

  const plain = { metadata: { name: "ab", namespace: "default", uid: "u" }, labels };
  await client.call("RuntimeService/RunPodSandbox", { config: plain });
  const { items: readable } = await client.call("RuntimeService/ListPodSandbox");
  assert.deepEqual((readable as Item[])[0]?.labels, { kept: "yes" });
});

test("a pod that cannot start stays behind with Docker only", async (t) => {
  for (const manner of mannerNames) {
    const { client, runtime } = await fakeBench(t, manner);
    const config = { metadata: { name: "w", namespace: "d", uid: "u" }, hostname: "h".repeat(65) };
    await assert.rejects(client.call("RuntimeService/RunPodSandbox", { config }));
    assert.deepEqual(
      [...runtime.pods.values()].map(({ state }) => state),
      manner === "cri-dockerd" ? ["SANDBOX_NOTREADY"] : [],
    );
  }
});

test("CRI-O adds its labels to pods", async (t) => {
  const { client, runtime } = await fakeBench(t, "cri-o");
  const { id } = runtime.addPod({ name: "web", namespace: "ns", uid: "u", labels: { app: "web" } });
  const { status } = await client.call("RuntimeService/PodSandboxStatus", { podSandboxId: id });
  assert.deepEqual((status as Item).labels, {
    app: "web",
    "io.kubernetes.pod.name": "web",
    "io.kubernetes.pod.namespace": "ns",
    "io.kubernetes.pod.uid": "u",
    "io.kubernetes.container.name": "POD",
  });
});

eachManner(
  "an updated container tells its resources, but not with Docker",
  async ({ client, runtime }, manner) => {
    const { id } = runtime.addContainer();
    await client.call("RuntimeService/UpdateContainerResources", {
      containerId: id,
      linux: { cpuShares: "256", memoryLimitInBytes: "9007199254740993" },
    });
    const { status } = await client.call("RuntimeService/ContainerStatus", { containerId: id });
    assert.deepEqual(
      (status as { resources?: object }).resources,
      manner === "cri-dockerd"
        ? undefined
        : { linux: { cpuShares: "256", memoryLimitInBytes: "9007199254740993" } },
    );
  },
);

eachManner("log paths are joined as the runtime does", async ({ runtime }, manner) => {
  const pod = runtime.addPod({ config: { logDirectory: "/logs" } });
  const { logPath } = runtime.addContainer({ pod, logPath: "c.log" });
  const { logPath: none, id } = runtime.addContainer({ pod });
  const { logPath: bare } = runtime.addContainer({ logPath: "c.log" });
  assert.equal(logPath, "/logs/c.log");
  if (manner === "cri-o") assert.equal(none, `/logs/${id}.log`);
  else assert.equal(none, manner === "cri-dockerd" ? "/logs" : "");
  if ((containerds as readonly string[]).includes(manner)) assert.equal(bare, "");
});

test("exitContainer() ends a container by itself", async (t) => {
  const { client, runtime } = await fakeBench(t);
  const { id } = runtime.addContainer();
  await runtime.exitContainer(id, 137, { reason: "OOMKilled" });
  const { status } = await client.call("RuntimeService/ContainerStatus", { containerId: id });
  const { exitCode, reason } = status as { exitCode: number; reason: string };
  assert.deepEqual([exitCode, reason], [137, "OOMKilled"]);
});

test("a list of 2,000 containers is made and answered", async (t) => {
  const { client, runtime } = await fakeBench(t, "cri-o");
  const pod = runtime.addPod();
  for (let count = 0; count < 2000; count += 1) runtime.addContainer({ pod, state: "exited" });
  const { containers } = await client.call("RuntimeService/ListContainers");
  assert.equal((containers as unknown[]).length, 2000);
});

eachManner(
  "the first of two pulls is cancelled: only on CRI-O this ends the second",
  async (bench, manner) => {
    const { client, runtime } = bench;
    let arrive = (): void => undefined;
    const arrival = new Promise<void>((resolve) => {
      arrive = resolve;
    });
    runtime.addRemoteImage({ tags: ["quay.io/team/large:1"], arrival });
    const leaving = new AbortController();
    const request = { image: { image: "quay.io/team/large:1" } };
    const pull = (signal?: AbortSignal): Promise<unknown> =>
      client.call("ImageService/PullImage", request, signal === undefined ? {} : { signal });
    const first = assert.rejects(pull(leaving.signal), { code: status.CANCELLED });
    await eventually(() => runtime.callsOf("ImageService/PullImage").length === 1);
    const second = pull().catch((error: ServiceError) => error);
    await eventually(() => runtime.callsOf("ImageService/PullImage").length === 2);
    leaving.abort();
    await first;
    if (manner === "cri-o") {
      const { code, details } = (await second) as ServiceError;
      assert.equal(code, status.CANCELLED);
      assert.match(details, /: context canceled$/);
    }
    const third = pull();
    arrive();
    assert.ok(((await third) as { imageRef: string }).imageRef);
    if (manner !== "cri-o") assert.ok(((await second) as { imageRef: string }).imageRef);
  },
);

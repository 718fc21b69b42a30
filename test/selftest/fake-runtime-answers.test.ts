/** The error answers of the five runtimes, row by row, over the wire. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { type ServiceError, status } from "@grpc/grpc-js";
import type { CriClient } from "../support/cri-client.ts";
import { fakeBench } from "../support/fake-bench.ts";
import { type FakeRuntime, type MannerName, mannerNames } from "../support/fake-runtime.ts";

const absentId = "f".repeat(64);

/** What a row works with: one fake and one client for all rows of a manner. */
interface Bench {
  readonly runtime: FakeRuntime;
  readonly client: CriClient;
}

type Expected = readonly [code: "OK" | keyof typeof status, text?: RegExp];

interface Row {
  readonly call: string;
  readonly act: (bench: Bench) => Promise<unknown>;
  readonly answers: { readonly [manner in MannerName]: Expected };
}

/** A row where the three of containerd agree. */
function row(call: string, act: Row["act"], containerd: Expected, crio: Expected, docker: Expected): Row {
  return rowOfFive(call, act, [containerd, containerd, containerd], crio, docker);
}

function rowOfFive(
  call: string,
  act: Row["act"],
  [v16, v17, v21]: readonly [Expected, Expected, Expected],
  crio: Expected,
  docker: Expected,
): Row {
  const answers = { "containerd-1.6": v16, "containerd-1.7": v17, "containerd-2.1": v21, "cri-o": crio };
  return { call, act, answers: { ...answers, "cri-dockerd": docker } };
}

const ok: Expected = ["OK"];
const notFound: Expected = ["NOT_FOUND", /not found/];
const crioAbsent: Expected = ["UNKNOWN", /ID does not exist/];
const dockerAbsent: Expected = ["UNKNOWN", new RegExp(`No such container: ${absentId}`)];
const unimplemented: Expected = ["UNIMPLEMENTED", /^method \w+ not implemented$/];
const newer: Expected = ["UNIMPLEMENTED", /^unknown method \w+ for service runtime\.v1\.RuntimeService$/];
const failed = (text: RegExp): Expected => ["UNKNOWN", text];

const streams = { stdin: false, stdout: true, stderr: false, tty: false };
const container = { containerId: absentId };
const pod = { podSandboxId: absentId };
const metadata = { name: "web", namespace: "default", uid: "u-1" };
const busybox = { image: "docker.io/library/busybox:1.36", userSpecifiedImage: "busybox:1.36" };

function inContainer(
  state: "created" | "running" | "exited",
  act: (bench: Bench, containerId: string) => Promise<unknown>,
): Row["act"] {
  return (bench) => act(bench, bench.runtime.addContainer({ state }).id);
}

function create(bench: Bench, podSandboxId: string, config: object = {}): Promise<unknown> {
  return bench.client.call("RuntimeService/CreateContainer", {
    podSandboxId,
    config: { metadata: { name: "main" }, image: busybox, ...config },
    sandboxConfig: { metadata },
  });
}

function pull(bench: Bench, image: string, auth?: object): Promise<unknown> {
  return bench.client.call("ImageService/PullImage", { image: { image }, auth });
}

const absent: Row[] = [
  row(
    "PodSandboxStatus absent",
    ({ client }) => client.call("RuntimeService/PodSandboxStatus", pod),
    ["NOT_FOUND", /find sandbox: not found$/],
    ["NOT_FOUND", /could not find pod/],
    dockerAbsent,
  ),
  row(
    "ContainerStatus absent",
    ({ client }) => client.call("RuntimeService/ContainerStatus", container),
    ["NOT_FOUND", /find container "f{64}": not found/],
    ["NOT_FOUND", /ID does not exist/],
    dockerAbsent,
  ),
  row(
    "StartContainer absent",
    ({ client }) => client.call("RuntimeService/StartContainer", container),
    notFound,
    ["NOT_FOUND", /ID does not exist/],
    dockerAbsent,
  ),
  rowOfFive(
    "StopPodSandbox absent",
    ({ client }) => client.call("RuntimeService/StopPodSandbox", pod),
    [notFound, ok, ok],
    ok,
    ok,
  ),
  rowOfFive(
    "StopContainer absent",
    ({ client }) => client.call("RuntimeService/StopContainer", container),
    [notFound, ok, ok],
    ok,
    ["NOT_FOUND", /No such container/],
  ),
  row(
    "RemovePodSandbox absent",
    ({ client }) => client.call("RuntimeService/RemovePodSandbox", pod),
    ok,
    ok,
    ok,
  ),
  row(
    "RemoveContainer absent",
    ({ client }) => client.call("RuntimeService/RemoveContainer", container),
    ok,
    ok,
    failed(/failed to get container .*No such container/),
  ),
  row(
    "ReopenContainerLog absent",
    ({ client }) => client.call("RuntimeService/ReopenContainerLog", container),
    notFound,
    crioAbsent,
    failed(/docker does not support reopening container log files/),
  ),
  row(
    "UpdateContainerResources absent",
    ({ client }) => client.call("RuntimeService/UpdateContainerResources", { ...container, linux: {} }),
    notFound,
    crioAbsent,
    dockerAbsent,
  ),
  row(
    "ContainerStats absent",
    ({ client }) => client.call("RuntimeService/ContainerStats", container),
    notFound,
    crioAbsent,
    failed(/container with id f{64} not found/),
  ),
  row(
    "Exec absent",
    ({ client }) => client.call("RuntimeService/Exec", { ...container, ...streams, cmd: ["true"] }),
    notFound,
    crioAbsent,
    dockerAbsent,
  ),
  row(
    "Attach absent",
    ({ client }) => client.call("RuntimeService/Attach", { ...container, ...streams }),
    notFound,
    crioAbsent,
    dockerAbsent,
  ),
  row(
    "ExecSync absent",
    ({ client }) => client.call("RuntimeService/ExecSync", { ...container, cmd: ["true"] }),
    notFound,
    ["NOT_FOUND", /ID does not exist/],
    dockerAbsent,
  ),
  row(
    "PodSandboxStats absent",
    ({ client }) => client.call("RuntimeService/PodSandboxStats", pod),
    notFound,
    crioAbsent,
    unimplemented,
  ),
  row(
    "PortForward absent",
    ({ client }) => client.call("RuntimeService/PortForward", { ...pod, port: [80] }),
    notFound,
    ok,
    dockerAbsent,
  ),
  row(
    "CreateContainer in an absent pod",
    (bench) => create(bench, absentId),
    notFound,
    failed(/specified sandbox not found/),
    dockerAbsent,
  ),
  row(
    "PodSandboxStatus with an empty id",
    ({ client }) => client.call("RuntimeService/PodSandboxStatus", {}),
    failed(/prefix can't be empty/),
    ["NOT_FOUND", /should not be empty/],
    failed(/^$/),
  ),
  row(
    "StopContainer with an empty id",
    ({ client }) => client.call("RuntimeService/StopContainer", {}),
    failed(/prefix can't be empty/),
    failed(/should not be empty/),
    failed(/page not found/),
  ),
];

const states: Row[] = [
  row(
    "StartContainer running",
    inContainer("running", ({ client }, containerId) =>
      client.call("RuntimeService/StartContainer", { containerId }),
    ),
    failed(/container is in CONTAINER_RUNNING state/),
    failed(/is not in created state: running/),
    ok,
  ),
  row(
    "StartContainer exited",
    inContainer("exited", async ({ client }, containerId) => {
      await client.call("RuntimeService/StartContainer", { containerId });
      const { status } = await client.call("RuntimeService/ContainerStatus", { containerId });
      assert.match(JSON.stringify(status), /CONTAINER_RUNNING/, "restarted");
    }),
    failed(/CONTAINER_EXITED state/),
    failed(/: stopped/),
    ok,
  ),
  ...(["created", "exited"] as const).map((state) =>
    row(
      `Exec ${state}`,
      inContainer(state, ({ client }, containerId) =>
        client.call("RuntimeService/Exec", { containerId, ...streams, cmd: ["true"] }),
      ),
      failed(new RegExp(`container is in CONTAINER_${state.toUpperCase()} state`)),
      ok,
      failed(/container not running \(/),
    ),
  ),
  ...(["created", "exited"] as const).map((state) =>
    row(
      `Attach ${state}`,
      inContainer(state, ({ client }, containerId) =>
        client.call("RuntimeService/Attach", { containerId, ...streams }),
      ),
      failed(/container is in CONTAINER_/),
      ok,
      failed(/container not running/),
    ),
  ),
  row(
    "ExecSync exited",
    inContainer("exited", ({ client }, containerId) =>
      client.call("RuntimeService/ExecSync", { containerId, cmd: ["true"] }),
    ),
    failed(/CONTAINER_EXITED/),
    ["NOT_FOUND", /container is not created or running/],
    failed(/container not running/),
  ),
  row(
    "ExecSync created",
    inContainer("created", ({ client }, containerId) =>
      client.call("RuntimeService/ExecSync", { containerId, cmd: ["true"] }),
    ),
    failed(/CONTAINER_CREATED/),
    ok,
    failed(/container not running/),
  ),
  row(
    "ReopenContainerLog created",
    inContainer("created", ({ client }, containerId) =>
      client.call("RuntimeService/ReopenContainerLog", { containerId }),
    ),
    failed(/container is not running/),
    ok,
    failed(/does not support/),
  ),
  row(
    "ReopenContainerLog exited",
    inContainer("exited", ({ client }, containerId) =>
      client.call("RuntimeService/ReopenContainerLog", { containerId }),
    ),
    failed(/container is not running/),
    failed(/not running/),
    failed(/does not support/),
  ),
  row(
    "ReopenContainerLog running",
    inContainer("running", ({ client }, containerId) =>
      client.call("RuntimeService/ReopenContainerLog", { containerId }),
    ),
    ok,
    ok,
    failed(/docker does not support reopening container log files/),
  ),
  row(
    "UpdateContainerResources exited",
    inContainer("exited", ({ client }, containerId) =>
      client.call("RuntimeService/UpdateContainerResources", { containerId, linux: { cpuShares: "5" } }),
    ),
    ok,
    failed(/is not running or created state: stopped/),
    ok,
  ),
  row(
    "ContainerStats created",
    inContainer("created", async ({ client }, containerId) => {
      const { stats } = await client.call("RuntimeService/ContainerStats", { containerId });
      assert.ok(stats);
    }),
    failed(/unexpected metrics response: \[\]/),
    ok,
    ok,
  ),
  row(
    "ContainerStats exited",
    inContainer("exited", async ({ client, runtime }, containerId) => {
      const { stats } = await client.call("RuntimeService/ContainerStats", { containerId });
      if (runtime.manner === "cri-o") assert.equal(stats, undefined);
      else assert.match(JSON.stringify(stats), /"usageCoreNanoSeconds":\{\}/);
    }),
    failed(/unexpected metrics response: \[\]/),
    ok,
    ok,
  ),
  rowOfFive(
    "CheckpointContainer running",
    inContainer("running", ({ client }, containerId) =>
      client.call("RuntimeService/CheckpointContainer", { containerId }),
    ),
    [unimplemented, unimplemented, failed(/CRIU binary not found or too old/)],
    failed(/checkpoint\/restore support not available/),
    unimplemented,
  ),
];

const pods: Row[] = [
  rowOfFive(
    "RunPodSandbox with the same metadata",
    async ({ client, runtime }) => {
      const first = runtime.addPod({ name: "twin", uid: "u-twin" });
      const config = { metadata: { name: "twin", namespace: "default", uid: "u-twin" } };
      const { podSandboxId } = await client.call("RuntimeService/RunPodSandbox", { config });
      assert.equal(podSandboxId, first.id, "the existing id");
    },
    [
      failed(/name "twin_default_u-twin_0" is reserved for/),
      failed(/is reserved for/),
      ["FAILED_PRECONDITION", /is reserved for/],
    ],
    ok,
    failed(/Conflict\. The container name/),
  ),
  rowOfFive(
    "CreateContainer with a reserved name",
    async (bench) => {
      const first = bench.runtime.addContainer({ name: "main" });
      const reply = (await create(bench, first.podId)) as { containerId: string };
      assert.equal(reply.containerId, first.id, "the existing id");
    },
    [failed(/is reserved for/), failed(/is reserved for/), ["FAILED_PRECONDITION", /is reserved for/]],
    ok,
    failed(/Conflict\./),
  ),
  row(
    "RunPodSandbox with an unknown handler",
    ({ client }) =>
      client.call("RuntimeService/RunPodSandbox", { config: { metadata }, runtimeHandler: "nope" }),
    failed(/no runtime for "nope" is configured/),
    failed(/failed to find runtime handler/),
    failed(/no runtime for "nope" is configured/),
  ),
  row(
    "CreateContainer with a missing image",
    (bench) =>
      create(bench, bench.runtime.addPod().id, { image: { ...busybox, image: "quay.io/no/image:1" } }),
    ["NOT_FOUND", /failed to resolve image/],
    failed(/does not resolve to an image ID/),
    failed(/No such image: quay\.io\/no\/image:1/),
  ),
  row(
    "CreateContainer with a command that is not there",
    (bench) => create(bench, bench.runtime.addPod().id, { command: ["/bin/nope"] }),
    ok,
    failed(/executable file not found/),
    ok,
  ),
  row(
    "StartContainer with a command that is not there",
    ({ client, runtime }) => {
      const { id } = runtime.addContainer({ state: "created", command: ["/bin/nope"] });
      return client.call("RuntimeService/StartContainer", { containerId: id });
    },
    failed(/executable file not found/),
    failed(/executable file not found/),
    failed(/executable file not found/),
  ),
  rowOfFive(
    "CreateContainer in a stopped pod",
    (bench) => create(bench, bench.runtime.addPod({ state: "not ready" }).id),
    [["NOT_FOUND", /no running task found/], ["NOT_FOUND", /no running task found/], ok],
    failed(/sandbox was stopped/),
    ok,
  ),
  row(
    "StartContainer in a stopped pod",
    ({ client, runtime }) => {
      const { id } = runtime.addContainer({ pod: runtime.addPod({ state: "not ready" }), state: "created" });
      return client.call("RuntimeService/StartContainer", { containerId: id });
    },
    failed(/is not running/),
    ok,
    failed(/failed to start container/),
  ),
  row(
    "PortForward in a stopped pod",
    ({ client, runtime }) => {
      const { id } = runtime.addPod({ state: "not ready" });
      return client.call("RuntimeService/PortForward", { podSandboxId: id, port: [80] });
    },
    failed(/sandbox container is not running/),
    ok,
    failed(/container not running/),
  ),
  rowOfFive(
    "PodSandboxStats of a stopped pod",
    ({ client, runtime }) => {
      const { id } = runtime.addPod({ state: "not ready", config: { linux: { cgroupParent: "/pods" } } });
      return client.call("RuntimeService/PodSandboxStats", { podSandboxId: id });
    },
    [failed(/not in ready state/), ["UNAVAILABLE", /unavailable/], ["UNAVAILABLE", /unavailable/]],
    ok,
    unimplemented,
  ),
  row(
    "PodSandboxStats without cgroup_parent",
    ({ client, runtime }) =>
      client.call("RuntimeService/PodSandboxStats", { podSandboxId: runtime.addPod().id }),
    failed(/cgroupPath is empty/),
    ok,
    unimplemented,
  ),
  row(
    "ListPodSandboxStats when one pod has no cgroup_parent",
    ({ client, runtime }) => {
      runtime.addPod();
      runtime.addPod({ config: { linux: { cgroupParent: "/pods" } } });
      return client.call("RuntimeService/ListPodSandboxStats", {});
    },
    failed(/cgroupPath is empty/),
    ok,
    unimplemented,
  ),
  rowOfFive(
    "ListPodSandboxStats when one pod has stopped",
    ({ client, runtime }) => {
      runtime.addPod({ state: "not ready", config: { linux: { cgroupParent: "/pods" } } });
      return client.call("RuntimeService/ListPodSandboxStats", {});
    },
    [failed(/not in ready state/), ok, ok],
    ok,
    unimplemented,
  ),
  row(
    "CreateContainer without user_specified_image",
    (bench) => create(bench, bench.runtime.addPod().id, { image: { image: busybox.image } }),
    ok,
    failed(/user specified image not specified, cannot verify image signature/),
    ok,
  ),
  ...["name", "uid", "namespace"].map((missing) =>
    row(
      `RunPodSandbox without metadata.${missing}`,
      ({ client, runtime }) => {
        const some: { [name: string]: string } = {
          name: `n-${runtime.pods.size}`,
          uid: "u",
          namespace: "ns",
        };
        delete some[missing];
        return client.call("RuntimeService/RunPodSandbox", { config: { metadata: some } });
      },
      ok,
      failed(/cannot generate pod name/),
      ok,
    ),
  ),
  row(
    "CreateContainer without a container name",
    (bench) => create(bench, bench.runtime.addPod().id, { metadata: {} }),
    ok,
    failed(/name is empty/),
    ok,
  ),
  row(
    "RunPodSandbox with a label of more than 4,096 bytes",
    ({ client }) =>
      client.call("RuntimeService/RunPodSandbox", {
        config: { metadata: { ...metadata, uid: "u-label" }, labels: { a: "x".repeat(4096) } },
      }),
    ["INVALID_ARGUMENT", /maximum size/],
    failed(/label key and value greater than maximum size/),
    ok,
  ),
  row(
    "RunPodSandbox with a hostname of 65 characters",
    ({ client }) =>
      client.call("RuntimeService/RunPodSandbox", {
        config: { metadata: { ...metadata, uid: "u-host" }, hostname: "h".repeat(65) },
      }),
    failed(/sethostname: invalid argument/),
    failed(/sethostname: invalid argument/),
    failed(/sethostname: invalid argument/),
  ),
  row(
    "RunPodSandbox with a sysctl of the host",
    ({ client }) =>
      client.call("RuntimeService/RunPodSandbox", {
        config: { metadata: { ...metadata, uid: "u-sysctl" }, linux: { sysctls: { "vm.swappiness": "1" } } },
      }),
    failed(/sysctl/),
    ok,
    failed(/sysctl/),
  ),
];

const streaming: Row[] = [
  row(
    "Exec without a stream",
    inContainer("running", ({ client }, containerId) =>
      client.call("RuntimeService/Exec", { containerId, cmd: ["true"] }),
    ),
    ["INVALID_ARGUMENT", /must be set/],
    ["INVALID_ARGUMENT", /must be set/],
    ["INVALID_ARGUMENT", /must be set/],
  ),
  row(
    "Exec with tty and stderr",
    inContainer("running", ({ client }, containerId) =>
      client.call("RuntimeService/Exec", {
        containerId,
        cmd: ["true"],
        tty: true,
        stdout: true,
        stderr: true,
      }),
    ),
    ["INVALID_ARGUMENT", /tty and stderr/],
    ["INVALID_ARGUMENT", /tty and stderr/],
    ["INVALID_ARGUMENT", /tty and stderr/],
  ),
  row(
    "Attach without a stream",
    inContainer("running", ({ client }, containerId) =>
      client.call("RuntimeService/Attach", { containerId }),
    ),
    ["INVALID_ARGUMENT", /must be set/],
    failed(/unable to prepare attach endpoint/),
    ["INVALID_ARGUMENT", /must be set/],
  ),
  row(
    "ExecSync of a command that is not there",
    inContainer("running", async ({ client }, containerId) => {
      const reply = await client.call("RuntimeService/ExecSync", { containerId, cmd: ["nope"] });
      assert.equal(reply.exitCode, 127);
      assert.match(Buffer.from(String(reply.stdout), "base64").toString(), /executable file not found/);
    }),
    failed(/executable file not found/),
    failed(/command error: .*exit code -1/),
    ok,
  ),
  row(
    "ExecSync beyond its timeout",
    inContainer("running", async ({ client }, containerId) => {
      const cmd = ["sleep", "20"];
      const reply = await client.call("RuntimeService/ExecSync", { containerId, cmd, timeout: "1" });
      assert.deepEqual(reply, { exitCode: -1 });
    }),
    ["DEADLINE_EXCEEDED", /timeout 1s exceeded/],
    ok,
    ["DEADLINE_EXCEEDED", /^context deadline exceeded$/],
  ),
  row(
    "ExecSync with 20 MiB of output",
    inContainer("running", async ({ client }, containerId) => {
      const cmd = ["sh", "-c", `head -c ${20 << 20} /dev/zero; exit 3`];
      const reply = await client.call("RuntimeService/ExecSync", { containerId, cmd });
      assert.equal(reply.exitCode, 3);
      assert.equal(Buffer.from(String(reply.stdout), "base64").length, 16_683_515);
    }),
    ["RESOURCE_EXHAUSTED", /larger than max \(\d+ vs\. 16777216\)/],
    ok,
    failed(/short write/),
  ),
];

const images: Row[] = [
  row(
    "PullImage of an absent repository",
    (bench) => pull(bench, "quay.io/no/image:1"),
    ["NOT_FOUND", /not found/],
    failed(/manifest unknown/),
    failed(/manifest unknown/),
  ),
  rowOfFive(
    "PullImage without credentials",
    (bench) => pull(bench, "quay.io/private/app:1"),
    [
      failed(/401 Unauthorized/),
      failed(/authorization failed: no basic auth credentials/),
      failed(/no basic auth credentials/),
    ],
    failed(/unauthorized/),
    failed(/no basic auth credentials/),
  ),
  row(
    "PullImage with bad credentials",
    (bench) => pull(bench, "quay.io/private/app:1", { username: "reader", password: "wrong" }),
    failed(/401 Unauthorized/),
    failed(/unauthorized/),
    failed(/unauthorized/),
  ),
  row(
    "PullImage with good credentials",
    (bench) => pull(bench, "quay.io/private/app:1", { username: "reader", password: "open sesame" }),
    ok,
    ok,
    ok,
  ),
  ...["", "Not A Reference"].map((reference) =>
    row(
      `PullImage of the bad reference "${reference}"`,
      (bench) => pull(bench, reference),
      failed(/failed to parse image reference/),
      failed(/cannot parse input/),
      failed(/invalid reference format/),
    ),
  ),
  row(
    "PullImage from a registry that is down",
    (bench) => pull(bench, "127.0.0.1:5999/app:1"),
    failed(/connection refused/),
    failed(/RegistryUnavailable: .*connection refused/),
    failed(/connection refused/),
  ),
  row(
    "PullImage from an unknown host",
    (bench) => pull(bench, "registry.invalid/app:1"),
    failed(/no such host/),
    failed(/no such host/),
    failed(/no such host/),
  ),
  row(
    "ImageStatus of a missing image",
    async ({ client }) => {
      const reply = await client.call("ImageService/ImageStatus", { image: { image: "quay.io/no/image:1" } });
      assert.deepEqual(reply, {});
    },
    ok,
    ok,
    ok,
  ),
  ...(["ImageStatus", "RemoveImage"] as const).flatMap((method) => [
    row(
      `${method} of a bad reference`,
      ({ client }) => client.call(`ImageService/${method}`, { image: { image: "Not A Reference" } }),
      ok,
      failed(/cannot parse input/),
      failed(/invalid reference format/),
    ),
    row(
      `${method} of an absent id`,
      ({ client }) => client.call(`ImageService/${method}`, { image: { image: `sha256:${absentId}` } }),
      ok,
      failed(/short-name .* did not resolve/),
      ok,
    ),
  ]),
  row(
    "RemoveImage, by name, of an image in use",
    async ({ client, runtime }) => {
      const image = { image: "quay.io/in/use:1" };
      runtime.addContainer(image);
      await client.call("ImageService/RemoveImage", { image });
      const { image: left } = await client.call("ImageService/ImageStatus", { image });
      assert.equal(left !== undefined, runtime.manner === "cri-dockerd", "gone, but for Docker");
    },
    ok,
    failed(/image is in use by a container/),
    ok,
  ),
];

const removals: Row[] = [
  row(
    "RemoveContainer running",
    inContainer("running", async ({ client, runtime }, containerId) => {
      await client.call("RuntimeService/RemoveContainer", { containerId });
      assert.ok(!runtime.containers.has(containerId));
    }),
    ok,
    ok,
    ok,
  ),
  row(
    "RemovePodSandbox with a running container",
    async ({ client, runtime }) => {
      const { podId, id } = runtime.addContainer();
      await client.call("RuntimeService/RemovePodSandbox", { podSandboxId: podId });
      assert.ok(!runtime.containers.has(id) && !runtime.pods.has(podId));
    },
    ok,
    ok,
    ok,
  ),
  row(
    "StopContainer twice",
    inContainer("running", async ({ client }, containerId) => {
      await client.call("RuntimeService/StopContainer", { containerId });
      await client.call("RuntimeService/StopContainer", { containerId });
    }),
    ok,
    ok,
    ok,
  ),
  rowOfFive(
    "StopContainer after RemoveContainer",
    inContainer("exited", async ({ client }, containerId) => {
      await client.call("RuntimeService/RemoveContainer", { containerId });
      await client.call("RuntimeService/StopContainer", { containerId });
    }),
    [notFound, ok, ok],
    ok,
    ["NOT_FOUND", /No such container/],
  ),
  row(
    "RemoveContainer twice",
    inContainer("exited", async ({ client }, containerId) => {
      await client.call("RuntimeService/RemoveContainer", { containerId });
      await client.call("RuntimeService/RemoveContainer", { containerId });
    }),
    ok,
    ok,
    failed(/No such container/),
  ),
];

const served: Row[] = [
  rowOfFive(
    "RuntimeConfig",
    ({ client }) => client.call("RuntimeService/RuntimeConfig"),
    [newer, newer, ok],
    ok,
    ok,
  ),
  rowOfFive(
    "ListMetricDescriptors",
    ({ client }) => client.call("RuntimeService/ListMetricDescriptors"),
    [newer, unimplemented, unimplemented],
    ok,
    unimplemented,
  ),
  row(
    "UpdatePodSandboxResources",
    ({ client, runtime }) =>
      client.call("RuntimeService/UpdatePodSandboxResources", { podSandboxId: runtime.addPod().id }),
    newer,
    ok,
    unimplemented,
  ),
  row(
    "StreamContainers",
    async ({ client }) => {
      for await (const _message of client.stream("RuntimeService/StreamContainers"));
    },
    newer,
    ok,
    newer,
  ),
  row(
    "CheckpointPod",
    ({ client }) => client.call("RuntimeService/CheckpointPod", pod),
    newer,
    unimplemented,
    newer,
  ),
];

const rows = [absent, states, pods, streaming, images, removals, served].flat();

for (const manner of mannerNames) {
  suite(`fake runtime as ${manner}`, { concurrency: 8 }, () => {
    for (const { call, act, answers } of rows) {
      const [code, text = /^/] = answers[manner];
      test(`${call}: ${code}`, async (t) => {
        const acted = act(await fakeBench(t, manner));
        if (code === "OK") {
          await acted;
          return;
        }
        await assert.rejects(acted, (error: ServiceError) => {
          assert.equal(status[error.code], code, error.message);
          assert.match(error.details, text);
          return true;
        });
      });
    }
  });
}

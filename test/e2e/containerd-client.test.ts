/** containerd's own services on a real containerd: what each answers about a pod with a container. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import { createContainerdClient } from "../../src/containerd/client.ts";
import { type ContainerdEvent, decodeEvent } from "../../src/containerd/events.ts";
import { decodeMetrics } from "../../src/containerd/metrics.ts";
import { call } from "../../src/cri/call.ts";
import { CallCancelled, connect } from "../../src/cri/channel.ts";
import type { ListStatusesResponse } from "../../src/gen/containerd/messages.ts";
import { eventually } from "../support/eventually.ts";
import { reasonToSkip } from "./support/machine.ts";
import { useRuntime } from "./support/suite.ts";

const skip = await reasonToSkip();
const { runtime: embedded } = useRuntime(skip);

test("containerd's events, records, metrics, content and snapshots of one container", { skip }, async (t) => {
  const runtime = connect({ runtimeEndpoint: embedded().socket });
  const client = createContainerdClient(runtime);
  const seen: ContainerdEvent[] = [];
  const leaving = new AbortController();
  const reading = (async () => {
    const options = { signal: leaving.signal };
    for await (const envelope of client.stream(
      "Events/Subscribe",
      { filters: ["namespace==k8s.io"] },
      options,
    )) {
      assert.equal(envelope.namespace, "k8s.io");
      const event = decodeEvent(envelope);
      if (event !== undefined) seen.push(event);
    }
  })();
  const image = { image: "busybox:latest" };
  const sandboxConfig = {
    metadata: { name: "native", namespace: "default", uid: randomUUID(), attempt: 0 },
    linux: { securityContext: { namespaceOptions: { network: "NODE" } } },
  } as const;
  const { podSandboxId } = await call(runtime, "RuntimeService/RunPodSandbox", { config: sandboxConfig });
  t.after(async () => {
    await call(runtime, "RuntimeService/RemovePodSandbox", { podSandboxId });
    leaving.abort();
    await assert.rejects(reading, CallCancelled);
    runtime.close();
  });
  const config = { metadata: { name: "c" }, image, command: ["sh", "-c", "read line; exit 7"], stdin: true };
  const { containerId } = await call(runtime, "RuntimeService/CreateContainer", {
    podSandboxId,
    config,
    sandboxConfig,
  });

  const record = await client.call("Containers/Get", { id: containerId });
  assert.equal(record.container?.labels["io.cri-containerd.kind"], "container");
  const pod = await client.call("Containers/Get", { id: podSandboxId });
  assert.equal(pod.container?.labels["io.cri-containerd.kind"], "sandbox");

  await call(runtime, "RuntimeService/StartContainer", { containerId });
  const { metrics } = await client.call("Tasks/Metrics", {});
  const metric = metrics.find(({ id }) => id === containerId);
  assert.ok(metric !== undefined);
  const measured = decodeMetrics(metric);
  assert.ok(measured !== undefined, metric.data?.typeUrl);
  assert.ok(Number(measured.metrics.pids?.current) >= 1);

  const { snapshotter = "", snapshotKey = "" } = record.container ?? {};
  const { info } = await client.call("Snapshots/Stat", { snapshotter, key: snapshotKey });
  assert.equal(info?.kind, "ACTIVE");
  const names: string[] = [];
  for await (const { info: some } of client.stream("Snapshots/List", { snapshotter }))
    names.push(...some.map(({ name }) => name));
  assert.ok(names.includes(snapshotKey) && names.includes(info.parent));
  const usage = await client.call("Snapshots/Usage", { snapshotter, key: info.parent });
  assert.ok(Number(usage.size) > 100_000);

  const filters = ['labels."containerd.io/gc.ref.content.config"'];
  const manifests = [];
  for await (const { info: some } of client.stream("Content/List", { filters })) manifests.push(...some);
  const [manifest] = manifests;
  assert.ok(manifest !== undefined);
  const whole = await client.call("Content/Info", { digest: manifest.digest });
  assert.deepEqual([whole.info?.size, whole.info?.labels], [manifest.size, manifest.labels]);
  const parts: Buffer[] = [];
  for await (const { data } of client.stream("Content/Read", { digest: manifest.digest }))
    parts.push(Buffer.from(data, "base64"));
  const text = Buffer.concat(parts);
  assert.equal(text.length, Number(manifest.size));
  assert.equal((JSON.parse(text.toString("utf8")) as { schemaVersion: number }).schemaVersion, 2);
  const idle: ListStatusesResponse = await client.call("Content/ListStatuses", {});
  assert.deepEqual(idle, { statuses: [] });

  await call(runtime, "RuntimeService/StopContainer", { containerId, timeout: "0" });
  await call(runtime, "RuntimeService/RemoveContainer", { containerId });
  const ofContainer = (): readonly ContainerdEvent[] =>
    seen.filter(({ event }) => JSON.stringify(event).includes(containerId));
  await eventually(() => ofContainer().some(({ topic }) => topic === "/containers/delete"));
  const topics = ofContainer().map(({ topic }) => topic);
  for (const topic of ["/containers/create", "/tasks/create", "/tasks/start", "/tasks/exit", "/tasks/delete"])
    assert.ok(topics.includes(topic as ContainerdEvent["topic"]), `${topic} is missing: ${topics.join()}`);
  const exit = ofContainer().find((event) => event.topic === "/tasks/exit");
  assert.ok(exit?.topic === "/tasks/exit" && exit.event.id === containerId && exit.event.exitStatus === 137);
  assert.ok(exit.timeNanos > 1_700_000_000_000_000_000n);
});

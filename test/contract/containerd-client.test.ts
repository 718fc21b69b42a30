/** The client of containerd's own services, in front of a fake that speaks gRPC. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { status } from "@grpc/grpc-js";
import { type ContainerdClient, createContainerdClient } from "../../src/containerd/client.ts";
import { decodeEvent } from "../../src/containerd/events.ts";
import { decodeMetrics } from "../../src/containerd/metrics.ts";
import { CallCancelled, connect } from "../../src/cri/channel.ts";
import { GatewayError } from "../../src/errors.ts";
import { eventually } from "../support/eventually.ts";
import { packAny } from "../support/fake-runtime/containerd-services.ts";
import { createFakeRuntime, type FakeRuntime, GrpcFault, type MannerName } from "../support/fake-runtime.ts";

async function clientOf(
  t: TestContext,
  manner: MannerName = "containerd-2.1",
): Promise<{ readonly fake: FakeRuntime; readonly client: ContainerdClient }> {
  const fake = await createFakeRuntime({ manner });
  const runtime = connect({ runtimeEndpoint: fake.socket });
  t.after(async () => {
    runtime.close();
    await fake.close();
  });
  return { fake, client: createContainerdClient(runtime) };
}

const failsWith =
  (code: string, message: RegExp) =>
  (error: unknown): boolean =>
    error instanceof GatewayError && error.code === code && message.test(error.message);

test("call() sends CRI's namespace and decodes the reply", async (t) => {
  const { fake, client } = await clientOf(t);
  const namespaces: unknown[] = [];
  fake.serveContainerd("Snapshots/Usage", (request, { metadata }) => {
    namespaces.push(...(metadata["containerd-namespace"] ?? []));
    assert.deepEqual(request, { snapshotter: "overlayfs", key: "extract-1 sha256:a" });
    return { size: 2n ** 53n + 1n, inodes: 7 };
  });
  const reply = await client.call("Snapshots/Usage", { snapshotter: "overlayfs", key: "extract-1 sha256:a" });
  assert.deepEqual(reply, { size: "9007199254740993", inodes: "7" });
  assert.deepEqual(namespaces, ["k8s.io"]);
});

test("call() fails by the gRPC status", async (t) => {
  const { fake, client } = await clientOf(t);
  fake.serveContainerd("Content/Info", () => {
    throw new GrpcFault(status.NOT_FOUND, "content sha256:a: not found");
  });
  await assert.rejects(
    client.call("Content/Info", { digest: "sha256:a" }),
    failsWith("not_found", /^Content\/Info failed: content sha256:a: not found$/),
  );
  fake.serveContainerd("Content/Info", () => new Promise<object>(() => {}));
  await assert.rejects(
    client.call("Content/Info", { digest: "sha256:a" }, { deadlineMs: 50 }),
    failsWith("deadline_exceeded", /^Content\/Info failed: /),
  );
  await fake.stop();
  await assert.rejects(
    client.call("Content/Info", { digest: "sha256:a" }),
    failsWith("runtime_unavailable", /^Content\/Info failed: /),
  );
});

for (const manner of ["cri-o", "cri-dockerd"] as const) {
  test(`call() and stream() say that ${manner} is not containerd`, async (t) => {
    const { client } = await clientOf(t, manner);
    const isMissing = failsWith(
      "not_implemented",
      /is a method of containerd, and this runtime is not containerd/,
    );
    await assert.rejects(client.call("Tasks/Metrics", {}), isMissing);
    await assert.rejects(async () => {
      for await (const _ of client.stream("Events/Subscribe", {})) assert.fail("an event of another runtime");
    }, isMissing);
  });
}

test("call() and stream() end when the signal aborts, before or during the call", async (t) => {
  const { fake, client } = await clientOf(t);
  const left: string[] = [];
  fake.serveContainerd("Tasks/Metrics", (_, { signal }) => {
    signal.addEventListener("abort", () => left.push("call"));
    return new Promise<object>(() => {});
  });
  fake.serveContainerd("Events/Subscribe", async function* (_, { signal }) {
    yield { topic: "/tasks/start", namespace: "k8s.io" };
    await new Promise((resolve) => signal.addEventListener("abort", resolve));
    left.push("stream");
  });
  await assert.rejects(client.call("Tasks/Metrics", {}, { signal: AbortSignal.abort() }), CallCancelled);
  const controller = new AbortController();
  const called = client.call("Tasks/Metrics", {}, { signal: controller.signal });
  const events = client.stream("Events/Subscribe", {}, { signal: controller.signal })[Symbol.asyncIterator]();
  assert.equal((await events.next()).value?.topic, "/tasks/start");
  const next = events.next();
  controller.abort();
  await assert.rejects(called, CallCancelled);
  await assert.rejects(next, CallCancelled);
  await eventually(() => left.length === 2);
});

test("leaving the loop of stream() cancels the call", async (t) => {
  const { fake, client } = await clientOf(t);
  let left = false;
  fake.serveContainerd("Content/List", async function* (_, { signal }) {
    signal.addEventListener("abort", () => {
      left = true;
    });
    for (;;) {
      yield { info: [{ digest: "sha256:a", labels: { a: "b" } }] };
      if (signal.aborted) return;
    }
  });
  for await (const { info } of client.stream("Content/List", { filters: ["size>1"] })) {
    assert.deepEqual([info[0]?.digest, info[0]?.labels], ["sha256:a", { a: "b" }]);
    break;
  }
  await eventually(() => left);
});

test("decodeEvent() goes by the topic, whatever the type's URL says", async (t) => {
  const { fake, client } = await clientOf(t);
  const exit = {
    containerId: "c",
    id: "e",
    pid: 3,
    exitStatus: 137,
    exitedAt: { seconds: 1_700_000_000, nanos: 5 },
  };
  fake.serveContainerd("Events/Subscribe", (request) => {
    assert.deepEqual(request, { filters: ["namespace==k8s.io"] });
    const timestamp = { seconds: 1_700_000_000, nanos: 7 };
    return [
      {
        timestamp,
        topic: "/tasks/exit",
        event: packAny("containerd.events.TaskExit", exit, "types.x/another.Type"),
      },
      { timestamp, topic: "/tasks/paused" },
      {
        timestamp,
        topic: "/images/delete",
        event: packAny(
          "containerd.events.ImageDelete",
          { name: "a:b" },
          "containerd.services.images.v1.ImageDelete",
        ),
      },
    ];
  });
  const decoded = [];
  for await (const envelope of client.stream("Events/Subscribe", { filters: ["namespace==k8s.io"] }))
    decoded.push(decodeEvent(envelope));
  const timeNanos = 1_700_000_000_000_000_007n;
  assert.deepEqual(decoded, [
    {
      topic: "/tasks/exit",
      timeNanos,
      event: { ...exit, exitedAt: { seconds: "1700000000", nanos: 5 } },
    },
    undefined,
    { topic: "/images/delete", timeNanos, event: { name: "a:b" } },
  ]);
});

test("decodeMetrics() reads cgroups of both versions, and ignores other types", async (t) => {
  const { fake, client } = await clientOf(t);
  fake.serveContainerd("Tasks/Metrics", () => ({
    metrics: [
      {
        id: "one",
        data: packAny(
          "io.containerd.cgroups.CgroupV1Metrics",
          {
            pids: { current: 3 },
            cpu: { usage: { total: 30 }, throttling: { throttledTime: 4 } },
            memory: { rss: 5, usage: { limit: 6, failcnt: 1 } },
          },
          "io.containerd.cgroups.v1.Metrics",
        ),
      },
      {
        id: "two",
        data: packAny(
          "io.containerd.cgroups.CgroupV2Metrics",
          { memory: { usage: 7, usageLimit: 2n ** 64n - 1n } },
          "type.googleapis.com/io.containerd.cgroups.v2.Metrics",
        ),
      },
      { id: "three", data: packAny("containerd.events.TaskOOM", {}, "a.machine.Stats") },
      { id: "four" },
    ],
  }));
  const { metrics } = await client.call("Tasks/Metrics", {});
  const [one, two, ...others] = metrics.map(decodeMetrics);
  assert.ok(one?.version === 1 && two?.version === 2);
  assert.deepEqual(
    [one.metrics.pids?.current, one.metrics.cpu?.usage?.total, one.metrics.cpu?.throttling?.throttledTime],
    ["3", "30", "4"],
  );
  assert.deepEqual(one.metrics.memory?.usage, { limit: "6", usage: "0", max: "0", failcnt: "1" });
  assert.equal(two.metrics.memory?.usageLimit, "18446744073709551615");
  assert.deepEqual(others, [undefined, undefined]);
});

import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import type { CriClient } from "../support/cri-client.ts";
import { eventually } from "../support/eventually.ts";
import { fakeBench } from "../support/fake-bench.ts";
import type { FakeRuntime } from "../support/fake-runtime.ts";

interface SeenEvent {
  containerId: string;
  containerEventType?: string;
  podSandboxStatus?: object;
  containersStatuses?: { id: string }[];
}

/** Reads events until the test ends. */
function subscribe(t: TestContext, client: CriClient): SeenEvent[] {
  const seen: SeenEvent[] = [];
  const stop = new AbortController();
  t.after(() => stop.abort());
  void (async () => {
    for await (const event of client.stream(
      "RuntimeService/GetContainerEvents",
      {},
      { signal: stop.signal },
    )) {
      seen.push(event as unknown as SeenEvent);
    }
  })().catch(() => undefined);
  return seen;
}

/** One pod and one container, from the first to the last. */
async function life(runtime: FakeRuntime, name: string): Promise<{ pod: string; container: string }> {
  const config = { metadata: { name, namespace: "default", uid: `u-${name}` } };
  const run = (await runtime.perform("RuntimeService/RunPodSandbox", { config })) as { podSandboxId: string };
  const image = { image: "busybox:1.36", userSpecifiedImage: "busybox:1.36" };
  const { containerId } = (await runtime.perform("RuntimeService/CreateContainer", {
    podSandboxId: run.podSandboxId,
    config: { metadata: { name: "main" }, image },
    sandboxConfig: config,
  })) as { containerId: string };
  await runtime.perform("RuntimeService/StartContainer", { containerId });
  await runtime.perform("RuntimeService/StopContainer", { containerId });
  await runtime.perform("RuntimeService/RemoveContainer", { containerId });
  await runtime.perform("RuntimeService/StopPodSandbox", run);
  await runtime.perform("RuntimeService/RemovePodSandbox", run);
  return { pod: run.podSandboxId, container: containerId };
}

const container = ["container CREATED", "container STARTED", "container STOPPED", "container DELETED"];
const lives = {
  "containerd-1.7": ["pod STARTED", ...container, "pod STOPPED", "pod DELETED bare"],
  "containerd-2.1": ["pod CREATED", "pod STARTED", ...container, "pod STOPPED", "pod DELETED"],
  "cri-o": ["pod STARTED", ...container, "pod STOPPED"],
};

for (const [manner, expected] of Object.entries(lives)) {
  test(`${manner} tells of one life in its own words`, async (t) => {
    const { runtime, client } = await fakeBench(t, manner as keyof typeof lives);
    const seen = subscribe(t, client);
    await eventually(() => runtime.calls.length === 1);
    const { pod } = await life(runtime, "one");
    await eventually(() => seen.length >= expected.length);
    const words = seen.map((event) => {
      const kind = /CONTAINER_(\w+)_EVENT/.exec(event.containerEventType ?? "CONTAINER_CREATED_EVENT")?.[1];
      const bare = event.podSandboxStatus === undefined ? " bare" : "";
      return `${event.containerId === pod ? "pod" : "container"} ${kind}${bare}`;
    });
    assert.deepEqual(words, expected);
    const listed = seen.filter(({ containerId, containersStatuses }) =>
      containersStatuses?.some(({ id }) => id === containerId),
    );
    assert.equal(listed.length, manner === "cri-o" ? 0 : 4);
  });
}

test("old events await the first subscriber on containerd 1.7 and CRI-O, and every one on 2.1", async (t) => {
  for (const manner of ["containerd-1.7", "containerd-2.1", "cri-o"] as const) {
    const { runtime, client } = await fakeBench(t, manner);
    await life(runtime, "old");
    const count = lives[manner].length;
    const first = subscribe(t, client);
    await eventually(() => first.length === count);
    const second = subscribe(t, client);
    await eventually(() => runtime.calls.length === 2);
    await runtime.emitEvent({ containerId: "marker" });
    await eventually(() => [...first, ...second].some(({ containerId }) => containerId === "marker"));
    if (manner === "containerd-2.1") await eventually(() => second.length === count + 1);
    else assert.ok(second.length <= 1, `${manner}: ${second.length}`);
  }
});

test("two subscribers share the events of containerd 1.7, and both have all elsewhere", async (t) => {
  for (const manner of ["containerd-1.7", "containerd-2.1", "cri-o"] as const) {
    const { runtime, client } = await fakeBench(t, manner);
    const both = [subscribe(t, client), subscribe(t, client)];
    await eventually(() => runtime.calls.length === 2);
    for (let number = 0; number < 8; number += 1) await runtime.emitEvent({ containerId: `n${number}` });
    if (manner === "containerd-1.7") {
      await eventually(() => both.flat().length === 8);
      assert.ok(both.every(({ length }) => length > 0));
    } else {
      await eventually(() => both.every(({ length }) => length === 8));
    }
  }
});

test("a subscriber that does not read holds RunPodSandbox back on containerd 2.1, until it goes", async (t) => {
  const { runtime, client } = await fakeBench(t, "containerd-2.1");
  const stop = new AbortController();
  const idle = client.stream("RuntimeService/GetContainerEvents", {}, { signal: stop.signal });
  const reading = idle[Symbol.asyncIterator]();
  reading.next().catch(() => undefined);
  await eventually(() => runtime.calls.length === 1);

  const annotations = { big: "x".repeat(100_000) };
  let made = 0;
  const making = (async () => {
    for (; made < 200; made += 1) {
      const metadata = { name: `p${made}`, namespace: "default", uid: `u${made}` };
      await runtime.perform("RuntimeService/RunPodSandbox", { config: { metadata, annotations } });
    }
  })();
  const held = await Promise.race([making.then(() => false), stuck(() => made)]);
  assert.equal(held, true);
  assert.ok(made > 40 && made < 200, `held after ${made}`);
  await client.call("RuntimeService/Version");
  stop.abort();
  await making;
});

/** True once a number has stopped growing for a while. */
async function stuck(value: () => number): Promise<boolean> {
  for (let last = -1; last !== value(); ) {
    last = value();
    await delay(200);
  }
  return true;
}

test("a subscriber that does not read starves the others on CRI-O, and pods are made all the same", async (t) => {
  const { runtime, client } = await fakeBench(t, "cri-o");
  const stop = new AbortController();
  const idle = client.stream("RuntimeService/GetContainerEvents", {}, { signal: stop.signal });
  idle[Symbol.asyncIterator]()
    .next()
    .catch(() => undefined);
  await eventually(() => runtime.calls.length === 1);
  const seen = subscribe(t, client);
  await eventually(() => runtime.calls.length === 2);
  const big = { image: { image: "x".repeat(100_000) }, id: "c" };
  for (let number = 0; number < 100; number += 1) {
    await runtime.emitEvent({ containerId: `n${number}`, containersStatuses: [big] });
  }
  await stuck(() => seen.length);
  assert.ok(seen.length < 100, `starved at ${seen.length}`);
  stop.abort();
  await eventually(() => seen.length === 100);
});

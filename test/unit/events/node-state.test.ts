import assert from "node:assert/strict";
import { test } from "node:test";
import type { EventDraft } from "../../../src/events/node-event.ts";
import { createNodeState, type NodeState } from "../../../src/events/node-state.ts";

const pod = { id: "p", name: "web", namespace: "demo", labels: { app: "web", tier: "a" }, createdAt: 1n };
const container = {
  id: "c",
  podId: "p",
  name: "server",
  attempt: 0,
  image: "busybox",
  labels: { tier: "b" },
  createdAt: 2n,
};

function stateOf(): { readonly state: NodeState; readonly events: EventDraft[]; types(): readonly string[] } {
  const events: EventDraft[] = [];
  const state = createNodeState((draft) => `boot.${events.push(draft)}`);
  return { state, events, types: () => events.map(({ type }) => type) };
}

function running(): ReturnType<typeof stateOf> {
  const made = stateOf();
  made.state.podCreated(pod);
  made.state.podReady("p");
  made.state.containerCreated(container);
  made.state.containerStarted("c", 3n);
  made.events.length = 0;
  return made;
}

test("each step is emitted once, however often it is reported, and none goes back", () => {
  const { state, types } = stateOf();
  for (let i = 0; i < 2; i++) {
    state.podCreated(pod);
    state.podReady("p");
    state.containerCreated(container);
    state.containerStarted("c", 3n);
  }
  for (let i = 0; i < 2; i++) {
    state.containerExited("c", { code: 1, at: 4n });
    state.containerStarted("c", 3n);
    state.containerStarted("c");
    state.podStopped("p");
    state.podReady("p");
  }
  for (let i = 0; i < 2; i++) {
    state.containerRemoved("c");
    state.podRemoved("p");
    state.containerCreated(container);
    state.podCreated(pod);
  }
  assert.deepEqual(types(), [
    ...["pod.created", "pod.ready", "container.created", "container.started", "container.exited"],
    ...["pod.stopped", "container.removed", "pod.removed"],
  ]);
});

test("an event has the pod's labels, and the container's over them", () => {
  const { state, events } = running();
  state.containerOom("c", 5n);
  assert.deepEqual(events[0], {
    type: "container.oom",
    time: "1970-01-01T00:00:00.000Z",
    namespace: "demo",
    pod: "web",
    podSandboxId: "p",
    container: "server",
    containerId: "c",
    attempt: 0,
    image: "busybox",
    labels: { app: "web", tier: "b" },
    oom: true,
  });
});

test("an exit gets its reason and signal from the code, until the runtime says another", () => {
  const { state, events } = running();
  state.containerExited("c", { code: 143, at: 4n });
  state.containerExited("c", { code: 143, at: 9n, reason: "Error", message: "" });
  state.containerExited("c", { code: 143, at: 9n, reason: "Evicted", message: "no room" });
  assert.deepEqual(
    events.map(({ exitCode, signal, reason, message, amends }) => [
      exitCode,
      signal,
      reason,
      message,
      amends,
    ]),
    [
      [143, "SIGTERM", "Error", undefined, undefined],
      [143, "SIGTERM", "Evicted", "no room", "boot.1"],
    ],
  );
});

test("the code of an event wins over a runtime that has lost the exit, in either order", () => {
  const first = running();
  first.state.containerExited("c", { code: 9, at: 4n });
  first.state.containerExited("c", { code: 255, at: 5n, reason: "Unknown" });
  assert.deepEqual(first.types(), ["container.exited"]);

  const second = running();
  second.state.containerExited("c", { code: 255, at: 5n, reason: "Unknown" });
  second.state.containerExited("c", { code: 0, at: 4n });
  assert.deepEqual(
    second.events.map(({ exitCode, reason, amends }) => [exitCode, reason, amends]),
    [
      [255, "Unknown", undefined],
      [0, "Completed", "boot.1"],
    ],
  );
});

test("out of memory is the reason of an exit, whether it is told before or after", () => {
  const before = running();
  before.state.containerOom("c");
  before.state.containerExited("c", { code: 5, at: 4n });
  assert.deepEqual([before.events[1]?.reason, before.events[1]?.oom], ["OOMKilled", true]);

  const after = running();
  after.state.containerExited("c", { code: 137, at: 4n });
  after.state.containerOom("c");
  assert.deepEqual(after.types(), ["container.exited", "container.oom", "container.exited"]);
  assert.deepEqual([after.events[2]?.reason, after.events[2]?.amends], ["OOMKilled", "boot.1"]);
});

test("a container that Docker starts again runs again, with an exit of its own", () => {
  const { state, events, types } = running();
  state.containerExited("c", { code: 1, at: 4n });
  state.containerStarted("c", 5n);
  state.containerExited("c", { code: 2, at: 6n });
  assert.deepEqual(types(), ["container.exited", "container.started", "container.exited"]);
  assert.deepEqual([events[2]?.exitCode, events[2]?.amends], [2, undefined]);
});

test("the containers of a removed pod go first, and it was stopped", () => {
  const { state, types } = running();
  state.podRemoved("p");
  assert.deepEqual(types(), ["container.removed", "pod.stopped", "pod.removed"]);
});

test("a list does not touch what was reported after it was asked for", () => {
  const { state } = running();
  const { clock } = state;
  assert.deepEqual(state.untouchedSince(clock), { pods: ["p"], containers: ["c"] });
  state.containerExited("c", { code: 0, at: 4n });
  assert.deepEqual(state.untouchedSince(clock), { pods: ["p"], containers: [] });
  state.containerRemoved("c");
  assert.ok(state.wasRemoved("c"));
});

test("snapshot() has each pod and container with its last step", () => {
  const { state } = running();
  state.containerExited("c", { code: 3, at: 4n });
  assert.deepEqual(
    state.snapshot().map(({ type, snapshot, exitCode }) => [type, snapshot, exitCode]),
    [
      ["pod.ready", true, undefined],
      ["container.exited", true, 3],
    ],
  );
});

test("what is found at the start is explained without an event, and what has happened since with one", () => {
  const { state, events, types } = stateOf();
  const found = (id: string, phase: "running" | "exited"): void => {
    state.containerCreated({ ...container, id });
    state.containerFound(id, phase);
  };
  state.podCreated(pod);
  for (const id of ["runs", "ended", "ends", "told"]) found(id, "running");
  found("exited", "exited");
  events.length = 0;
  state.containerExited("told", { code: 5, at: 9n });
  assert.deepEqual(types(), ["container.exited"]);
  assert.deepEqual(state.unexplained, ["runs", "ended", "ends", "exited"]);

  state.containerStarted("exited", 3n);
  state.containerExplained("runs", 3_000_000n, undefined);
  state.containerExplained("told", 3_000_000n, { code: 255, at: 9n, reason: "Unknown" });
  state.containerExplained("exited", 3n, { code: 1, at: 8_000_000n, reason: "Error" });
  state.containerRemoved("ended");
  state.containerExplained("ended", 3n, undefined);
  assert.deepEqual(types(), ["container.exited", "container.removed"]);
  state.containerExplained("ends", 3n, { code: 2, at: 8n, reason: "Error" });
  assert.deepEqual(types().slice(2), ["container.exited"]);
  assert.deepEqual(state.unexplained, []);
  const last = state
    .snapshot()
    .map(({ containerId, type, time, exitCode }) => [containerId, type, Date.parse(time), exitCode]);
  assert.deepEqual(
    last.filter(([id]) => id === "runs" || id === "exited"),
    [
      ["runs", "container.started", 3, undefined],
      ["exited", "container.exited", 8, 1],
    ],
  );
});

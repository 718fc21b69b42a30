import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import type { Change, ChangeEvent, ChangeOptions } from "../../../src/inventory/changes.ts";
import type { Selection } from "../../../src/logs/log-selection.ts";
import { type Listed, watchContainers } from "../../../src/logs/watch-containers.ts";

const facts = { podSandboxId: "p", pod: "web", namespace: "demo", labels: { app: "web" } };

/** A list with these containers, which end with `!` if they have ended. */
const listOf = (...ids: readonly string[]): Listed => ({
  isComplete: false,
  containers: ids.map((id) => ({
    ...{ ...facts, id: id.replace("!", ""), name: "app", attempt: 0 },
    isEnded: id.endsWith("!"),
  })),
});

function newWatch(t: TestContext, selection: Selection = { namespace: "demo" }) {
  const ending = new AbortController();
  t.after(() => ending.abort());
  let options: ChangeOptions | undefined;
  const changes = {
    async onChange(given: ChangeOptions) {
      options = given;
      return true;
    },
  };
  const watch = watchContainers(changes, selection, ending.signal);
  const tell = (change: Change): void => options?.changed(change);
  let lists = 0;
  return {
    get lists() {
      return lists;
    },
    tell,
    happen: (type: string, containerId?: string, own: Partial<ChangeEvent> = {}): void =>
      tell({ isFollowed: true, event: { ...facts, type, ...(containerId ? { containerId } : {}), ...own } }),
    end: () => ending.abort(),
    due: (listed: Listed | undefined) => watch.due(listed).then(() => ++lists),
  };
}

/** Whether a promise settles before a long wait is over, which stands for an event that never comes. */
async function isDue(promise: Promise<unknown>, ms = 1500): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(resolve, ms, false);
  });
  const result = await Promise.race([promise.then(() => true), late]);
  clearTimeout(timer);
  return result;
}

test("due() settles when changes begin to be reported, and then only after one that concerns the selection", async (t) => {
  const watch = newWatch(t);
  watch.tell({ isFollowed: true });
  await watch.due(listOf("a"));
  const next = watch.due(listOf("a"));
  watch.happen("container.started", "b", { namespace: "other" });
  watch.happen("container.oom", "a");
  watch.happen("pod.stopped");
  assert.ok(!(await isDue(next)));
  watch.happen("container.started", "b");
  await next;
});

test("due() settles again and again until the list shows what an event reported", async (t) => {
  const watch = newWatch(t);
  watch.tell({ isFollowed: true });
  await watch.due(listOf("a"));
  for (const [type, id, before, after] of [
    ["container.created", "b", listOf("a"), listOf("a", "b")],
    ["container.exited", "b", listOf("a", "b"), listOf("a", "b!")],
    ["container.removed", "a", listOf("a", "b!"), listOf("b!")],
  ] as const) {
    watch.happen(type, id);
    for (let lag = 0; lag < 4; lag++) await watch.due(before);
    assert.ok(!(await isDue(watch.due(after), 500)), type);
    watch.tell({ isFollowed: true });
  }
});

test("due() of a pod's containers waits for the pod to have stopped", async (t) => {
  const watch = newWatch(t, { podSandboxId: "p" });
  watch.tell({ isFollowed: true });
  await watch.due(listOf());
  watch.happen("pod.stopped", undefined, { podSandboxId: "other" });
  watch.happen("pod.stopped");
  for (let lag = 0; lag < 3; lag++) await watch.due(listOf());
  assert.ok(!(await isDue(watch.due({ ...listOf(), isComplete: true }), 500)));
});

test("due() settles every second while changes are not reported, and after a list that failed", async (t) => {
  const watch = newWatch(t);
  await watch.due(listOf("a"));
  watch.tell({ isFollowed: true });
  await watch.due(listOf("a"));
  await watch.due(undefined);
  watch.tell({ isFollowed: false });
  await watch.due(listOf("a"));
  await watch.due(listOf("a"));
  assert.equal(watch.lists, 5);
});

test("many events need few lists", async (t) => {
  const watch = newWatch(t);
  watch.tell({ isFollowed: true });
  await watch.due(listOf());
  const listed = watch.due(listOf());
  const all = Array.from({ length: 500 }, (_, n) => String(n));
  for (const id of all) watch.happen("container.started", id);
  await listed;
  assert.ok(!(await isDue(watch.due(listOf(...all)), 500)));
});

test("due() settles when the watch ends", async (t) => {
  const watch = newWatch(t);
  const due = watch.due(listOf("a"));
  watch.end();
  await due;
  await watch.due(listOf("a"));
});

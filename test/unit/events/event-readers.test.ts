import assert from "node:assert/strict";
import { test } from "node:test";
import { CallCancelled } from "../../../src/cri/channel.ts";
import { createEventReaders } from "../../../src/events/event-readers.ts";
import type { EventItem } from "../../../src/events/node-event.ts";

const time = "2026-11-29T07:00:00.000Z";
const event = (seq: number): EventItem => ({ id: `boot.${seq}`, type: "pod.created", time });
const nobody = { first: [], wanted: () => true, left: () => undefined };

async function take(items: AsyncIterable<EventItem>, count: number): Promise<readonly EventItem[]> {
  const taken: EventItem[] = [];
  for await (const item of items) if (taken.push(item) === count) break;
  return taken;
}

test("a reader gets its first items, then what is sent, filtered", async () => {
  const readers = createEventReaders();
  let left = 0;
  const items = readers.add({
    first: [event(1), event(2)],
    wanted: (item) => !("id" in item) || item.id !== "boot.2",
    signal: new AbortController().signal,
    left: () => {
      left++;
    },
  });
  readers.send(event(3));
  readers.sendAll([event(2), event(4)]);
  assert.deepEqual(await take(items, 3), [event(1), event(3), event(4)]);
  assert.deepEqual([readers.size, left], [0, 1]);
});

test("a full queue ends the reader with the number of events that it missed, and frees the queue", async () => {
  let gaps = 0;
  const readers = createEventReaders({ maxQueued: 3, gapped: () => gaps++ });
  const { signal } = new AbortController();
  const slow = readers.add({ ...nobody, signal });
  const quick = readers.add({ ...nobody, signal })[Symbol.asyncIterator]();
  for (let seq = 1; seq <= 5; seq++) {
    readers.send(event(seq));
    assert.deepEqual((await quick.next()).value, event(seq));
  }
  const items = [];
  for await (const item of slow) items.push(item);
  assert.deepEqual(
    items.map((item) => [item.type, "gap" in item ? item.gap : undefined]),
    [["gap", 5]],
  );
  assert.deepEqual([readers.size, gaps], [1, 1]);
  await quick.return?.();
  assert.equal(readers.size, 0);
});

test("abort ends a reader that waits, and one that has not begun", async () => {
  const readers = createEventReaders();
  const controller = new AbortController();
  const waiting = readers.add({ ...nobody, signal: controller.signal })[Symbol.asyncIterator]();
  readers.add({ ...nobody, signal: controller.signal });
  const next = waiting.next();
  controller.abort();
  await assert.rejects(next, CallCancelled);
  assert.equal(readers.size, 0);
});

test("return() ends a reader that waits for an item", async () => {
  const readers = createEventReaders();
  const items = readers.add({ ...nobody, signal: new AbortController().signal })[Symbol.asyncIterator]();
  const next = items.next();
  await items.return?.();
  assert.deepEqual((await next).done, true);
});

test("fail() ends every reader with the error, behind what was sent", async () => {
  const readers = createEventReaders();
  const items = readers.add({ ...nobody, signal: new AbortController().signal })[Symbol.asyncIterator]();
  readers.send(event(1));
  readers.fail(new Error("shutting down"));
  assert.deepEqual((await items.next()).value, event(1));
  await assert.rejects(items.next(), /shutting down/);
  assert.equal(readers.size, 0);
});

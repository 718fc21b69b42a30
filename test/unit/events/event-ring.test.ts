import assert from "node:assert/strict";
import { test } from "node:test";
import { createEventRing } from "../../../src/events/event-ring.ts";
import type { NodeEvent } from "../../../src/events/node-event.ts";

const event = (seq: number, ms = seq): NodeEvent => ({
  id: `boot.${seq}`,
  type: "container.exited",
  time: new Date(ms).toISOString(),
  containerId: `c${seq % 2}`,
});

const ids = (events: readonly NodeEvent[] | undefined): readonly string[] | undefined =>
  events?.map(({ id }) => id);

test("after() gives what follows a number, and nothing if a part of it is gone", () => {
  const ring = createEventRing({ maxEvents: 3, now: () => 0 });
  for (let seq = 1; seq <= 5; seq++) ring.push(event(seq), seq);
  assert.deepEqual(ids(ring.after(3)), ["boot.4", "boot.5"]);
  assert.deepEqual(ids(ring.after(2)), ["boot.3", "boot.4", "boot.5"]);
  assert.equal(ring.after(1), undefined);
  assert.deepEqual(ring.after(5), []);
  assert.equal(ring.size, 3);
});

test("events leave after their time, and completeSinceMs says from when on all are here", () => {
  let now = 1000;
  const ring = createEventRing({ maxAgeMs: 500, now: () => now });
  assert.equal(ring.completeSinceMs, 1000);
  ring.push(event(1, 1000), 1);
  now = 1400;
  ring.push(event(2, 1400), 2);
  now = 1600;
  assert.deepEqual(ids(ring.since(0)), ["boot.2"]);
  assert.equal(ring.completeSinceMs, 1000);
  assert.equal(ring.after(0), undefined);
  assert.deepEqual(ids(ring.since(1401)), []);
});

test("ofContainer() selects, and 100,000 events take no more room than the limit", () => {
  const ring = createEventRing({ maxEvents: 4, now: () => 0 });
  for (let seq = 1; seq <= 100_000; seq++) ring.push(event(seq), seq);
  assert.equal(ring.size, 4);
  assert.deepEqual(ids(ring.ofContainer("c1")), ["boot.99997", "boot.99999"]);
});

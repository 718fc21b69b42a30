/** The rounds of the last 15 minutes, and no more. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { createHistory } from "../../../src/stats/history.ts";
import type { Member, Round } from "../../../src/stats/rates.ts";

const members = (count: number): readonly Member[] =>
  Array.from({ length: count }, (_, n) => ({
    id: String(n),
    name: "",
    namespace: "",
    labels: {},
    podLabels: {},
  }));
const round = (time: number, of: readonly Member[]): Round => ({
  time,
  members: of,
  values: new Float64Array(),
});

test("an hour of rounds leaves 15 minutes of them, 5 seconds apart", () => {
  let now = 0;
  const history = createHistory(() => now * 1000);
  const all = members(1);
  for (; now < 3600; now++) history.note(round(now, all));
  const kept = history.since(3_600_000).map(({ time }) => time);
  assert.equal(kept.length, 180);
  assert.ok((kept[0] ?? 0) >= 2700 && (kept.at(-1) ?? 0) >= 3590);
  assert.equal(history.since(60_000).length, 12);
  now += 3600;
  assert.deepEqual(history.since(3_600_000), [], "what is old goes without new rounds");
});

test("on a node of 10,000 containers the history is shorter, and its memory bounded", () => {
  let now = 0;
  const history = createHistory(() => now * 1000);
  const all = members(10_000);
  for (; now < 900; now += 5) history.note(round(now, all));
  assert.equal(history.since(900_000).length, 36);
});

/** The memory of requests that may be repeated. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { createIdempotency, type KeyedRequest } from "../../../src/api/idempotency.ts";
import { CallCancelled } from "../../../src/cri/channel.ts";
import { GatewayError } from "../../../src/errors.ts";

const keyed = (key: string, owner = "one"): KeyedRequest => ({ owner, key, fingerprint: "f" });
const none = (): number => 0;

test("once() forgets the oldest key beyond the limits, and each after its time", async () => {
  let now = 0;
  const memory = createIdempotency({ now: () => now, limits: { maxKeys: 2, maxAgeMs: 1000 } });
  const done: string[] = [];
  const send = (key: string, owner?: string) =>
    memory.once(keyed(key, owner), async () => void done.push(key), none);
  for (const key of ["a", "b", "c", "b", "c"]) await send(key);
  assert.deepEqual(done, ["a", "b", "c"]);
  await send("a");
  await send("a", "two");
  assert.deepEqual(done, ["a", "b", "c", "a", "a"]);
  now = 999;
  assert.equal((await send("c")).isReplay, true);
  now = 1002;
  assert.equal((await send("c")).isReplay, false);
});

test("once() keeps the bytes of a caller and of all below their limits, at the cost of who has most", async () => {
  const memory = createIdempotency({ limits: { maxBytes: 10_000, maxTotalBytes: 12_000 } });
  const send = (owner: string, key: string, bytes: number) =>
    memory.once(
      keyed(key, owner),
      async () => bytes,
      (answer) => answer,
    );
  await send("one", "a", 6000);
  await send("one", "b", 2000);
  await send("two", "a", 6000);
  assert.equal((await send("two", "a", 0)).isReplay, true);
  assert.equal((await send("one", "b", 0)).isReplay, true);
  assert.equal((await send("one", "a", 0)).isReplay, false);
  // Too large for its caller by itself.
  await send("three", "a", 20_000);
  assert.equal((await send("three", "a", 0)).isReplay, false);
});

test("once() shares the answer and the failure of what is under way, and bounds how much is", async () => {
  const memory = createIdempotency({ limits: { maxPending: 1 } });
  let fail = (_error: Error): void => undefined;
  const first = memory.once(
    keyed("k"),
    () =>
      new Promise<string>((_, reject) => {
        fail = reject;
      }),
    none,
  );
  const second = memory.once(keyed("k"), async () => "again", none);
  await assert.rejects(
    memory.once(keyed("other"), async () => "", none),
    { code: "too_many_requests" },
  );
  fail(new GatewayError("not_found", "absent"));
  for (const one of [first, second]) await assert.rejects(one, { code: "not_found" });
  assert.deepEqual(await memory.once(keyed("k"), async () => "again", none), {
    answer: "again",
    isReplay: false,
  });
  await assert.rejects(
    memory.once({ ...keyed("k"), fingerprint: "g" }, async () => "", none),
    {
      code: "idempotency_key_reused",
    },
  );
});

test("once() does itself what another request gave up", async () => {
  const memory = createIdempotency();
  let cancel = (): void => undefined;
  const first = memory.once(
    keyed("k"),
    () =>
      new Promise<string>((_, reject) => {
        cancel = () => reject(new CallCancelled("left"));
      }),
    none,
  );
  const second = memory.once(keyed("k"), async () => "done", none);
  cancel();
  await assert.rejects(first, CallCancelled);
  assert.equal((await second).answer, "done");
});

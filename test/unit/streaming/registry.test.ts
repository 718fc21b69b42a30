import assert from "node:assert/strict";
import { test } from "node:test";
import { GatewayError } from "../../../src/errors.ts";
import type { Bridged } from "../../../src/streaming/bridge.ts";
import { createSessionRegistry } from "../../../src/streaming/registry.ts";
import { eventually } from "../../support/eventually.ts";

const ignore = (): void => undefined;

/** A session that ends when it is told to, or `over()` says so. */
function session() {
  const told: unknown[] = [];
  let over = ignore;
  const ended = new Promise<void>((resolve) => {
    over = resolve;
  });
  const traffic = { received: 0, sent: 0 };
  const bridged: Bridged = { end: (...how) => void told.push(how), ended, traffic };
  return { bridged, told, over };
}

const isError = (code: string) => (error: unknown) => error instanceof GatewayError && error.code === code;

test("reserve() counts at once and refuses over the cap", () => {
  const registry = createSessionRegistry({ most: 2 });
  const first = registry.reserve(ignore);
  registry.reserve(ignore);
  assert.equal(registry.count, 2);
  assert.throws(() => registry.reserve(ignore), isError("too_many_sessions"));
  first.release();
  assert.equal(registry.count, 1);
  registry.reserve(ignore);
});

test("reserve() takes as many places as a session needs, or none, and says how many are free", () => {
  const registry = createSessionRegistry({ most: 5 });
  const wide = registry.reserve(ignore, { places: 3 });
  assert.throws(
    () => registry.reserve(ignore, { places: 3 }),
    (error: Error) =>
      isError("too_many_sessions")(error) && /2 of 5 places.* 3 are needed/.test(error.message),
  );
  assert.equal(registry.count, 1, "sessions are counted, not places");
  registry.reserve(ignore, { places: 2 });
  assert.throws(() => registry.reserve(ignore), isError("too_many_sessions"));
  for (let left = 2; left > 0; left--) wide.release();
  registry.reserve(ignore, { places: 3 });
  assert.throws(() => registry.reserve(ignore), isError("too_many_sessions"));
});

test("release() gives one place back, however often it is called", () => {
  const registry = createSessionRegistry({ most: 5 });
  const place = registry.reserve(ignore);
  registry.reserve(ignore);
  for (let left = 3; left > 0; left--) place.release();
  assert.equal(registry.count, 1);
});

test("a held session gives its place back when it has ended, and not before", async () => {
  const registry = createSessionRegistry({ most: 1 });
  const { bridged, over } = session();
  const place = registry.reserve(ignore);
  place.hold(bridged);
  assert.equal(registry.count, 1);
  over();
  await eventually(() => registry.count === 0);
  place.release();
  assert.equal(registry.count, 0);
});

test("close() ends all sessions with its code, takes no more, and waits until they are gone", async () => {
  const registry = createSessionRegistry({ most: 5 });
  const sessions = [session(), session()];
  for (const { bridged } of sessions) registry.reserve(ignore).hold(bridged);
  let isClosed = false;
  const closed = registry.close(1001, "going").then(() => {
    isClosed = true;
  });
  for (const { told } of sessions) assert.deepEqual(told, [[1001, "going", 1000]]);
  assert.throws(() => registry.reserve(ignore), isError("shutting_down"));
  sessions[0]?.over();
  await eventually(() => registry.count === 1);
  assert.equal(isClosed, false);
  sessions[1]?.over();
  await closed;
  assert.equal(registry.count, 0);
});

test("close() gives up what is being prepared, and ends what stands a moment later", async () => {
  const registry = createSessionRegistry({ most: 5 });
  const reasons: unknown[] = [];
  const place = registry.reserve((why) => reasons.push(why));
  const released = registry.reserve(() => assert.fail("this place was given back"));
  released.release();
  await registry.close(1001, "going");
  assert.equal(reasons.length, 1);
  assert.ok(isError("shutting_down")(reasons[0]));
  const { bridged, told, over } = session();
  place.hold(bridged);
  assert.deepEqual(told, [[1001, "going", 1000]]);
  over();
  await eventually(() => registry.count === 0);
});

test("close() of an empty registry settles", async () => {
  await createSessionRegistry({ most: 1 }).close(1001, "");
});

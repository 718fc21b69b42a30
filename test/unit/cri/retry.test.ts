/** How long a runtime that is away is waited for, and by whom. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Metadata, type ServiceError, status } from "@grpc/grpc-js";
import { type Attempt, createRetry } from "../../../src/cri/retry.ts";

const waitMs = 5000;

function failure(code: status, details: string): ServiceError {
  return Object.assign(new Error(details), { code, details, metadata: new Metadata() });
}

const unsent: Attempt = {
  failure: failure(status.UNAVAILABLE, "No connection established. Last error: connect ENOENT"),
  ...{ attempt: 1, repeatable: false, connected: false },
};
const dropped: Attempt = { ...unsent, failure: failure(status.UNAVAILABLE, "Connection dropped") };
const said: Attempt = { ...unsent, failure: failure(status.UNAVAILABLE, "not now"), connected: true };
/** What containerd says while it starts: 1.x, 2.x, and before it has registered its services. */
const starting = [
  failure(status.UNKNOWN, "server is not initialized yet"),
  failure(status.UNAVAILABLE, "server is not initialized yet: unavailable"),
  failure(status.UNIMPLEMENTED, "unknown service runtime.v1.RuntimeService"),
].map((one): Attempt => ({ ...unsent, failure: one, connected: true }));

/** An outage by a clock of its own. */
function clocked() {
  const clock = { ms: 0 };
  return { clock, outage: createRetry(waitMs, () => clock.ms) };
}

test("what the runtime has not begun with is tried again, whatever it does", () => {
  for (const attempt of [unsent, ...starting]) {
    const { outage } = clocked();
    for (const count of [1, 2, 30]) {
      const pause = outage.nextDelayMs({ ...attempt, attempt: count });
      assert.ok(pause !== undefined && pause >= 100 && pause <= 200, `${pause}`);
    }
  }
});

test("what the runtime may have begun with is tried again only where it may be done twice", () => {
  const { outage } = clocked();
  for (const attempt of [dropped, said]) {
    assert.equal(outage.nextDelayMs(attempt), undefined);
    assert.ok(outage.nextDelayMs({ ...attempt, repeatable: true }) !== undefined);
  }
});

test("a runtime that is there and unavailable is asked three times", () => {
  const { outage } = clocked();
  const again = [1, 2, 3].map((attempt) => outage.nextDelayMs({ ...said, repeatable: true, attempt }));
  assert.deepEqual(
    again.map((pause) => pause !== undefined),
    [true, true, false],
  );
});

test("an outage is waited for from its beginning, not by each call", () => {
  const { clock, outage } = clocked();
  assert.ok(outage.nextDelayMs(unsent));
  clock.ms = waitMs - 300;
  assert.ok(outage.nextDelayMs(unsent));
  clock.ms = waitMs;
  assert.equal(outage.nextDelayMs(unsent), undefined);
  clock.ms = 10 * waitMs;
  assert.equal(outage.nextDelayMs({ ...dropped, repeatable: true }), undefined);
});

test("an answer ends an outage, and so does any word of the runtime but that it is starting", () => {
  for (const word of [said, { ...said, failure: failure(status.NOT_FOUND, "no such pod") }, undefined]) {
    const { clock, outage } = clocked();
    outage.nextDelayMs(unsent);
    clock.ms = 10 * waitMs;
    for (const attempt of starting) assert.equal(outage.nextDelayMs(attempt), undefined);
    if (word === undefined) outage.end();
    else outage.nextDelayMs(word);
    assert.ok(outage.nextDelayMs(unsent), "the next one is waited for again");
  }
});

test("what failed for another reason is not tried again", () => {
  const { outage } = clocked();
  for (const code of [status.UNKNOWN, status.INTERNAL, status.NOT_FOUND, status.DEADLINE_EXCEEDED]) {
    for (const connected of [true, false])
      assert.equal(
        outage.nextDelayMs({ ...unsent, failure: failure(code, "no"), repeatable: true, connected }),
        undefined,
      );
  }
});

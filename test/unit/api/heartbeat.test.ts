import assert from "node:assert/strict";
import { test } from "node:test";
import { heartbeatMs, withHeartbeat } from "../../../src/api/heartbeat.ts";

test("withHeartbeat() puts a sign of life where no item comes, and loses none", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  let release = (): void => undefined;
  const gate = new Promise<void>((resolve) => {
    release = resolve;
  });
  let isClosed = false;
  async function* items(): AsyncGenerator<string> {
    try {
      yield "first";
      await gate;
      yield "second";
    } finally {
      isClosed = true;
    }
  }
  const beating = withHeartbeat(items(), "beat");
  assert.equal((await beating.next()).value, "first");
  for (let beats = 0; beats < 2; beats++) {
    const next = beating.next();
    await new Promise((resolve) => setImmediate(resolve));
    t.mock.timers.tick(heartbeatMs);
    assert.equal((await next).value, "beat");
  }
  release();
  assert.equal((await beating.next()).value, "second");
  assert.equal((await beating.next()).done, true);
  assert.equal(isClosed, true);
});

test("withHeartbeat() ends the source when its reader stops", async () => {
  let isClosed = false;
  async function* items(): AsyncGenerator<string> {
    try {
      for (;;) yield "item";
    } finally {
      isClosed = true;
    }
  }
  for await (const _ of withHeartbeat(items(), "beat")) break;
  assert.equal(isClosed, true);
});

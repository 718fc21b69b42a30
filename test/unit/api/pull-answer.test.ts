/** Who sees which pulls. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Caller } from "../../../src/access/authorize.ts";
import type { Gateway } from "../../../src/api/gateway.ts";
import { visiblePull, visiblePulls } from "../../../src/api/pull-answer.ts";
import { GatewayError } from "../../../src/errors.ts";
import { createPullRegistry } from "../../../src/pulls/pull-registry.ts";
import { stubRuntime } from "../cri/stub-runtime.ts";

const all: Caller = { name: "all", grants: { all: true, allow: {}, deny: {} } };
const narrowed: Caller = { name: "few", grants: { all: false, allow: { pull: ["quay.io/team"] }, deny: {} } };
const denied: Caller = { name: "not", grants: { all: true, allow: {}, deny: { pull: ["docker.io"] } } };

test("visiblePulls() and visiblePull() show a caller the pulls of what it may pull itself", () => {
  const pulls = createPullRegistry({
    runtime: { ...stubRuntime({}), call: () => new Promise(() => undefined) },
  });
  const ids = ["docker.io/library/busybox:1", "quay.io/team/app:1"].map(
    (reference) =>
      pulls.join({
        message: { image: { image: reference } },
        wire: Buffer.alloc(0),
        caller: "token",
        reference,
        isUnambiguous: true,
        detach: false,
        deadlineMs: 1000,
      }).pull.id,
  );
  const gateway = { pulls } as Gateway;
  const [busybox = "", app = ""] = ids;
  const idsFor = (caller: Caller) => visiblePulls(gateway, caller).map(({ id }) => id);
  assert.deepEqual(idsFor(all), [app, busybox]);
  assert.deepEqual(idsFor(narrowed), [app]);
  assert.deepEqual(idsFor(denied), [app]);
  assert.equal(visiblePull(gateway, narrowed, app).id, app);
  for (const [caller, id] of [
    [narrowed, busybox],
    [denied, busybox],
    [all, "no-such-pull"],
  ] as const)
    assert.throws(
      () => visiblePull(gateway, caller, id),
      (error) => error instanceof GatewayError && error.code === "not_found",
    );
});

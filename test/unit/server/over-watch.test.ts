import assert from "node:assert/strict";
import { test } from "node:test";
import { createOverWatch } from "../../../src/server/over-watch.ts";
import { eventually } from "../../support/eventually.ts";

test("a caller that may not go on is told once why, and others are not", async () => {
  const overWatch = createOverWatch();
  const told: string[] = [];
  let why: string | undefined;
  overWatch.watch(
    () => why,
    (reason) => told.push(`a ${reason}`),
  );
  overWatch.watch(
    () => undefined,
    (reason) => told.push(`b ${reason}`),
  );
  overWatch.watch(undefined, (reason) => told.push(`c ${reason}`));
  const stop = overWatch.watch(
    () => why,
    (reason) => told.push(`d ${reason}`),
  );
  stop();
  why = "revoked";
  await eventually(() => told.length > 0);
  let looks = 0;
  overWatch.watch(
    () => {
      looks++;
      return undefined;
    },
    () => undefined,
  );
  await eventually(() => looks > 1);
  assert.deepEqual(told, ["a revoked"]);
});

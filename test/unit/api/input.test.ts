import assert from "node:assert/strict";
import { test } from "node:test";
import { inputOf } from "../../../src/api/input.ts";
import { entryOf } from "../../../src/routes/index.ts";

test("inputOf() has the types of the route's path and parameters", () => {
  const bound = { message: {}, gatewayParams: {}, given: [], unknown: undefined };
  const wait = inputOf("waitContainer", {
    ...bound,
    message: { containerId: "ab" },
    gatewayParams: { timeout: 5 },
  });
  const containerId: string = wait.containerId;
  const timeout: number = wait.timeout;
  const removal = inputOf("removeImage", {
    ...bound,
    message: { image: { image: "nginx" } },
    gatewayParams: { dryRun: true },
  });
  const image: string = removal.image.image;
  const dryRun: boolean = removal.dryRun;
  // @ts-expect-error no such parameter
  const none = wait.dryRun;
  // @ts-expect-error no such path parameter
  const other = removal.containerId;
  assert.deepEqual(
    [containerId, timeout, image, dryRun, none, other],
    ["ab", 5, "nginx", true, undefined, undefined],
  );
});

test("a table about routes has no entry for a route that does not exist", () => {
  assert.equal(entryOf({ waitContainer: 1 }, "waitContainer"), 1);
  assert.equal(entryOf({ waitContainer: 1 }, "toString"), undefined);
  // @ts-expect-error the id is misspelt
  assert.equal(entryOf({ waitContiner: 1 }, "waitContainer"), undefined);
});

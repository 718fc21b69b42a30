import assert from "node:assert/strict";
import { test } from "node:test";
import { RuntimeRequest } from "../../../src/api/runtime-request.ts";
import { decodeRequest, encodeRequest } from "../../../src/cri/codec.ts";

const rpc = "RuntimeService/StopContainer";
const wire = encodeRequest(rpc, { containerId: "c1", timeout: "10" });

test("RuntimeRequest sends the bytes of a request that nobody changed as they are", () => {
  const request = new RuntimeRequest(rpc, wire);
  assert.equal(request.wire, wire);
  assert.deepEqual(request.message, { containerId: "c1", timeout: "10" });
  assert.equal(request.wire, wire);
});

test("RuntimeRequest encodes a changed request once", () => {
  const request = new RuntimeRequest(rpc, wire);
  request.message = { ...request.message, containerId: "c2" };
  const changed = request.wire;
  assert.equal(request.wire, changed);
  assert.deepEqual(decodeRequest(rpc, changed), { containerId: "c2", timeout: "10" });
});

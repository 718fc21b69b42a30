/** Go's zero time, which cri-dockerd writes where other runtimes leave a time out. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeReply, encodeReply, readLenient, writeReply } from "../../../src/cri/codec.ts";
import { withoutZeroTimes } from "../../../src/cri/zero-time.ts";
import type { Methods } from "../../../src/gen/methods.ts";
import { createBufferPool } from "../../../src/wire/buffer-pool.ts";

const rpc = "RuntimeService/ContainerStatus";
const zero = "-6795364578871345152";

function replyOf(status: object): Buffer {
  return encodeReply(
    rpc,
    readLenient("ContainerStatusResponse", { status }) as Methods[typeof rpc]["response"],
  );
}

test("both times are 0, decoded and written", () => {
  const status = { createdAt: "5", startedAt: zero, finishedAt: zero, labels: { a: "b" } };
  const decoded = decodeReply(rpc, replyOf(status)).status;
  assert.equal(decoded?.startedAt, "0");
  assert.equal(decoded?.finishedAt, "0");
  assert.equal(decoded?.createdAt, "5");
  const { bytes, release } = writeReply(rpc, replyOf(status), createBufferPool());
  assert.match(bytes.toString(), /"createdAt":"5","startedAt":"0","finishedAt":"0"/);
  release();
});

test("one of them alone, and real times, stay apart", () => {
  const times = { startedAt: "1795453639524523756", finishedAt: zero };
  const decoded = decodeReply(rpc, replyOf(times)).status;
  assert.equal(decoded?.startedAt, times.startedAt);
  assert.equal(decoded?.finishedAt, "0");
});

test("other numbers and other fields are not touched", () => {
  for (const near of ["-6795364578871345151", "-6795364578871345153", "-1", "9223372036854775807"]) {
    assert.equal(decodeReply(rpc, replyOf({ startedAt: near })).status?.startedAt, near);
  }
  // The same number as the time of creation has another tag.
  assert.equal(decodeReply(rpc, replyOf({ createdAt: zero })).status?.createdAt, zero);
});

test("other replies are not searched", () => {
  const wire = Buffer.from("288080e8e8b3fd80d9a101", "hex");
  assert.equal(withoutZeroTimes("RuntimeService/PodSandboxStatus", wire), wire);
  assert.equal(wire.toString("hex"), "288080e8e8b3fd80d9a101");
});

test("no text can hold the bytes of such a time", () => {
  const time = Buffer.from("288080e8e8b3fd80d9a101", "hex");
  assert.throws(() => new TextDecoder("utf-8", { fatal: true }).decode(time));
  for (let before = 0; before < 0x80; before++) {
    const text = Buffer.concat([Buffer.from([before]), time.subarray(1)]);
    assert.throws(() => new TextDecoder("utf-8", { fatal: true }).decode(text));
  }
});

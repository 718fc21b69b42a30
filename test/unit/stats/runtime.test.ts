/** Reading the stats of pods in turn, where a runtime dies of two readings at once. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { status } from "@grpc/grpc-js";
import type { CallOptions, Runtime } from "../../../src/cri/channel.ts";
import { encodeRequest } from "../../../src/cri/codec.ts";
import { withStats } from "../../../src/stats/runtime.ts";
import { type StubAnswers, serviceError, stubRuntime } from "../cri/stub-runtime.ts";

const deadlineMs = 60_000;
const containerd: StubAnswers = {
  "RuntimeService/Version": () => ({ runtimeName: "containerd", runtimeVersion: "1.6.20" }),
};

/** A runtime with stats that takes its time, and the deadlines that it was given for those of pods. */
function bench(answers: StubAnswers): { readonly runtime: Runtime; readonly deadlines: readonly number[] } {
  const stub = stubRuntime({ ...containerd, ...answers });
  const deadlines: number[] = [];
  const slow: Runtime = {
    ...stub,
    async call(rpc, request, options: CallOptions = {}) {
      if (rpc !== "RuntimeService/Version") deadlines.push(options.deadlineMs ?? Number.NaN);
      await sleep(2);
      return await stub.call(rpc, request, options);
    },
  };
  return { runtime: withStats(slow), deadlines };
}

/** Whether each deadline is nearer than the one before: all of them are one moment. */
function shrinks(deadlines: readonly number[]): boolean {
  return deadlines.every((ms, index) => ms < (deadlines[index - 1] ?? deadlineMs + 1));
}

test("the time that a reading waits for others counts", async () => {
  const { runtime, deadlines } = bench({ "RuntimeService/PodSandboxStats": () => ({}) });
  const request = encodeRequest("RuntimeService/PodSandboxStats", { podSandboxId: "a" });
  await Promise.all(
    Array.from({ length: 5 }, () => runtime.call("RuntimeService/PodSandboxStats", request, { deadlineMs })),
  );
  assert.equal(deadlines.length, 5);
  assert.ok(shrinks(deadlines), `${deadlines}`);
});

test("a list that is read pod by pod has one deadline", async () => {
  const ids = ["a", "b", "c"];
  const { runtime, deadlines } = bench({
    "RuntimeService/ListPodSandboxStats": () => serviceError(status.UNKNOWN, "cgroupPath is empty"),
    "RuntimeService/ListPodSandbox": () => ({ items: ids.map((id) => ({ id, state: "SANDBOX_READY" })) }),
    "RuntimeService/PodSandboxStats": () => ({ stats: { attributes: { id: "a" } } }),
  });
  await runtime.call("RuntimeService/ListPodSandboxStats", new Uint8Array(), { deadlineMs });
  assert.equal(deadlines.length, 5);
  assert.ok(shrinks(deadlines), `${deadlines}`);
});

test("a pod whose stats do not come in time ends the list", async () => {
  const { runtime } = bench({
    "RuntimeService/ListPodSandboxStats": () => serviceError(status.UNKNOWN, "cgroupPath is empty"),
    "RuntimeService/ListPodSandbox": () => ({ items: [{ id: "a", state: "SANDBOX_READY" }] }),
    "RuntimeService/PodSandboxStats": () => serviceError(status.DEADLINE_EXCEEDED, "Deadline exceeded"),
  });
  const list = runtime.call("RuntimeService/ListPodSandboxStats", new Uint8Array(), { deadlineMs });
  await assert.rejects(list, { code: "deadline_exceeded" });
});

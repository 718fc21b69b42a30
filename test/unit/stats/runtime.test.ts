/** Reading the stats of pods in turn, where a runtime dies of two readings at once or fails at one of them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { status } from "@grpc/grpc-js";
import type { CallOptions, FailedMember, Runtime } from "../../../src/cri/channel.ts";
import { decodeReply, encodeRequest } from "../../../src/cri/codec.ts";
import { GatewayError } from "../../../src/errors.ts";
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
  const rpc = "RuntimeService/PodSandboxStats";
  const request = encodeRequest(rpc, { podSandboxId: "a" });
  await Promise.all(Array.from({ length: 5 }, () => runtime.call(rpc, request, { deadlineMs })));
  assert.equal(deadlines.length, 5);
  assert.ok((deadlines[4] ?? 0) < (deadlines[0] ?? 0), `${deadlines}`);
});

const podStats = "RuntimeService/ListPodSandboxStats";

/** A list of the stats of these ready pods, which the runtime fails to give as a whole. */
function listOf(ids: readonly string[], answers: StubAnswers) {
  const { runtime, deadlines } = bench({
    [podStats]: () => serviceError(status.UNKNOWN, "cgroup deleted"),
    "RuntimeService/ListPodSandbox": () => ({ items: ids.map((id) => ({ id, state: "SANDBOX_READY" })) }),
    ...answers,
  });
  const failed: FailedMember[] = [];
  const onFailedMember = (member: FailedMember): void => void failed.push(member);
  const list = async (limitMs = deadlineMs) => {
    const wire = await runtime.call(podStats, new Uint8Array(), { deadlineMs: limitMs, onFailedMember });
    return decodeReply(podStats, wire).stats.map(({ attributes }) => attributes?.id);
  };
  return { list, deadlines, failed };
}

const statsOf = ({ podSandboxId }: { readonly podSandboxId: string }) => ({
  stats: { attributes: { id: podSandboxId } },
});

test("a list that is read pod by pod has one deadline, and no pod takes all of it", async () => {
  const { list, deadlines } = listOf(["a", "b", "c"], { "RuntimeService/PodSandboxStats": statsOf });
  assert.deepEqual((await list()).sort(), ["a", "b", "c"]);
  assert.equal(deadlines.length, 5);
  assert.ok(shrinks(deadlines.slice(0, 2)), `${deadlines}`);
  for (const ms of deadlines.slice(2)) assert.ok(ms <= 5000, `${deadlines}`);
});

test("a pod that fails, or does not answer in time, is named and the others are there", async () => {
  const { list, failed } = listOf(["a", "b", "c", "gone"], {
    "RuntimeService/PodSandboxStats": (request) => {
      if (request.podSandboxId === "a") return serviceError(status.UNKNOWN, "cgroup deleted");
      if (request.podSandboxId === "b") return serviceError(status.DEADLINE_EXCEEDED, "Deadline exceeded");
      if (request.podSandboxId === "gone") return serviceError(status.NOT_FOUND, "not found");
      return statsOf(request);
    },
  });
  assert.deepEqual(await list(), ["c"]);
  assert.deepEqual(
    failed.sort((one, other) => (one.id < other.id ? -1 : 1)),
    [
      { id: "a", code: "runtime_error", detail: "PodSandboxStats failed: cgroup deleted" },
      { id: "b", code: "deadline_exceeded", detail: "PodSandboxStats failed: Deadline exceeded" },
    ],
  );
});

test("a list whose own time is over ends", async () => {
  const { list } = listOf(["a"], {
    "RuntimeService/PodSandboxStats": async () => {
      await sleep(60);
      return serviceError(status.DEADLINE_EXCEEDED, "Deadline exceeded");
    },
  });
  await assert.rejects(list(50), { code: "deadline_exceeded" });
});

test("a list ends when the runtime goes, or its reader leaves", async () => {
  for (const code of [status.UNAVAILABLE, status.UNIMPLEMENTED] as const) {
    const { list } = listOf([], { [podStats]: () => serviceError(code, "no") });
    await assert.rejects(list(), GatewayError);
  }
  const { list, failed } = listOf(["a", "b"], {
    "RuntimeService/PodSandboxStats": () => serviceError(status.UNAVAILABLE, "Connection dropped"),
  });
  await assert.rejects(list(), { code: "runtime_unavailable" });
  assert.deepEqual(failed, []);
});

test("what fails when the members cannot be listed either is the list of stats", async () => {
  const { list } = listOf([], {
    "RuntimeService/ListPodSandbox": () => serviceError(status.UNKNOWN, "no pods either"),
  });
  await assert.rejects(list(), /ListPodSandboxStats failed: cgroup deleted/);
});

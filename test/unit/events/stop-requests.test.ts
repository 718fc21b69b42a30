import assert from "node:assert/strict";
import { mock, type TestContext, test } from "node:test";
import type { Runtime } from "../../../src/cri/channel.ts";
import { encodeRequest, type Input } from "../../../src/cri/codec.ts";
import { createStopRequests, type StopRequests } from "../../../src/events/stop-requests.ts";
import type { Methods, Rpc } from "../../../src/gen/methods.ts";

/** A runtime that answers when the test says so, and a clock that stands at 1,000 s. */
function start(t: Pick<TestContext, "after">) {
  mock.timers.enable({ apis: ["Date"], now: 1_000_000 });
  t.after(() => mock.timers.reset());
  const answers: ((error?: Error) => void)[] = [];
  const call = (): Promise<Buffer> =>
    new Promise((resolve, reject) => {
      answers.push((error) => (error ? reject(error) : resolve(Buffer.alloc(0))));
    });
  const stops = createStopRequests();
  const runtime = stops.intercept({ call } as unknown as Runtime);
  const ask = <R extends Rpc>(rpc: R, request: Input<Methods[R]["request"]>, graceSeconds?: number) =>
    runtime.call(rpc, encodeRequest(rpc, request), graceSeconds === undefined ? {} : { graceSeconds });
  return { stops, ask, answers };
}

const endOf = (stops: StopRequests, finishedAtMs: number, containerId = "c") =>
  stops.during({ containerId, podSandboxId: "p", finishedAtMs });

test("a container that ends during a request was stopped by it, and none that ended before or long after", async (t) => {
  const { stops, ask, answers } = start(t);
  const asked = ask("RuntimeService/StopContainer", { containerId: "c", timeout: "10" });
  assert.equal(endOf(stops, 999_999), undefined);
  assert.deepEqual(
    [endOf(stops, 1_000_000)?.graceSeconds, endOf(stops, 1_000_000)?.subject],
    [10, "container"],
  );
  assert.equal(endOf(stops, 1_005_000, "other"), undefined);
  mock.timers.setTime(1_003_000);
  answers[0]?.();
  await asked;
  // Its caller may have left, and CRI-O goes on.
  assert.ok(endOf(stops, 1_010_500));
  assert.equal(endOf(stops, 1_013_000), undefined);
});

test("a stop or a removal of the pod counts for its containers, and the latest request counts", async (t) => {
  const { stops, ask, answers } = start(t);
  const first = ask("RuntimeService/StopPodSandbox", { podSandboxId: "p" }, 5);
  const second = ask("RuntimeService/RemovePodSandbox", { podSandboxId: "p" });
  const found = endOf(stops, 1_000_100);
  assert.deepEqual([found?.subject, found?.removes, found?.graceSeconds], ["pod", true, 0]);
  mock.timers.setTime(1_000_200);
  answers[1]?.(new Error("it failed"));
  await assert.rejects(second);
  assert.deepEqual([endOf(stops, 1_004_000)?.removes, endOf(stops, 1_004_000)?.graceSeconds], [false, 5]);
  answers[0]?.();
  await first;
});

test("other calls are no requests to stop", async (t) => {
  const { stops, ask, answers } = start(t);
  const asked = ask("RuntimeService/StartContainer", { containerId: "c" });
  answers[0]?.();
  await asked;
  assert.equal(endOf(stops, 1_000_000), undefined);
});

test("memory is bounded: the oldest requests are forgotten", async (t) => {
  const { stops, ask, answers } = start(t);
  const asked = Array.from({ length: 10_001 }, (_, number) =>
    ask("RuntimeService/StopContainer", { containerId: `c${number}` }),
  );
  for (const answer of answers) answer();
  await Promise.all(asked);
  assert.equal(endOf(stops, 1_000_000, "c0"), undefined);
  assert.ok(endOf(stops, 1_000_000, "c10000"));
});

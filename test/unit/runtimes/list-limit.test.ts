import assert from "node:assert/strict";
import { test } from "node:test";
import { CallCancelled, type CallOptions, type Runtime } from "../../../src/cri/channel.ts";
import { GatewayError } from "../../../src/errors.ts";
import type { Rpc } from "../../../src/gen/methods.ts";
import { limitLists } from "../../../src/runtimes/list-limit.ts";
import { stubRuntime } from "../cri/stub-runtime.ts";

const list: Rpc = "RuntimeService/ListContainers";
const streamed: Rpc = "RuntimeService/StreamContainers";
const nothing = Buffer.alloc(0);
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A call under way, in the hands of the test. */
interface Call {
  readonly rpc: Rpc;
  readonly options: CallOptions;
  cancelled: boolean;
  /** Settles a call, or sends a message of a stream. */
  answer(): void;
  fail(error: Error): void;
}

function createWorld(limit: number): { readonly runtime: Runtime; readonly calls: Call[] } {
  const calls: Call[] = [];
  function begin(rpc: Rpc, options: CallOptions = {}): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      const call: Call = {
        ...{ rpc, options, cancelled: false },
        answer: () => resolve(nothing),
        fail: reject,
      };
      calls.push(call);
      options.onCancel?.(() => {
        call.cancelled = true;
        reject(new CallCancelled("cancelled"));
      });
    });
  }
  const runtime: Runtime = {
    ...stubRuntime({}),
    call: (rpc, _request, options) => begin(rpc, options),
    async *stream(rpc, _request, options) {
      yield await begin(rpc, options);
      // As if there were more.
      yield await new Promise<Buffer>(() => undefined);
    },
  };
  return { runtime: limitLists(runtime, limit), calls };
}

test("limitLists() lets so many calls of one list RPC through, and the next when one has ended", async () => {
  const { runtime, calls } = createWorld(2);
  const asked = Array.from({ length: 4 }, () => runtime.call(list, nothing));
  await turn();
  assert.equal(calls.length, 2);
  calls[0]?.answer();
  await asked[0];
  await turn();
  assert.equal(calls.length, 3);
  calls[1]?.fail(new Error("the runtime failed"));
  await assert.rejects(asked[1] ?? Promise.resolve());
  await turn();
  assert.equal(calls.length, 4);
  for (const call of calls) call.answer();
  await Promise.all([asked[2], asked[3]]);
});

test("limitLists() holds up no other list RPC, and nothing that is no list", async () => {
  const { runtime, calls } = createWorld(1);
  void runtime.call(list, nothing);
  void runtime.call("ImageService/ListImages", nothing);
  for (let left = 3; left > 0; left--) void runtime.call("RuntimeService/ContainerStatus", nothing);
  await turn();
  assert.equal(calls.length, 5);
});

test("a call that waits too long for its turn is 504, and takes none", async () => {
  const { runtime, calls } = createWorld(1);
  const first = runtime.call(list, nothing);
  const late = runtime.call(list, nothing, { deadlineMs: 1 });
  await assert.rejects(late, (error) => error instanceof GatewayError && error.code === "deadline_exceeded");
  const third = runtime.call(list, nothing);
  calls[0]?.answer();
  await first;
  await turn();
  assert.equal(calls.length, 2);
  calls[1]?.answer();
  await third;
});

test("what a call has waited is taken off its deadline", async () => {
  const { runtime, calls } = createWorld(1);
  void runtime.call(list, nothing);
  void runtime.call(list, nothing, { deadlineMs: 60_000 });
  await turn();
  calls[0]?.answer();
  await turn();
  const { deadlineMs = 0 } = calls[1]?.options ?? {};
  assert.ok(deadlineMs > 0 && deadlineMs < 60_000, `${deadlineMs}`);
});

test("a call is cancelled while it waits, and while it is under way", async () => {
  const { runtime, calls } = createWorld(1);
  const cancels: (() => void)[] = [];
  const options: CallOptions = { onCancel: (cancel) => void cancels.push(cancel) };
  const asked = Array.from({ length: 3 }, () => runtime.call(list, nothing, options));
  await turn();
  cancels[1]?.();
  await assert.rejects(asked[1] ?? Promise.resolve(), CallCancelled);
  assert.equal(calls.length, 1);
  cancels[0]?.();
  await assert.rejects(asked[0] ?? Promise.resolve(), CallCancelled);
  assert.equal(calls[0]?.cancelled, true);
  await turn();
  assert.equal(calls.length, 2, "the third took the place of the first");
  calls[1]?.answer();
  await asked[2];
});

test("a stream keeps its place until its first message, and not for a reader that takes its time", async () => {
  const { runtime, calls } = createWorld(1);
  const first = runtime.stream(streamed, nothing)[Symbol.asyncIterator]();
  const second = runtime.stream(streamed, nothing)[Symbol.asyncIterator]();
  const messages = [first.next(), second.next()];
  await turn();
  assert.equal(calls.length, 1);
  calls[0]?.answer();
  await messages[0];
  await turn();
  // The reader of the first has not asked for more.
  assert.equal(calls.length, 2);
  calls[1]?.answer();
  await messages[1];
});

const forever = { deadlineMs: Number.POSITIVE_INFINITY };

test("accounts take turns: one with many calls does not delay another", async () => {
  const { runtime, calls } = createWorld(1);
  for (let sent = 0; sent < 50; sent++) void runtime.call(list, nothing, { ...forever, account: "many" });
  await turn();
  void runtime.call(list, nothing, { ...forever, account: "few" });
  void runtime.call(list, nothing, { ...forever, account: "few" });
  void runtime.call(list, nothing, forever);
  await turn();
  for (let ended = 0; ended < 6; ended++) {
    calls[ended]?.answer();
    await turn();
  }
  assert.deepEqual(
    calls.map(({ options }) => options.account),
    ["many", "many", "few", undefined, "many", "few", "many"],
  );
});

test("a cancelled call leaves its place to others of its account, and a deserted account has no turn", async () => {
  const { runtime, calls } = createWorld(1);
  const cancels: (() => void)[] = [];
  const onCancel = (cancel: () => void): void => void cancels.push(cancel);
  const first = runtime.call(list, nothing, { account: "a" });
  await turn();
  const gone = ["b", "a"].map((account) => runtime.call(list, nothing, { account, onCancel }));
  void runtime.call(list, nothing, { ...forever, account: "a" });
  await turn();
  for (const cancel of cancels) cancel();
  for (const one of gone) await assert.rejects(one, CallCancelled);
  calls[0]?.answer();
  await first;
  await turn();
  assert.deepEqual(
    calls.map(({ options }) => options.account),
    ["a", "a"],
  );
});

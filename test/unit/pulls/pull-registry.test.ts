/** Joining, leaving, cancelling, repeating and listing pulls. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { status } from "@grpc/grpc-js";
import { CallCancelled, type Runtime } from "../../../src/cri/channel.ts";
import { encodeReply } from "../../../src/cri/codec.ts";
import { GatewayError } from "../../../src/errors.ts";
import { follow } from "../../../src/pulls/follow.ts";
import {
  createPullRegistry,
  type PullRegistryOptions,
  type PullRequest,
  type Visit,
} from "../../../src/pulls/pull-registry.ts";
import { eventually } from "../../support/eventually.ts";
import { serviceError, stubRuntime } from "../cri/stub-runtime.ts";

const pulled = encodeReply("ImageService/PullImage", { imageRef: "sha256:1" });

interface Call {
  readonly succeed: () => void;
  readonly fail: (error: Error) => void;
  cancelled: boolean;
}

/** A runtime whose pulls end when the test says so. */
function createWorld(options: Partial<PullRegistryOptions> = {}) {
  const calls: Call[] = [];
  const runtime: Runtime = {
    ...stubRuntime({}),
    call: (_rpc, _request, { onCancel } = {}) =>
      new Promise((resolve, reject) => {
        const call: Call = { succeed: () => resolve(pulled), fail: reject, cancelled: false };
        calls.push(call);
        onCancel?.(() => {
          call.cancelled = true;
          reject(new CallCancelled("cancelled"));
        });
      }),
  };
  let nowMs = 0;
  const registry = createPullRegistry({ runtime, retryPauseMs: 0, now: () => nowMs, ...options });
  return {
    calls,
    registry,
    pass(ms: number) {
      nowMs += ms;
    },
    join: (reference = "docker.io/library/busybox:1", more: Partial<PullRequest> = {}): Visit =>
      registry.join({
        message: { image: { image: reference } },
        wire: Buffer.alloc(0),
        caller: "token",
        reference,
        isUnambiguous: true,
        detach: false,
        deadlineMs: 60_000,
        ...more,
      }),
  };
}

const failsWith = (code: string) => (error: unknown) => error instanceof GatewayError && error.code === code;
const interrupted = new GatewayError("pull_interrupted", "context canceled");

/** Lets promises that have settled run their handlers. */
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test("join() makes one call for callers with the same request", async () => {
  const { calls, join, registry } = createWorld();
  const [first, second, other] = [join(), join(), join("docker.io/library/alpine:3")];
  assert.equal(calls.length, 2);
  assert.equal(first.pull.id, second.pull.id);
  assert.notEqual(first.pull.id, other.pull.id);
  assert.equal(first.pull.callers, 2);
  calls[0]?.succeed();
  assert.deepEqual(await Promise.all([first.reply, second.reply]), [pulled, pulled]);
  assert.deepEqual(
    registry.list().map(({ image, progress, callers }) => [image, progress.phase, callers]),
    [
      ["docker.io/library/alpine:3", "pulling", 1],
      ["docker.io/library/busybox:1", "done", 0],
    ],
  );
  calls[1]?.succeed();
  await other.reply;
});

test("join() starts a new pull for other credentials, and once a pull has ended", async () => {
  const { calls, join } = createWorld();
  const first = join();
  const image = { image: "docker.io/library/busybox:1" };
  const withAuth = join(undefined, { message: { image, auth: { username: "u", password: "p" } } });
  assert.notEqual(first.pull.id, withAuth.pull.id);
  for (const call of calls) call.succeed();
  await first.reply;
  assert.notEqual(join().pull.id, first.pull.id);
});

test("join() takes differently written references for one only where they are unambiguous", () => {
  for (const [isUnambiguous, expected] of [
    [true, 1],
    [false, 2],
  ] as const) {
    const { calls, join } = createWorld();
    for (const image of ["busybox", "docker.io/library/busybox:latest"])
      join("docker.io/library/busybox:latest", { message: { image: { image } }, isUnambiguous });
    assert.equal(calls.length, expected);
  }
});

test("leave() ends one caller's wait, and cancels the call with the last", async () => {
  const { calls, join, registry } = createWorld();
  const [first, second] = [join(), join()];
  first.leave();
  await assert.rejects(first.reply, CallCancelled);
  assert.deepEqual([calls[0]?.cancelled, second.pull.callers], [false, 1]);
  first.leave();
  assert.equal(calls[0]?.cancelled, false, "leaving twice is leaving once");
  second.leave();
  assert.equal(calls[0]?.cancelled, true);
  // Whoever comes now must not get the cancelled one.
  assert.notEqual(join().pull.id, second.pull.id);
  await turn();
  assert.equal(registry.find(second.pull.id)?.progress.phase, "cancelled");
});

test("a pull that one caller detached continues without callers", async () => {
  const { calls, join, registry } = createWorld();
  const [first, second] = [join(undefined, { detach: true }), join()];
  first.leave();
  second.leave();
  assert.deepEqual([calls[0]?.cancelled, first.pull.callers, first.pull.detached], [false, 0, true]);
  calls[0]?.succeed();
  await turn();
  assert.equal(registry.find(first.pull.id)?.progress.phase, "done");
});

test("cancel() ends a pull for all its callers, and leaves an ended one as it is", async () => {
  const { calls, join, registry } = createWorld();
  const [first, second] = [join(), join(undefined, { detach: true })];
  registry.cancel(first.pull.id);
  assert.equal(calls[0]?.cancelled, true);
  await assert.rejects(first.reply, failsWith("pull_cancelled"));
  await assert.rejects(second.reply, failsWith("pull_cancelled"));
  assert.equal(calls.length, 1, "a cancelled pull is not repeated");
  const next = join();
  calls[1]?.succeed();
  await next.reply;
  await turn();
  registry.cancel(next.pull.id);
  assert.equal(registry.find(next.pull.id)?.progress.phase, "done");
  registry.cancel("no-such-pull");
});

test("a pull that the runtime interrupted is repeated once", async () => {
  const { calls, join } = createWorld();
  const first = join();
  calls[0]?.fail(interrupted);
  await eventually(() => calls.length === 2);
  calls[1]?.succeed();
  assert.equal(await first.reply, pulled);

  const second = join();
  calls[2]?.fail(interrupted);
  await eventually(() => calls.length === 4);
  calls[3]?.fail(interrupted);
  await assert.rejects(second.reply, failsWith("pull_interrupted"));
  assert.equal(calls.length, 4);
});

test("other failures are not repeated, nor is one after a cancellation", async () => {
  const { calls, join, registry } = createWorld({ retryPauseMs: 60_000 });
  const first = join();
  calls[0]?.fail(new GatewayError("image_not_found", "no such image"));
  await assert.rejects(first.reply, failsWith("image_not_found"));
  const second = join();
  calls[1]?.fail(interrupted);
  await turn();
  registry.cancel(second.pull.id);
  await assert.rejects(second.reply, failsWith("pull_cancelled"));
  assert.equal(calls.length, 2);
});

test("ended pulls are listed up to a number and for a time, the newest first", async () => {
  const { calls, join, registry, pass } = createWorld({ maxEnded: 3, endedMs: 1000 });
  for (let number = 0; number < 5; number++) {
    const { reply } = join(`docker.io/library/app:${number}`);
    calls.at(-1)?.succeed();
    await reply;
    pass(100);
  }
  await turn();
  assert.deepEqual(
    registry.list().map(({ image }) => image.slice(-1)),
    ["4", "3", "2"],
  );
  pass(850);
  assert.deepEqual(
    registry.list().map(({ image }) => image.slice(-1)),
    ["4"],
  );
  pass(1000);
  assert.deepEqual(registry.list(), []);
});

test("join() refuses more pulls than the limit, and joins one in progress all the same", () => {
  const { join } = createWorld({ maxRunning: 2 });
  join("docker.io/library/app:1");
  join("docker.io/library/app:2");
  assert.throws(() => join("docker.io/library/app:3"), failsWith("overloaded"));
  assert.equal(join("docker.io/library/app:2").pull.callers, 2);
});

test("close() cancels all pulls, and refuses new ones", async () => {
  const { calls, join, registry } = createWorld();
  const { reply } = join(undefined, { detach: true });
  registry.close();
  assert.equal(calls[0]?.cancelled, true);
  await assert.rejects(reply, failsWith("shutting_down"));
  assert.throws(() => join(), failsWith("shutting_down"));
});

test("an ended pull keeps neither its request nor secrets in its error", async () => {
  const { calls, join, registry } = createWorld();
  const auth = { username: "reader", password: "open sesame" };
  const message = { image: { image: "docker.io/library/busybox:1" }, auth };
  const { pull, reply } = join(undefined, { message });
  const text = 'cannot parse "open sesame" (cmVhZGVyOm9wZW4gc2VzYW1l)';
  calls[0]?.fail(new GatewayError("runtime_error", text, { cause: serviceError(status.UNKNOWN, text) }));
  await assert.rejects(reply, (error: Error) => !/sesame|cmVhZGVy/.test(`${error.message} ${error.cause}`));
  await turn();
  const ended = registry.find(pull.id);
  assert.ok(ended?.error instanceof GatewayError);
  assert.doesNotMatch(JSON.stringify([ended, ended.error.message]), /sesame|reader|cmVhZGVy/);
});

test("follow() yields at once, then with each change, and a last time at the end", async () => {
  const { calls, join, registry } = createWorld();
  const { pull, reply } = join();
  const phases: string[] = [];
  const reading = (async () => {
    const { signal } = new AbortController();
    for await (const now of follow(pull, { signal, minGapMs: 1, maxGapMs: 1 }))
      phases.push(now.progress.phase);
  })();
  await turn();
  assert.equal(phases[0], "pulling");
  calls[0]?.succeed();
  await reply;
  await reading;
  assert.equal(phases.at(-1), "done");
  assert.equal(registry.list().length, 1);
});

test("follow() ends when the signal aborts", async () => {
  const { join } = createWorld();
  const leaving = new AbortController();
  let items = 0;
  for await (const _ of follow(join().pull, { signal: leaving.signal, minGapMs: 60_000 })) {
    items++;
    setImmediate(() => leaving.abort());
  }
  assert.equal(items, 1);
});

/** The one channel: deadlines, cancellation, retries, endpoints, streams. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { Channel, status } from "@grpc/grpc-js";
import { call } from "../../../src/cri/call.ts";
import {
  CallCancelled,
  type ConnectOptions,
  connect,
  type Runtime,
  socketPath,
} from "../../../src/cri/channel.ts";
import { decodeReply, encodeRequest } from "../../../src/cri/codec.ts";
import { GatewayError } from "../../../src/errors.ts";
import { eventually } from "../../support/eventually.ts";
import {
  createFakeRuntime,
  type FakeRuntime,
  failing,
  GrpcFault,
  hanging,
  held,
  type RpcName,
  sized,
} from "../../support/fake-runtime.ts";

async function bench(
  t: TestContext,
  options: Omit<ConnectOptions, "runtimeEndpoint"> & { recoveryMs?: number } = {},
): Promise<{ fake: FakeRuntime; runtime: Runtime }> {
  const { recoveryMs = 20, ...rest } = options;
  const fake = await createFakeRuntime({ manner: "cri-o", recoveryMs });
  const runtime = connect({ ...rest, runtimeEndpoint: fake.socket });
  t.after(async () => {
    runtime.close();
    await fake.close();
  });
  return { fake, runtime };
}

const nothing = new Uint8Array();

async function failure(promise: Promise<unknown>): Promise<GatewayError> {
  const error = await promise.then(
    () => assert.fail("it should have failed"),
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof GatewayError, String(error));
  return error;
}

test("endpoints are taken in each of their spellings", () => {
  for (const endpoint of ["unix:///run/x.sock", "unix:/run/x.sock", "/run/x.sock"])
    assert.equal(socketPath(endpoint), "/run/x.sock");
});

test("a runtime answers at its endpoint in each spelling", async (t) => {
  const { fake } = await bench(t);
  for (const endpoint of [`unix://${fake.socket}`, `unix:${fake.socket}`, fake.socket]) {
    const runtime = connect({ runtimeEndpoint: endpoint });
    assert.equal(runtime.endpoint, fake.socket);
    assert.equal(runtime.imageEndpoint, fake.socket);
    assert.equal((await call(runtime, "RuntimeService/Version", {})).runtimeName, "cri-o");
    runtime.close();
  }
});

test("images may be elsewhere", async (t) => {
  const { fake } = await bench(t);
  const images = await bench(t);
  const runtime = connect({ runtimeEndpoint: fake.socket, imageEndpoint: images.fake.socket });
  t.after(() => runtime.close());
  await call(runtime, "ImageService/ImageFsInfo", {});
  await call(runtime, "RuntimeService/Version", {});
  assert.deepEqual(
    fake.calls.map(({ rpc }) => rpc),
    ["RuntimeService/Version"],
  );
  assert.deepEqual(
    images.fake.calls.map(({ rpc }) => rpc),
    ["ImageService/ImageFsInfo"],
  );
});

test("a call has its RPC's deadline, the caller's, or that of all calls", async (t) => {
  const { fake, runtime } = await bench(t);
  const leftMs = (): number =>
    (fake.calls.at(-1)?.deadline?.getTime() ?? Number.POSITIVE_INFINITY) - Date.now();
  await runtime.call("RuntimeService/Version", nothing);
  assert.ok(leftMs() > 8000 && leftMs() <= 10_000, `${leftMs()}`);
  await runtime.call("RuntimeService/ListContainers", nothing);
  assert.ok(leftMs() > 28_000 && leftMs() <= 30_000, `${leftMs()}`);
  await runtime.call("RuntimeService/Version", nothing, { deadlineMs: 60_000 });
  assert.ok(leftMs() > 58_000 && leftMs() <= 60_000, `${leftMs()}`);
  await runtime.call("RuntimeService/Version", nothing, { deadlineMs: Number.POSITIVE_INFINITY });
  assert.equal(leftMs(), Number.POSITIVE_INFINITY);
  const short = await bench(t, { deadlineMs: 5000 });
  await short.runtime.call("RuntimeService/ListContainers", nothing, { deadlineMs: 60_000 });
  const last = (short.fake.calls[0]?.deadline?.getTime() ?? 0) - Date.now();
  assert.ok(last > 3000 && last <= 5000, `${last}`);
});

test("a call that takes longer than its deadline is given up on both sides", async (t) => {
  const { fake, runtime } = await bench(t);
  fake.on("RuntimeService/Version", hanging());
  const error = await failure(runtime.call("RuntimeService/Version", nothing, { deadlineMs: 50 }));
  assert.equal(error.code, "deadline_exceeded");
  await eventually(() => fake.calls[0]?.cancelled);
  assert.equal(fake.calls.length, 1, "it is not tried again");
});

test("a cancelled call rejects as such, and is cancelled at the runtime", async (t) => {
  const { fake, runtime } = await bench(t);
  fake.on("RuntimeService/Version", hanging());
  let cancel = (): void => {};
  const call = runtime.call("RuntimeService/Version", nothing, {
    onCancel: (given) => {
      cancel = given;
    },
  });
  await eventually(() => fake.calls.length === 1);
  cancel();
  await assert.rejects(call, CallCancelled);
  await eventually(() => fake.calls[0]?.cancelled);
});

test("a call that is cancelled between two attempts is not made again", async (t) => {
  const { fake, runtime } = await bench(t);
  let cancel = (): void => {};
  fake.on("RuntimeService/Version", (request, call) => {
    // Behind the answer, in the pause before the next attempt.
    setImmediate(() => setImmediate(() => cancel()));
    return failing(status.UNAVAILABLE, "not now")(request, call);
  });
  const call = runtime.call("RuntimeService/Version", nothing, {
    onCancel: (given) => {
      cancel = given;
    },
  });
  await assert.rejects(call, CallCancelled);
  assert.equal(fake.calls.length, 1);
});

/** Times between the calls of an RPC, in milliseconds. */
function pausesOf(fake: FakeRuntime, rpc: RpcName): number[] {
  const times = fake.callsOf(rpc).map(({ at }) => at.getTime());
  return times.slice(1).map((time, index) => time - (times[index] ?? 0));
}

test("reads, and what may be done twice, are tried three times with growing pauses", async (t) => {
  for (const rpc of [
    "RuntimeService/Version",
    "ImageService/ListImages",
    "RuntimeService/StopContainer",
    "RuntimeService/RemovePodSandbox",
  ] as const) {
    const { fake, runtime } = await bench(t);
    fake.on(rpc, failing(status.UNAVAILABLE, "not now"));
    const error = await failure(runtime.call(rpc, nothing));
    assert.equal(error.code, "runtime_unavailable");
    const [first = 0, second = 0] = pausesOf(fake, rpc);
    assert.equal(fake.callsOf(rpc).length, 3);
    assert.ok(first >= 95, `${first}`);
    assert.ok(second >= 195, `${second}`);
  }
});

test("pauses are not the same for everyone", async (t) => {
  const { fake, runtime } = await bench(t);
  fake.on("RuntimeService/Version", failing(status.UNAVAILABLE, "not now"));
  await Promise.all(
    Array.from({ length: 10 }, () => failure(runtime.call("RuntimeService/Version", nothing))),
  );
  const seconds = fake.calls.slice(10, 20).map(({ at }) => at.getTime());
  assert.ok(Math.max(...seconds) - Math.min(...seconds) >= 5, "ten second attempts come at different times");
});

test("no attempt is made that would come behind the deadline", async (t) => {
  const { fake, runtime } = await bench(t);
  fake.on("RuntimeService/Version", failing(status.UNAVAILABLE, "not now"));
  // Shorter than the shortest pause. On a busy machine the one attempt may be late itself.
  await failure(runtime.call("RuntimeService/Version", nothing, { deadlineMs: 90 }));
  assert.ok(fake.calls.length <= 1);
});

test("call() sends a mutation once, and also what failed for another reason", async (t) => {
  const { fake, runtime } = await bench(t);
  for (const [rpc, code] of [
    ["RuntimeService/RunPodSandbox", "outcome_unknown"],
    ["RuntimeService/CreateContainer", "outcome_unknown"],
    ["RuntimeService/StartContainer", "outcome_unknown"],
    ["RuntimeService/ExecSync", "outcome_unknown"],
    // A caller may repeat these.
    ["RuntimeService/UpdateContainerResources", "runtime_unavailable"],
    ["ImageService/PullImage", "runtime_unavailable"],
  ] as const) {
    fake.on(rpc, failing(status.UNAVAILABLE, "not now"));
    assert.equal((await failure(runtime.call(rpc, nothing))).code, code, rpc);
    assert.equal(fake.callsOf(rpc).length, 1, rpc);
  }
  for (const code of [status.UNKNOWN, status.INTERNAL, status.NOT_FOUND, status.DEADLINE_EXCEEDED]) {
    fake.calls.length = 0;
    fake.on("RuntimeService/Version", failing(code, "no"), { once: true });
    await failure(runtime.call("RuntimeService/Version", nothing));
    assert.equal(fake.calls.length, 1, status[code]);
  }
});

test("a read outlives a restart of the runtime", async (t) => {
  const { fake, runtime } = await bench(t);
  fake.on(
    "RuntimeService/Version",
    async () => {
      await fake.restart();
      return {};
    },
    { once: true },
  );
  assert.equal((await call(runtime, "RuntimeService/Version", {})).runtimeName, "cri-o");
});

/** Makes the call when the runtime has gone, and starts the runtime again behind it. */
async function whileAway<T>(
  { fake, runtime }: { readonly fake: FakeRuntime; readonly runtime: Runtime },
  call: () => Promise<T>,
): Promise<T> {
  await fake.stop();
  await new Promise<void>((resolve) => runtime.whenDropped(resolve));
  const result = call();
  result.catch(() => undefined);
  await new Promise((resolve) => setImmediate(resolve));
  await fake.start();
  return await result;
}

test("a call that could not be sent waits for the runtime's return, whatever it does", async (t) => {
  const both = await bench(t);
  const { fake, runtime } = both;
  await runtime.call("RuntimeService/Version", nothing);
  for (const rpc of ["RuntimeService/Version", "RuntimeService/UpdateRuntimeConfig"] as const) {
    fake.calls.length = 0;
    await whileAway(both, () => runtime.call(rpc, nothing));
    assert.equal(fake.callsOf(rpc).length, 1);
  }
  await whileAway(both, async () => {
    for await (const _ of runtime.stream("RuntimeService/StreamContainers", nothing));
  });
});

test("a call that the runtime has not begun with, because it is starting, is made again", async (t) => {
  const { fake, runtime } = await bench(t);
  const rpc = "RuntimeService/UpdateRuntimeConfig";
  let answers = 0;
  fake.on(rpc, (request, call) =>
    answers++ < 5 ? failing(status.UNKNOWN, "server is not initialized yet")(request, call) : call.next(),
  );
  await runtime.call(rpc, nothing);
  assert.equal(answers, 6);
});

test("a call that was sent when the runtime went is not made again where that would do it twice", async (t) => {
  const { fake, runtime } = await bench(t);
  const rpc = "RuntimeService/UpdateRuntimeConfig";
  fake.on(rpc, async () => {
    await fake.restart();
    return {};
  });
  assert.equal((await failure(runtime.call(rpc, nothing))).code, "runtime_unavailable");
  await runtime.call("RuntimeService/Version", nothing);
  assert.equal(fake.callsOf(rpc).length, 1);
});

test("a runtime that is away is told of at once to who asks that, and when it stays away", async (t) => {
  for (const { outageMs, atOnce } of [
    { outageMs: 0, atOnce: false },
    { outageMs: 60_000, atOnce: true },
  ]) {
    const { fake, runtime } = await bench(t, { outageMs });
    await fake.stop();
    const error = await failure(
      runtime.call("RuntimeService/Version", nothing, { atOnce, deadlineMs: 60_000 }),
    );
    assert.equal(error.code, "runtime_unavailable");
    assert.deepEqual(error.headers, { "retry-after": "1" });
  }
});

test("replies may be far over the 4 MiB of grpc-js", async (t) => {
  const { fake, runtime } = await bench(t);
  fake.on("RuntimeService/ListContainers", sized(20 << 20));
  assert.ok((await runtime.call("RuntimeService/ListContainers", nothing)).length >= 20 << 20);
});

test("a reply over the limit of either side is too large", async (t) => {
  const { fake, runtime } = await bench(t);
  fake.on(
    "RuntimeService/ListPodSandbox",
    failing(status.RESOURCE_EXHAUSTED, "grpc: trying to send message larger than max (1 vs. 0)"),
  );
  assert.equal(
    (await failure(runtime.call("RuntimeService/ListPodSandbox", nothing))).code,
    "reply_too_large",
  );
  fake.on("RuntimeService/ListContainers", sized((128 << 20) + 1));
  assert.equal(
    (await failure(runtime.call("RuntimeService/ListContainers", nothing))).code,
    "reply_too_large",
  );
});

test("a stream gives its messages in order and ends", async (t) => {
  const { fake, runtime } = await bench(t);
  const ids = ["a", "b", "c"];
  fake.on("RuntimeService/StreamContainers", () => ids.map((id) => ({ containers: [{ id }] })));
  const came: unknown[] = [];
  for await (const wire of runtime.stream("RuntimeService/StreamContainers", nothing))
    came.push(decodeReply("RuntimeService/StreamContainers", wire).containers[0]?.id);
  assert.deepEqual(came, ids);
});

test("a stream is cancelled by leaving its loop, by its hook, and by its deadline", async (t) => {
  const { fake, runtime } = await bench(t);
  fake.on("RuntimeService/StreamContainers", async function* (_request, { signal }) {
    yield { containers: [] };
    await new Promise((resolve) => signal.addEventListener("abort", resolve));
  });
  const cancelled = () => eventually(() => fake.calls.at(-1)?.cancelled);
  for await (const _ of runtime.stream("RuntimeService/StreamContainers", nothing)) break;
  await cancelled();

  let cancel = (): void => {};
  const hooked = runtime.stream("RuntimeService/StreamContainers", nothing, {
    onCancel: (given) => {
      cancel = given;
    },
  });
  await assert.rejects(async () => {
    for await (const _ of hooked) cancel();
  }, CallCancelled);
  await cancelled();

  const late = runtime.stream("RuntimeService/StreamContainers", nothing, { deadlineMs: 50 });
  const error = await failure(
    (async () => {
      for await (const _ of late);
    })(),
  );
  assert.equal(error.code, "deadline_exceeded");
  assert.equal(fake.calls.length, 3);
});

test("a stream that fails rejects by the table", async (t) => {
  const { fake, runtime } = await bench(t);
  fake.on(
    "RuntimeService/StreamContainers",
    failing(status.UNIMPLEMENTED, "unknown method StreamContainers"),
  );
  const all = async (): Promise<void> => {
    for await (const _ of runtime.stream("RuntimeService/StreamContainers", nothing));
  };
  assert.equal((await failure(all())).code, "not_implemented");
});

test("what the runtime said to an RPC is remembered, and not what went wrong on the way", async (t) => {
  const { fake, runtime } = await bench(t);
  assert.equal(runtime.seen("RuntimeService/Version"), undefined);
  fake.on("RuntimeService/Version", failing(status.UNAVAILABLE, "not now"));
  await failure(runtime.call("RuntimeService/Version", nothing));
  assert.equal(runtime.seen("RuntimeService/Version"), undefined);
  fake.on("RuntimeService/Version", failing(status.UNIMPLEMENTED, "unknown method Version"));
  await failure(runtime.call("RuntimeService/Version", nothing));
  assert.equal(runtime.seen("RuntimeService/Version"), "unimplemented");
  fake.on("RuntimeService/Version", failing(status.UNKNOWN, "no"));
  await failure(runtime.call("RuntimeService/Version", nothing));
  assert.equal(runtime.seen("RuntimeService/Version"), "answered");
});

test("what a runtime said is forgotten with its connection: a newer one may be back", async (t) => {
  const { fake, runtime } = await bench(t);
  const rpcs = ["RuntimeService/RuntimeConfig", "ImageService/ImageFsInfo"] as const;
  for (const rpc of rpcs) {
    fake.on(rpc, failing(status.UNIMPLEMENTED, "unknown method"), { once: true });
    await failure(runtime.call(rpc, nothing));
    assert.equal(runtime.seen(rpc), "unimplemented");
  }
  await fake.restart();
  await eventually(() => rpcs.every((rpc) => runtime.seen(rpc) === undefined));
  for (const rpc of rpcs) {
    await runtime.call(rpc, nothing);
    assert.equal(runtime.seen(rpc), "answered");
  }
});

test("who waits for the end of the connection is told once", async (t) => {
  const { fake, runtime } = await bench(t);
  let told = 0;
  const tell = (): void => {
    told++;
  };
  runtime.whenDropped(tell);
  assert.equal(told, 1, "at once, where there is no connection");
  await runtime.call("RuntimeService/Version", nothing);
  runtime.whenDropped(tell);
  await runtime.call("RuntimeService/Version", nothing);
  assert.equal(told, 1);
  await fake.restart();
  await eventually(() => told === 2);
  await runtime.call("RuntimeService/Version", nothing);
  await fake.restart();
  await runtime.call("RuntimeService/Version", nothing);
  assert.equal(told, 2);
});

test("a request goes out as it was encoded", async (t) => {
  const { fake, runtime } = await bench(t);
  const request = { containerId: "ü", timeout: "9007199254740993" };
  await failure(runtime.call("RuntimeService/ExecSync", encodeRequest("RuntimeService/ExecSync", request)));
  assert.deepEqual(fake.calls[0]?.request, request);
});

test("call() answers outcome_unknown, with a way to look, for a mutation that the runtime died of", async (t) => {
  const { fake, runtime } = await bench(t);
  const gate = held();
  fake.on("RuntimeService/RunPodSandbox", gate.answer);
  const lost = failure(runtime.call("RuntimeService/RunPodSandbox", nothing));
  await gate.arrived;
  await fake.stop();
  const error = await lost;
  assert.equal(error.code, "outcome_unknown");
  assert.match(error.message, /may have been executed.*GET \/v1\/pods/);
  assert.deepEqual(error.headers, {});
  // One that was never sent did nothing.
  assert.equal(
    (await failure(runtime.call("RuntimeService/RunPodSandbox", nothing))).code,
    "runtime_unavailable",
  );
});

test("call() answers deadline_exceeded where the runtime resets the stream at the deadline", async (t) => {
  const { fake, runtime } = await bench(t);
  const deadlineMs = 300;
  const cancelled = (rpc: RpcName, after: number): void => {
    fake.on(rpc, async () => {
      await delay(after);
      throw new GrpcFault(status.CANCELLED, "Call cancelled");
    });
  };
  cancelled("RuntimeService/ListContainerStats", deadlineMs - 50);
  const late = await failure(runtime.call("RuntimeService/ListContainerStats", nothing, { deadlineMs }));
  assert.equal(late.code, "deadline_exceeded");
  cancelled("RuntimeService/ListContainers", 0);
  const early = await failure(runtime.call("RuntimeService/ListContainers", nothing, { deadlineMs: 60_000 }));
  assert.equal(early.code, "runtime_error");
});

test("call() leaves one watcher on a connection, however often it is called", async (t) => {
  const { runtime } = await bench(t);
  let watchers = 0;
  const { watchConnectivityState } = Channel.prototype;
  t.mock.method(
    Channel.prototype,
    "watchConnectivityState",
    function (this: Channel, ...args: WatchArguments) {
      watchers++;
      watchConnectivityState.apply(this, args);
    },
  );
  for (let i = 0; i < 100; i++) await runtime.call("RuntimeService/Version", nothing);
  assert.equal(watchers, 1);
});
type WatchArguments = Parameters<Channel["watchConnectivityState"]>;

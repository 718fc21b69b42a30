import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import http2 from "node:http2";
import { connect } from "node:net";
import { test } from "node:test";
import { Client, credentials, type ServiceError, status } from "@grpc/grpc-js";
import { eventually } from "../support/eventually.ts";
import { fakeBench } from "../support/fake-bench.ts";
import {
  createFakeRuntime,
  failing,
  GrpcFault,
  hanging,
  held,
  type MannerName,
  mannerNames,
  type RpcName,
  sized,
} from "../support/fake-runtime.ts";

const metadata = { name: "web", namespace: "default", uid: "u-1" };

function code(expected: status, details = /^/) {
  return (error: ServiceError) => {
    assert.equal(status[error.code], status[expected], error.message);
    assert.match(error.details, details);
    return true;
  };
}

test("a call is recorded with its request, metadata, deadline and code", async (t) => {
  const { runtime, client } = await fakeBench(t);
  const before = Date.now();
  const options = { timeoutMs: 60_000, metadata: { "x-trace": "abc" } };
  await client.call(
    "RuntimeService/StopContainer",
    { containerId: "00", timeout: "9007199254740993" },
    options,
  );

  const [call] = runtime.calls;
  assert.equal(runtime.calls.length, 1);
  assert.equal(call?.rpc, "RuntimeService/StopContainer");
  assert.deepEqual(call.request, { containerId: "00", timeout: "9007199254740993" });
  assert.deepEqual(call.metadata["x-trace"], ["abc"]);
  assert.equal(call.code, status.OK);
  assert.equal(call.cancelled, false);
  const leftMs = (call.deadline?.getTime() ?? 0) - before;
  assert.ok(leftMs > 50_000 && leftMs < 70_000, `deadline in ${leftMs} ms`);
  assert.deepEqual(runtime.callsOf("RuntimeService/StopContainer"), [call]);
});

test("a call without a deadline is recorded without one", async (t) => {
  const { runtime, client } = await fakeBench(t);
  await client.call("RuntimeService/Version");
  assert.equal(runtime.calls[0]?.deadline, undefined);
});

test("a client's cancellation is observed", async (t) => {
  const { runtime, client } = await fakeBench(t);
  runtime.on("RuntimeService/Version", hanging());
  const cancel = new AbortController();
  const call = client.call("RuntimeService/Version", {}, { signal: cancel.signal });
  const record = await eventually(() => runtime.calls[0]);
  assert.equal(record.cancelled, false);
  cancel.abort();
  await assert.rejects(call, code(status.CANCELLED));
  await eventually(() => record.cancelled);
  assert.equal(record.code, undefined);
});

test("a client's deadline is observed", async (t) => {
  const { runtime, client } = await fakeBench(t);
  runtime.on("RuntimeService/Version", hanging());
  const call = client.call("RuntimeService/Version", {}, { timeoutMs: 100 });
  await assert.rejects(call, code(status.DEADLINE_EXCEEDED));
  await eventually(() => runtime.calls[0]?.cancelled);
});

test("a client that vanishes is observed", async (t) => {
  const { runtime } = await fakeBench(t);
  runtime.on("RuntimeService/Version", hanging());
  const socket = connect(runtime.socket);
  const session = http2.connect("http://localhost", { createConnection: () => socket });
  session.on("error", () => undefined);
  const stream = session.request({
    ...{ ":method": "POST", ":path": "/runtime.v1.RuntimeService/Version" },
    ...{ "content-type": "application/grpc", te: "trailers" },
  });
  stream.on("error", () => undefined);
  stream.end(Buffer.alloc(5));
  const record = await eventually(() => runtime.calls[0]);
  socket.destroy();
  await eventually(() => record.cancelled);
});

test("on() answers with a fixed reply, with a handler's, once, and no more when disposed", async (t) => {
  const { runtime, client } = await fakeBench(t);
  const version = async () => (await client.call("RuntimeService/Version")).runtimeName;
  const dispose = runtime.on("RuntimeService/Version", { runtimeName: "fixed" });
  assert.equal(await version(), "fixed");
  runtime.on("RuntimeService/Version", async () => ({ runtimeName: "once" }), { once: true });
  assert.equal(await version(), "once");
  assert.equal(await version(), "fixed");
  dispose();
  assert.equal(await version(), "containerd");
});

test("on() may change what the fake answers by itself", async (t) => {
  const { runtime, client } = await fakeBench(t);
  runtime.on("RuntimeService/Version", async (request, call) => {
    assert.deepEqual(request, { version: "asked" });
    return { ...(await call.next()), runtimeVersion: "9.9" };
  });
  const answer = await client.call("RuntimeService/Version", { version: "asked" });
  assert.equal(answer.runtimeVersion, "9.9");
  assert.equal(answer.runtimeName, "containerd");
});

test("on() throws faults, and INTERNAL for a mistake of the test", async (t) => {
  const { runtime, client } = await fakeBench(t);
  runtime.on("RuntimeService/Version", failing(status.ABORTED, "not now"));
  await assert.rejects(client.call("RuntimeService/Version"), code(status.ABORTED, /^not now$/));
  runtime.on("RuntimeService/Version", () => {
    throw new GrpcFault(status.UNKNOWN, "");
  });
  await assert.rejects(client.call("RuntimeService/Version"), code(status.UNKNOWN, /^$/));
  runtime.on("RuntimeService/Version", { noSuchField: 1 });
  await assert.rejects(
    client.call("RuntimeService/Version"),
    code(status.INTERNAL, /fake runtime: .*noSuchField/),
  );
});

test("held() keeps calls back until they are released", async (t) => {
  const { runtime, client } = await fakeBench(t);
  const gate = held();
  runtime.on("RuntimeService/Version", gate.answer);
  let answered = false;
  const call = client.call("RuntimeService/Version").then((answer) => {
    answered = true;
    return answer;
  });
  await gate.arrived;
  assert.equal(answered, false);
  gate.release();
  assert.equal((await call).runtimeName, "containerd");
});

test("on() answers with the bytes of a message, of any size", async (t) => {
  const { runtime, client } = await fakeBench(t);
  // Field 2, 3 bytes: "raw".
  runtime.on("RuntimeService/Version", Uint8Array.of(0x12, 3, 0x72, 0x61, 0x77));
  assert.equal((await client.call("RuntimeService/Version")).runtimeName, "raw");

  const message = sized(20 << 20);
  assert.ok(Math.abs(message.length - (20 << 20)) <= 1);
  runtime.on("RuntimeService/Version", message);
  assert.deepEqual(await client.call("RuntimeService/Version"), {});
  const plain = new Client(`unix:${runtime.socket}`, credentials.createInsecure());
  t.after(() => plain.close());
  const same = (bytes: Buffer) => bytes;
  const limited = new Promise((resolve, reject) => {
    const path = "/runtime.v1.RuntimeService/Version";
    plain.makeUnaryRequest(path, same, same, Buffer.alloc(0), (error, reply) =>
      error === null ? resolve(reply) : reject(error),
    );
  });
  await assert.rejects(limited, code(status.RESOURCE_EXHAUSTED));
});

test("on() answers a stream with many messages and an error at its end", async (t) => {
  const { runtime, client } = await fakeBench(t, "containerd-1.6");
  runtime.on("RuntimeService/StreamContainers", [
    { containers: [{ id: "a" }] },
    { containers: [{ id: "b" }] },
  ]);
  const ids: string[] = [];
  const read = async () => {
    for await (const { containers } of client.stream("RuntimeService/StreamContainers")) {
      ids.push(...(containers as { id: string }[]).map(({ id }) => id));
    }
  };
  await read();
  assert.deepEqual(ids, ["a", "b"]);

  runtime.on("RuntimeService/StreamContainers", async function* () {
    yield { containers: [{ id: "c" }] };
    throw new GrpcFault(status.UNAVAILABLE, "gone");
  });
  await assert.rejects(read(), code(status.UNAVAILABLE, /^gone$/));
  assert.deepEqual(ids, ["a", "b", "c"]);
});

test("serve() answers other services on the same socket", async (t) => {
  const { runtime } = await fakeBench(t);
  runtime.serve("/other.v1.Echo/Say", (request) => Buffer.concat([request, request]));
  const client = new Client(`unix:${runtime.socket}`, credentials.createInsecure());
  t.after(() => client.close());
  const same = (bytes: Buffer) => bytes;
  const reply = await new Promise<Buffer | undefined>((resolve, reject) => {
    client.makeUnaryRequest("/other.v1.Echo/Say", same, same, Buffer.from("ab"), (error, bytes) =>
      error === null ? resolve(bytes) : reject(error),
    );
  });
  assert.equal(reply?.toString(), "abab");
});

test("a message of more than the limit is refused, both ways", async (t) => {
  const annotations = { big: "x".repeat(6 << 20) };
  for (const manner of ["containerd-2.1", "cri-o"] as const) {
    const { runtime, client } = await fakeBench(t, manner);
    const huge = { config: { metadata, annotations: { huge: "x".repeat(17 << 20) } } };
    const run = client.call("RuntimeService/RunPodSandbox", huge);
    if (manner === "cri-o") await run;
    else await assert.rejects(run, code(status.RESOURCE_EXHAUSTED, /received message larger than max/));

    for (let count = 0; count < 3; count += 1) runtime.addPod({ annotations });
    const list = client.call("RuntimeService/ListPodSandbox");
    if (manner === "cri-o") assert.equal(((await list).items as unknown[]).length, 4);
    else
      await assert.rejects(list, code(status.RESOURCE_EXHAUSTED, /trying to send message larger than max/));
  }
});

const deadly: { manner: MannerName; rpc: RpcName; request: object }[] = [
  ...(["containerd-1.6", "containerd-1.7", "containerd-2.1"] as const).flatMap((manner) => [
    {
      manner,
      rpc: "RuntimeService/CreateContainer" as const,
      request: { config: { metadata: { name: "c" } } },
    },
    {
      ...{ manner, rpc: "RuntimeService/CreateContainer" as const },
      request: { config: { metadata: { name: "c" } }, sandboxConfig: {} },
    },
  ]),
  ...(
    [
      ["RuntimeService/RunPodSandbox", {}],
      ["RuntimeService/RunPodSandbox", { config: {} }],
      ["RuntimeService/CreateContainer", { config: {}, sandboxConfig: { metadata } }],
      ["RuntimeService/CreateContainer", { config: { metadata: { name: "c" } }, sandboxConfig: {} }],
      ["RuntimeService/UpdateContainerResources", { containerId: "00" }],
      ["RuntimeService/UpdateRuntimeConfig", { runtimeConfig: {} }],
      ["ImageService/ImageStatus", {}],
      ["ImageService/PullImage", {}],
      ["ImageService/RemoveImage", {}],
    ] as const
  ).map(([rpc, request]) => ({ manner: "cri-dockerd" as const, rpc, request })),
];

for (const { manner, rpc, request } of deadly) {
  test(`${rpc} of ${JSON.stringify(request)} kills ${manner}, which comes back with its state`, async (t) => {
    const { runtime, client } = await fakeBench(t, manner, { recoveryMs: 1 });
    const { id } = runtime.addPod();
    const gate = held();
    runtime.on("RuntimeService/Status", gate.answer);
    const bystander = client.call("RuntimeService/Status");
    bystander.catch(() => undefined);
    await gate.arrived;

    const whole = rpc === "RuntimeService/CreateContainer" ? { podSandboxId: id, ...request } : request;
    await assert.rejects(client.call(rpc, whole), code(status.UNAVAILABLE));
    await assert.rejects(bystander, code(status.UNAVAILABLE));
    assert.equal(runtime.crashes.length, 1);
    assert.equal(runtime.crashes[0]?.rpc, rpc);

    await runtime.up();
    await eventually(() => client.call("RuntimeService/Version"));
    const { items } = await client.call("RuntimeService/ListPodSandbox", { filter: { id } });
    assert.equal((items as unknown[]).length, 1);
  });
}

test("none of the deadly requests kills CRI-O", async (t) => {
  const { runtime, client } = await fakeBench(t, "cri-o");
  for (const { rpc, request } of deadly) {
    await client
      .call(rpc, request)
      .catch((error: ServiceError) => assert.notEqual(error.code, status.UNAVAILABLE));
  }
  assert.equal(runtime.crashes.length, 0);
});

test("stop() drops connections and refuses new ones; start() brings it back", async (t) => {
  const { runtime, client } = await fakeBench(t);
  runtime.on("RuntimeService/Status", hanging());
  const waiting = client.call("RuntimeService/Status");
  await eventually(() => runtime.calls.length === 1);
  const dropped = assert.rejects(waiting, code(status.UNAVAILABLE));
  await runtime.stop();
  await dropped;
  assert.equal(existsSync(runtime.socket), false);
  await assert.rejects(client.call("RuntimeService/Version"), code(status.UNAVAILABLE));
  await runtime.start();
  await eventually(() => client.call("RuntimeService/Version"));
});

test("restart() ends CRI-O's event stream with OK, and drops the others", async (t) => {
  for (const manner of ["containerd-1.7", "containerd-2.1", "cri-o"] as const) {
    const { runtime, client } = await fakeBench(t, manner, { recoveryMs: 1 });
    const ended = (async () => {
      for await (const _event of client.stream("RuntimeService/GetContainerEvents"));
    })();
    ended.catch(() => undefined);
    await eventually(() => runtime.calls.length === 1);
    await runtime.restart();
    if (manner === "cri-o") await ended;
    else await assert.rejects(ended, code(status.UNAVAILABLE));
    await eventually(() => client.call("RuntimeService/Version"));
  }
});

test("close() removes the socket and its folder", async () => {
  const runtime = await createFakeRuntime({ manner: "cri-o" });
  assert.ok(existsSync(runtime.socket));
  await runtime.close();
  assert.equal(existsSync(runtime.socket), false);
});

test("an id's unique prefix works, an ambiguous one is told", async (t) => {
  for (const manner of mannerNames) {
    const { runtime, client } = await fakeBench(t, manner);
    runtime.addPod({ id: `abc1${"0".repeat(60)}` });
    runtime.addPod({ id: `abc2${"0".repeat(60)}` });
    const { status: found } = await client.call("RuntimeService/PodSandboxStatus", { podSandboxId: "abc1" });
    assert.equal((found as { id: string }).id, `abc1${"0".repeat(60)}`);
    await assert.rejects(
      client.call("RuntimeService/PodSandboxStatus", { podSandboxId: "abc" }),
      /[Mm]ultiple IDs found with provided prefix: abc/,
    );
  }
});

test("perform() is another client: it has effects and is not recorded", async (t) => {
  const { runtime } = await fakeBench(t);
  await runtime.perform("RuntimeService/RunPodSandbox", { config: { metadata } });
  assert.equal(runtime.pods.size, 1);
  assert.equal(runtime.calls.length, 0);
  await assert.rejects(runtime.perform("RuntimeService/StartContainer", { containerId: "00" }), GrpcFault);
  await assert.rejects(runtime.perform("RuntimeService/StartContainer", { wrong: true }), /wrong/);
});

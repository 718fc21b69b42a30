/** Clients that leave before their answer: the call behind it is cancelled, and nobody calls it a bug. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { type TestContext, test } from "node:test";
import { eventually } from "../support/eventually.ts";
import { type FakeRuntime, hanging, held, type RpcName } from "../support/fake-runtime.ts";
import { type LiveGateway, liveGateway } from "./live-gateway.ts";
import { begin, goodHeaders, requestText } from "./raw-http.ts";

const jsonType = "Content-Type: application/json";

interface Leaving {
  readonly what: string;
  readonly rpc: RpcName;
  /** Makes the call hang, if it does not by itself. */
  readonly hang?: (fake: FakeRuntime) => void;
  readonly request: (gateway: LiveGateway) => string;
}

const hangs = (rpc: RpcName) => (fake: FakeRuntime) => void fake.on(rpc, hanging());

const leavings: readonly Leaving[] = [
  {
    what: "a read",
    rpc: "RuntimeService/Version",
    hang: hangs("RuntimeService/Version"),
    request: (gateway) => requestText(gateway, "GET /v1/version"),
  },
  {
    what: "a status",
    rpc: "RuntimeService/ContainerStatus",
    hang: hangs("RuntimeService/ContainerStatus"),
    request: (gateway) => requestText(gateway, `GET /v1/containers/${"a".repeat(64)}`),
  },
  {
    what: "a list",
    rpc: "RuntimeService/ListContainers",
    hang: hangs("RuntimeService/ListContainers"),
    request: (gateway) => requestText(gateway, "GET /v1/containers"),
  },
  {
    what: "lines, before the first",
    rpc: "RuntimeService/StreamContainers",
    hang: hangs("RuntimeService/StreamContainers"),
    request: (gateway) =>
      requestText(gateway, "GET /v1/containers", { headers: ["Accept: application/x-ndjson"] }),
  },
  {
    what: "a pull",
    rpc: "ImageService/PullImage",
    hang: hangs("ImageService/PullImage"),
    request: (gateway) =>
      requestText(gateway, "POST /v1/images/pull", { headers: [jsonType], body: '{"image":"busybox:1.36"}' }),
  },
  {
    what: "an exec",
    rpc: "RuntimeService/ExecSync",
    request: (gateway) => {
      const { id } = gateway.fake.addContainer();
      return requestText(gateway, `POST /v1/containers/${id}/exec`, {
        headers: [jsonType],
        body: '{"cmd":["sleep","60"]}',
      });
    },
  },
  {
    what: "a removal of an image",
    rpc: "ImageService/RemoveImage",
    hang: hangs("ImageService/RemoveImage"),
    request: (gateway) => requestText(gateway, "DELETE /v1/images/busybox:1.36"),
  },
  {
    what: "what is read before the call",
    rpc: "RuntimeService/ContainerStatus",
    hang: hangs("RuntimeService/ContainerStatus"),
    request: (gateway) => {
      const { id } = gateway.fake.addContainer({ state: "created" });
      return requestText(gateway, `POST /v1/containers/${id}/start`, {});
    },
  },
];

/** Sends a request, waits for its call, leaves in this way, and waits for the end of the call. */
async function leaves(
  gateway: LiveGateway,
  { rpc, hang, request }: Leaving,
  how: "destroy" | "resetAndDestroy",
): Promise<void> {
  hang?.(gateway.fake);
  const socket = await begin(gateway, request(gateway));
  const call = await eventually(() => gateway.fake.callsOf(rpc).at(-1));
  socket[how]();
  await eventually(() => call.cancelled);
}

for (const leaving of leavings) {
  for (const how of ["destroy", "resetAndDestroy"] as const) {
    const word = how === "destroy" ? "closes its connection" : "resets its connection";
    test(`a client that ${word} in the middle of ${leaving.what} cancels the call`, async (t) => {
      const gateway = await liveGateway(t, "cri-o");
      await leaves(gateway, leaving, how);
      assert.deepEqual(gateway.logged, []);
    });
  }
}

async function streaming(t: TestContext): Promise<LiveGateway> {
  const gateway = await liveGateway(t, "cri-o");
  gateway.fake.on("RuntimeService/StreamContainers", async function* (_request, { signal }) {
    yield { containers: [{ id: "a".repeat(64) }] };
    await new Promise((resolve) => signal.addEventListener("abort", resolve));
  });
  return gateway;
}

test("a client that leaves in the middle of lines ends the stream behind them", async (t) => {
  const gateway = await streaming(t);
  const headers = ["Accept: application/x-ndjson"];
  const socket = await begin(gateway, requestText(gateway, "GET /v1/containers", { headers }));
  await new Promise((resolve) => socket.once("data", resolve));
  socket.destroy();
  await eventually(() => gateway.fake.callsOf("RuntimeService/StreamContainers")[0]?.cancelled);
  assert.deepEqual(gateway.logged, []);
});

test("a client that ends its side before its lines begin makes Node warn of nothing", async (t) => {
  const gateway = await liveGateway(t, "cri-o");
  let release = (): void => {};
  gateway.fake.on("RuntimeService/StreamContainers", async function* () {
    await new Promise<void>((resolve) => {
      release = resolve;
    });
    yield { containers: [{ id: "a".repeat(64) }] };
  });
  const warnings: string[] = [];
  const note = ({ message }: Error): void => void warnings.push(message);
  process.on("warning", note);
  t.after(() => process.off("warning", note));
  const headers = ["Accept: application/x-ndjson"];
  const socket = await begin(gateway, requestText(gateway, "GET /v1/containers", { headers }));
  socket.end();
  const [interim] = await once(socket, "data");
  assert.match(String(interim), /^HTTP\/1.1 100 /);
  release();
  await once(socket, "end");
  assert.deepEqual(warnings, []);
});

test("a reader who leaves cancels nobody else's call", async (t) => {
  const gateway = await liveGateway(t);
  let release = (): void => {};
  gateway.fake.on("RuntimeService/Version", async (_request, call) => {
    await new Promise<void>((resolve) => {
      release = resolve;
    });
    return call.next();
  });
  const leaver = await begin(gateway, requestText(gateway, "GET /v1/version"));
  await eventually(() => gateway.fake.callsOf("RuntimeService/Version").length === 1);
  const stayer = gateway.ask("GET /v1/version");
  leaver.destroy();
  await eventually(() => gateway.fake.callsOf("RuntimeService/Version")[0]?.cancelled);
  await eventually(() => gateway.fake.callsOf("RuntimeService/Version").length === 2);
  release();
  assert.equal((await stayer).status, 200);
});

test("a client that leaves in the middle of its body leaves no trace", async (t) => {
  const gateway = await liveGateway(t);
  const head = `POST /v1/pods HTTP/1.1\r\n${goodHeaders(gateway)}${jsonType}\r\nContent-Length: 100\r\n\r\n{`;
  for (const how of ["destroy", "resetAndDestroy"] as const) {
    const socket = await begin(gateway, head);
    await eventually(async () => (await connectionsOf(gateway)) > 0);
    socket[how]();
    await eventually(async () => (await connectionsOf(gateway)) === 0);
  }
  assert.equal(gateway.fake.calls.length, 0);
  assert.deepEqual(gateway.logged, []);
});

test("requests that wait behind another's answer end with their connection", async (t) => {
  const gateway = await liveGateway(t);
  const rpcs = ["RuntimeService/Version", "RuntimeService/RuntimeConfig", "RuntimeService/Status"] as const;
  for (const rpc of rpcs) gateway.fake.on(rpc, hanging());
  const targets = ["GET /v1/version", "GET /v1/runtime/config", "GET /v1/runtime/status"];
  const socket = await begin(gateway, targets.map((target) => requestText(gateway, target)).join(""));
  const calls = await eventually(() => {
    const found = rpcs.flatMap((rpc) => gateway.fake.callsOf(rpc));
    return found.length === rpcs.length && found;
  });
  socket.resetAndDestroy();
  await eventually(() => calls.every(({ cancelled }) => cancelled));
  assert.deepEqual(gateway.logged, []);
  // No answer is under way any more.
  await gateway.app.close(3_600_000);
});

test("a client that leaves behind a handshake that had to wait is noticed", async (t) => {
  const gateway = await liveGateway(t);
  gateway.fake.on("RuntimeService/Version", hanging());
  const { id } = gateway.fake.addContainer();
  const headers = ["Connection: Upgrade", "Upgrade: websocket"];
  const waiting = requestText(gateway, `GET /v1/containers/${id}/exec`, { headers });
  const socket = await begin(gateway, requestText(gateway, "GET /v1/version") + waiting);
  const call = await eventually(() => gateway.fake.callsOf("RuntimeService/Version")[0]);
  socket.destroy();
  await eventually(() => call.cancelled);
});

test("an answer that nobody takes any more gives its memory back", async (t) => {
  const gateway = await liveGateway(t);
  for (let i = 0; i < 200; i++) gateway.fake.addPod({ annotations: { large: "x".repeat(20_000) } });
  for (let i = 0; i < 10; i++) {
    const socket = await begin(gateway, requestText(gateway, "GET /v1/pods"));
    await new Promise((resolve) => socket.once("data", resolve));
    socket.destroy();
  }
  await eventually(async () => (await connectionsOf(gateway)) === 0);
  const answer = await gateway.ask("GET /v1/pods");
  assert.equal((answer.at("items") as readonly unknown[]).length, 200);
  assert.deepEqual(gateway.logged, []);
});

test("a client that resets its connection after a CONNECT, or before, ends nothing but that", async (t) => {
  const gateway = await liveGateway(t);
  const request = `CONNECT a:1 HTTP/1.1\r\n${goodHeaders(gateway)}\r\n`;
  for (let i = 0; i < 20; i++) {
    const socket = await begin(gateway, request);
    if (i % 2 === 0) await once(socket, "data");
    socket.resetAndDestroy();
  }
  await eventually(async () => (await connectionsOf(gateway)) === 0);
  assert.equal((await gateway.ask("GET /livez")).status, 200);
});

test("a client that takes nothing of its answer loses it, whoever it is", async (t) => {
  const gateway = await liveGateway(t, "containerd-2.1", { stallTimeoutMs: 100 });
  const page = `GET /docs HTTP/1.1\r\nHost: 127.0.0.1:${gateway.port}\r\n\r\n`;
  // More than the kernel takes for it.
  const socket = await begin(gateway, page.repeat(30));
  t.after(() => socket.destroy());
  socket.pause();
  await eventually(async () => (await connectionsOf(gateway)) === 1);
  await eventually(async () => (await connectionsOf(gateway)) === 0);
});

test("who waits for an answer is not hurried, and idle connections end as before", async (t) => {
  const gateway = await liveGateway(t, "containerd-2.1", { stallTimeoutMs: 50 });
  const { server } = gateway.app.server;
  const gate = held();
  gateway.fake.on("RuntimeService/Version", gate.answer);
  const answer = gateway.ask("GET /v1/version");
  await Promise.all([gate.arrived, once(server, "timeout")]);
  server.keepAliveTimeout = 10;
  gate.release();
  assert.equal((await answer).status, 200);
  await eventually(async () => (await connectionsOf(gateway)) === 0);
});

function connectionsOf({ app }: LiveGateway): Promise<number> {
  return new Promise((resolve, reject) => {
    app.server.server.getConnections((error, count) => (error ? reject(error) : resolve(count)));
  });
}

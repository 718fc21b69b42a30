/** When a gateway says that it is ready, and what it says while its runtime does not answer. */
import assert from "node:assert/strict";
import { mkdir, rename, rm, stat, writeFile } from "node:fs/promises";
import { createServer as createHttpServer } from "node:http";
import { createServer, type Server } from "node:net";
import { dirname, join } from "node:path";
import { type TestContext, test } from "node:test";
import { status } from "@grpc/grpc-js";
import { announce, waitingText } from "../../src/announce.ts";
import { createGateway } from "../../src/create-gateway.ts";
import { connect } from "../../src/cri/channel.ts";
import { GatewayError } from "../../src/errors.ts";
import { checkRuntime } from "../../src/runtimes/runtime-check.ts";
import { eventually } from "../support/eventually.ts";
import { createFakeRuntime, failing, hanging } from "../support/fake-runtime.ts";
import { tempDir } from "../support/temp-dir.ts";
import { stubRuntime } from "../unit/cri/stub-runtime.ts";

async function listen(t: TestContext, path: string, server: Server): Promise<void> {
  await new Promise<void>((resolve) => server.listen(path, resolve));
  t.after(() => new Promise((resolve) => server.close(resolve)));
}

/** A socket file that outlives its server, as after a kill -9. */
async function deadSocket(path: string): Promise<void> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(`${path}.alive`, resolve));
  await rename(`${path}.alive`, path);
  await new Promise((resolve) => server.close(resolve));
}

/** Puts something at the runtime's socket, and says what a gateway must say of it. */
const troubles: {
  readonly [what: string]: { put(t: TestContext, path: string): Promise<unknown>; readonly says: RegExp };
} = {
  "does not exist": {
    put: async () => undefined,
    says: /SOCKET does not exist: start the runtime, or name its socket with runtimeEndpoint/,
  },
  "is in a folder that does not exist": {
    put: (_t, path) => rm(dirname(path), { recursive: true }),
    says: /SOCKET does not exist: /,
  },
  "is a file": {
    put: (_t, path) => writeFile(path, ""),
    says: /SOCKET is not a socket: name the runtime's socket with runtimeEndpoint/,
  },
  "is a folder": {
    put: (_t, path) => mkdir(path),
    says: /SOCKET is a folder, not a socket: name the runtime's socket with runtimeEndpoint/,
  },
  "has no server any more": {
    put: (_t, path) => deadSocket(path),
    says: /SOCKET has no process listening on it: start the runtime/,
  },
  "is Docker's, which speaks HTTP/1.1": {
    put: (t, path) =>
      listen(
        t,
        path,
        createHttpServer((_request, response) => response.end()),
      ),
    says: /SOCKET does not speak gRPC: name the runtime's socket with runtimeEndpoint; for Docker that is cri-dockerd's/,
  },
  "is a containerd's without its CRI plugin": {
    async put(t, path) {
      const fake = await createFakeRuntime({ manner: "containerd-2.1", socket: path });
      t.after(() => fake.close());
      const text = "unknown service runtime.v1.RuntimeService";
      fake.on("RuntimeService/Version", failing(status.UNIMPLEMENTED, text));
    },
    says: /SOCKET does not speak CRI v1: .*disabled_plugins in \/etc\/containerd\/config\.toml/,
  },
  "does not answer": {
    async put(t, path) {
      const fake = await createFakeRuntime({ manner: "containerd-2.1", socket: path });
      t.after(() => fake.close());
      fake.on("RuntimeService/Version", hanging());
    },
    says: /SOCKET does not answer within 2 s: check the runtime's log/,
  },
};

for (const [what, { put, says }] of Object.entries(troubles)) {
  test(`a runtime whose socket ${what} is said to be in trouble, and the gateway is not ready`, async (t) => {
    const folder = join(await tempDir(t), "runtime");
    await mkdir(folder);
    const socket = join(folder, "x.sock");
    await put(t, socket);
    const said: string[] = [];
    const gateway = createGateway({
      runtimeEndpoint: socket,
      dataDir: await tempDir(t),
      listen: "127.0.0.1:0",
      grants: { allow: { read: true } },
      logger: { info: (text) => said.push(text), warn: assert.fail, error: assert.fail },
    });
    t.after(() => gateway.close());
    await gateway.listen();
    assert.equal(said.length, 1);
    const [text = ""] = said;
    assert.ok(
      text.startsWith(`Crest listens at ${gateway.address}, but its runtime does not answer yet: `),
      text,
    );
    assert.match(text.replaceAll(socket, "SOCKET"), says);
    assert.doesNotMatch(text, /is ready/);
    assert.equal((await fetch(`${gateway.address}/livez`)).status, 200);
    assert.equal((await fetch(`${gateway.address}/readyz`)).status, 503);
  });
}

test("a gateway says that it is ready when its runtime has come, and what changes meanwhile", async (t) => {
  const folder = await tempDir(t);
  const socket = join(folder, "x.sock");
  await writeFile(socket, "");
  const runtime = connect({ runtimeEndpoint: socket });
  const said: string[] = [];
  const notified: string[] = [];
  const announced = await announce({
    runtime,
    address: "http://127.0.0.1:1",
    say: (text) => said.push(text),
    notify: async (...variables) => void notified.push(...variables),
    ready: (name) => `ready in front of ${name}`,
    waiting: (trouble) => waitingText("http://127.0.0.1:1", trouble),
    everyMs: 5,
  });
  t.after(() => {
    announced.close();
    runtime.close();
  });
  assert.match(said.join(), /is not a socket/);
  // The start of the service is over, and its status says that it waits.
  assert.deepEqual(notified[0], "READY=1");
  assert.match(notified[1] ?? "", /^STATUS=Listens at http:\/\/127\.0\.0\.1:1, waits for the runtime: /);
  await rm(socket);
  await eventually(() => said.length === 2);
  assert.match(said[1] ?? "", /^Still waiting: .* does not exist/);
  const fake = await createFakeRuntime({ manner: "containerd-2.1", socket });
  t.after(() => fake.close());
  await eventually(() => notified.some((text) => text.startsWith("STATUS=Serves ")));
  assert.match(said.at(-1) ?? "", /^ready in front of containerd \S+ at /);
  const { length } = said;
  const calls = fake.callsOf("RuntimeService/Version").length;
  assert.equal(length, new Set(said).size, "nothing is said twice");
  // It is not asked any more.
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(fake.callsOf("RuntimeService/Version").length, calls);
});

test("a gateway that is closed while it waits says no more", async (t) => {
  const folder = await tempDir(t);
  const said: string[] = [];
  const gateway = createGateway({
    runtimeEndpoint: join(folder, "x.sock"),
    dataDir: join(folder, "data"),
    listen: "127.0.0.1:0",
    logger: { info: (text) => said.push(text), warn: assert.fail, error: assert.fail },
  });
  await gateway.listen();
  await gateway.close();
  assert.deepEqual(said.slice(1), ["close(): stopping"]);
});

test("checkRuntime() says who may open a socket that the gateway may not", async (t) => {
  const folder = await tempDir(t);
  const socket = join(folder, "x.sock");
  await listen(t, socket, createServer());
  const denied = () =>
    new GatewayError(
      "runtime_unavailable",
      `Version failed: No connection established. Last error: Error: connect EACCES ${socket}.`,
    );
  const runtime = { ...stubRuntime({ "RuntimeService/Version": denied }), endpoint: socket };
  const { gid } = await stat(socket);
  assert.deepEqual(await checkRuntime(runtime), {
    answers: false,
    trouble: `${socket} cannot be opened, permission denied: run Crest as root or in group ${gid}`,
  });
});

test("checkRuntime() looks at the image service, too, where it has a socket of its own", async (t) => {
  const folder = await tempDir(t);
  const fake = await createFakeRuntime({ manner: "containerd-2.1", socket: join(folder, "a.sock") });
  t.after(() => fake.close());
  const imageEndpoint = join(folder, "images.sock");
  const runtime = connect({ runtimeEndpoint: fake.socket, imageEndpoint });
  t.after(() => runtime.close());
  assert.deepEqual(await checkRuntime(runtime), {
    answers: false,
    trouble: `${imageEndpoint} does not exist: start the runtime, or name its socket with --image-endpoint`,
  });
  const images = await createFakeRuntime({ manner: "containerd-2.1", socket: imageEndpoint });
  t.after(() => images.close());
  await eventually(async () => (await checkRuntime(runtime)).answers);
  // A failure is an answer, too.
  images.on("ImageService/ImageFsInfo", failing(status.UNKNOWN, "no idea"));
  assert.equal((await checkRuntime(runtime)).answers, true);
});

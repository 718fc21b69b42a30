import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http2";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { status } from "@grpc/grpc-js";
import { askOnce } from "../../../src/cri/ask-once.ts";
import { createFakeRuntime, type FakeRuntime, failing, hanging } from "../../support/fake-runtime.ts";
import { tempDir } from "../../support/temp-dir.ts";

const soon = { deadlineMs: 200 } as const;

async function fake(t: TestContext): Promise<FakeRuntime> {
  const runtime = await createFakeRuntime({ manner: "containerd-2.1" });
  t.after(() => runtime.close());
  return runtime;
}

test("askOnce() returns the decoded reply", async (t) => {
  const { socket } = await fake(t);
  const { images } = await askOnce(socket, "ImageService/ListImages", {}, { deadlineMs: 5_000 });
  assert.ok(images.some(({ repoTags }) => repoTags.length > 0));
});

test("askOnce() tells a service that the runtime lacks from one that is not ready", async (t) => {
  const runtime = await fake(t);
  const refusals = [
    [status.UNIMPLEMENTED, "unknown service runtime.v1.RuntimeService", "UNIMPLEMENTED"],
    [status.UNKNOWN, "server is not initialized yet", "UNKNOWN"],
  ] as const;
  for (const [code, text, grpcCode] of refusals) {
    runtime.calls.length = 0;
    runtime.on("RuntimeService/ListPodSandbox", failing(code, text));
    const ask = askOnce(runtime.socket, "RuntimeService/ListPodSandbox", {}, { deadlineMs: 5_000 });
    await assert.rejects(ask, { code: "runtime_unavailable", grpcCode });
    assert.equal(runtime.calls.length, 1);
  }
});

test("askOnce() rejects at its deadline when the runtime does not reply", async (t) => {
  const runtime = await fake(t);
  runtime.on("RuntimeService/ListPodSandbox", hanging());
  const ask = askOnce(runtime.socket, "RuntimeService/ListPodSandbox", {}, soon);
  await assert.rejects(ask, { code: "deadline_exceeded" });
});

test("askOnce() rejects where nobody listens, without a second attempt", async (t) => {
  const absent = join(await tempDir(t), "absent.sock");
  const ask = askOnce(absent, "RuntimeService/ListPodSandbox", {}, { deadlineMs: 60_000 });
  await assert.rejects(ask, { code: "runtime_unavailable", message: /ENOENT/ });
});

test("askOnce() closes its connection", async (t) => {
  const socket = join(await tempDir(t), "refusing.sock");
  const server = createServer().on("stream", (stream) =>
    stream.respond({ ":status": 200, "grpc-status": String(status.UNKNOWN) }, { endStream: true }),
  );
  await once(server.listen(socket), "listening");
  await assert.rejects(askOnce(socket, "RuntimeService/ListPodSandbox", {}, { deadlineMs: 5_000 }));
  // Settles when every connection has ended.
  await new Promise((resolve) => server.close(resolve));
});

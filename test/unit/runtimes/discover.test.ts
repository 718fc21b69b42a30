/** Finding the runtime of a node among sockets that are there, or not. */
import assert from "node:assert/strict";
import { rename, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:net";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { status } from "@grpc/grpc-js";
import { call } from "../../../src/cri/call.ts";
import { connect } from "../../../src/cri/channel.ts";
import { GatewayError, StartError } from "../../../src/errors.ts";
import { discover, wellKnownSockets, whyUnreachable } from "../../../src/runtimes/discover.ts";
import { createFakeRuntime, type FakeRuntime, failing, hanging } from "../../support/fake-runtime.ts";
import { tempDir } from "../../support/temp-dir.ts";

async function fakeIn(t: TestContext, folder: string, name: string): Promise<FakeRuntime> {
  const fake = await createFakeRuntime({ manner: "containerd-2.1", socket: join(folder, name) });
  t.after(() => fake.close());
  return fake;
}

/** A socket of something that is no gRPC server. */
async function listen(t: TestContext, path: string, server: Server): Promise<void> {
  await new Promise<void>((resolve) => server.listen(path, resolve));
  t.after(() => new Promise((resolve) => server.close(resolve)));
}

test("the sockets are looked for in the documented order", () => {
  assert.deepEqual(wellKnownSockets, [
    "/run/containerd/containerd.sock",
    "/run/crio/crio.sock",
    "/var/run/cri-dockerd.sock",
    "/run/k3s/containerd/containerd.sock",
    "/var/snap/microk8s/common/run/containerd.sock",
  ]);
});

test("the first socket that answers is taken, and those behind it are not asked", async (t) => {
  const folder = await tempDir(t);
  const [second, third] = [await fakeIn(t, folder, "b.sock"), await fakeIn(t, folder, "c.sock")];
  const runtime = await discover({}, [join(folder, "a.sock"), second.socket, third.socket]);
  t.after(() => runtime.close());
  assert.equal(runtime.endpoint, second.socket);
  assert.equal((await call(runtime, "RuntimeService/Version", {})).runtimeName, "containerd");
  assert.equal(third.calls.length, 0);
});

test("what else was configured holds for the runtime that was found", async (t) => {
  const folder = await tempDir(t);
  const [runtimeSide, imageSide] = [await fakeIn(t, folder, "a.sock"), await fakeIn(t, folder, "b.sock")];
  const runtime = await discover({ imageEndpoint: imageSide.socket }, [runtimeSide.socket]);
  t.after(() => runtime.close());
  await call(runtime, "ImageService/ListImages", {});
  assert.equal(imageSide.callsOf("ImageService/ListImages").length, 1);
});

test("when none answers, each is listed with why", async (t) => {
  const folder = await tempDir(t);
  const at = (name: string): string => join(folder, name);
  await writeFile(at("file.sock"), "");
  const starting = await fakeIn(t, folder, "starting.sock");
  starting.on(
    "RuntimeService/Version",
    failing(status.UNIMPLEMENTED, "unknown service runtime.v1.RuntimeService"),
  );
  const silent = await fakeIn(t, folder, "silent.sock");
  silent.on("RuntimeService/Version", hanging());
  await listen(
    t,
    at("http.sock"),
    createServer((socket) => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n").resume()),
  );

  const sockets = ["absent", "file", "starting", "silent", "http"].map((name) => at(`${name}.sock`));
  const error = await discover({}, sockets).then(
    () => assert.fail("nobody should have answered"),
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof StartError);
  const lines = error.message.split("\n");
  assert.match(lines[0] ?? "", /^No container runtime answers on this node/);
  const why = new Map(
    lines.slice(1, -1).map((line) => {
      const [socket = "", ...rest] = line.trim().split(": ");
      return [socket, rest.join(": ")] as const;
    }),
  );
  assert.deepEqual([...why.keys()], sockets);
  assert.equal(why.get(at("absent.sock")), "does not exist");
  assert.equal(why.get(at("file.sock")), "is not a socket");
  assert.match(why.get(at("starting.sock")) ?? "", /unknown service/);
  assert.match(why.get(at("silent.sock")) ?? "", /[Dd]eadline exceeded/);
  assert.match(why.get(at("http.sock")) ?? "", /^Version failed: /);
  assert.match(lines.at(-1) ?? "", /--runtime-endpoint/);
  assert.match(lines.at(-1) ?? "", /crest up/);
});

test("a socket that may not be used is said to be, with what would help", async () => {
  const words = "permission denied, run Crest as root or in the group of the socket";
  const ofStat = Object.assign(new Error("EACCES: permission denied, stat '/run/x.sock'"), {
    code: "EACCES",
  });
  const ofCall = new GatewayError(
    "runtime_unavailable",
    "Version failed: No connection established. Last error: Error: connect EACCES /run/x.sock. Resolution note: ",
  );
  for (const error of [ofStat, ofCall]) assert.equal(whyUnreachable(error), words);
  const runtime = connect({ runtimeEndpoint: "/nowhere/x.sock" });
  const error = await call(runtime, "RuntimeService/Version", {}).catch((thrown: unknown) => thrown);
  runtime.close();
  assert.equal(whyUnreachable(error), "does not exist");
});

test("a socket on which nobody listens any more is passed over", async (t) => {
  const folder = await tempDir(t);
  const path = join(folder, "dead.sock");
  // A socket file that outlives its server, as after a kill -9.
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(path, resolve));
  await rename(path, `${path}.kept`);
  await new Promise((resolve) => server.close(resolve));
  const fake = await fakeIn(t, folder, "alive.sock");
  const runtime = await discover({}, [`${path}.kept`, fake.socket]);
  t.after(() => runtime.close());
  assert.equal(runtime.endpoint, fake.socket);
});

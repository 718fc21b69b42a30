/** What clients that do not read can make a gateway keep: the memory of its process, under attack. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { connect as connectTls } from "node:tls";
import { encodeReply } from "../../src/cri/codec.ts";
import type { Methods } from "../../src/gen/methods.ts";
import { type Gateway, startGateway } from "../e2e/support/gateway.ts";
import { eventually } from "../support/eventually.ts";
import { createFakeRuntime, type FakeRuntime, held, type MannerName } from "../support/fake-runtime.ts";
import { watchMemory } from "../support/process-memory.ts";
import { selfSigned } from "../support/spdy-certificate.ts";
import { tempDir } from "../support/temp-dir.ts";

const mebibyte = 1024 * 1024;
/** What waits, what is on its way, and what the garbage collector has not come to yet. */
const limitMiB = 350;
const listContainers = "RuntimeService/ListContainers";
const execSync = "RuntimeService/ExecSync";

interface Attacked {
  readonly fake: FakeRuntime;
  readonly gateway: Gateway;
  /** Requests that `slowly` has sent so far. */
  sent(): number;
  /** Sends a request and reads no more than the beginning of its answer. */
  slowly(target: string, options?: SlowOptions): Promise<SlowReader>;
}

interface SlowOptions {
  readonly accept?: string;
  readonly body?: object;
}

interface SlowReader {
  readonly socket: Socket;
  readonly status: number;
  /** What was read: a problem's whole text. */
  readonly beginning: string;
}

interface AttackOptions {
  readonly manner?: MannerName;
  readonly tls?: boolean;
  /** Each caller may have half. */
  readonly maxBuffer?: string;
}

/** A gateway in a process of its own. */
async function attacked(
  t: TestContext,
  { manner = "containerd-2.1", tls = false, maxBuffer = "64MiB" }: AttackOptions = {},
): Promise<Attacked> {
  const folder = await tempDir(t);
  const fake = await createFakeRuntime({ manner });
  t.after(() => fake.close());
  const { cert, key } = selfSigned();
  const [certFile, keyFile] = [join(folder, "tls.crt"), join(folder, "tls.key")];
  writeFileSync(certFile, cert);
  writeFileSync(keyFile, key, { mode: 0o600 });
  // Where there is no TLS a Unix socket: the kernel keeps little of an answer there.
  const path = join(folder, "crest.sock");
  const gateway = await startGateway("serve", {
    ...(tls ? {} : { listen: `unix:${path}` }),
    args: [
      ...[`--runtime-endpoint=${fake.socket}`, "-A", `--max-buffer=${maxBuffer}`],
      ...(tls ? [`--tls-cert=${certFile}`, `--tls-key=${keyFile}`] : []),
    ],
  });
  const sockets: Socket[] = [];
  t.after(async () => {
    // A gateway that ends would wait for the answers.
    for (const socket of sockets) socket.destroy();
    await gateway.close();
  });
  let sent = 0;
  return {
    fake,
    gateway,
    sent: () => sent,
    async slowly(target, { accept = "*/*", body } = {}) {
      const socket = tls
        ? connectTls({ port: Number(new URL(gateway.address).port), rejectUnauthorized: false })
        : connect(path);
      sockets.push(socket);
      socket.on("error", () => undefined);
      const text = body === undefined ? "" : JSON.stringify(body);
      socket.write(
        [
          `${target} HTTP/1.1`,
          ...["Host: localhost", `Authorization: Bearer ${gateway.token}`, `Accept: ${accept}`],
          ...(text === "" ? [] : ["Content-Type: application/json", `Content-Length: ${text.length}`]),
          ...["", text],
        ].join("\r\n"),
        () => sent++,
      );
      const [beginning] = (await once(socket, "data")) as [Buffer];
      socket.pause();
      return { socket, status: Number(beginning.toString("latin1", 9, 12)), beginning: String(beginning) };
    },
  };
}

/** A reply of ListContainers with 3,000 of them, each with an annotation: about 3 MiB. */
async function manyContainers(fake: FakeRuntime, annotationBytes = 700): Promise<Buffer> {
  const pod = fake.addPod({ labels: { "crest/managed": "true" } });
  for (let number = 0; number < 3000; number++) {
    fake.addContainer({
      ...{ pod, state: "created", name: `container-${number}` },
      annotations: { "example.org/notes": "n".repeat(annotationBytes) },
    });
  }
  const reply = await fake.perform(listContainers);
  return encodeReply(listContainers, reply as unknown as Methods[typeof listContainers]["response"]);
}

/** Asserts that nobody was told anything but 200 or 503 `overloaded`; how many were told 200. */
function served(readers: readonly SlowReader[]): number {
  const refused = readers.filter(({ status }) => status !== 200);
  for (const { status, beginning } of refused) {
    assert.equal(status, 503, beginning);
    assert.match(beginning, /^retry-after: 1\r$/im);
    assert.match(beginning, /"code":"overloaded".*"retryable":true/);
  }
  assert.ok(refused.length > 0, "some were refused");
  assert.ok(refused.length < readers.length, "some were served");
  return readers.length - refused.length;
}

/** Asserts that the memory is free again once the readers have left. */
async function recovers({ gateway }: Attacked, readers: readonly SlowReader[], path: string): Promise<void> {
  for (const { socket } of readers) socket.destroy();
  await eventually(async () => (await gateway.get(path)).status === 200);
}

test("200 slow readers of different lists cannot fill the memory", async (t) => {
  const attack = await attacked(t);
  const { fake, gateway, slowly } = attack;
  const reply = await manyContainers(fake);
  fake.on(listContainers, () => reply);
  (await slowly("GET /v1/containers")).socket.destroy();
  const memory = watchMemory(gateway.process.pid);
  memory.settled();
  const readers = await Promise.all(
    Array.from({ length: 200 }, (_, number) => slowly(`GET /v1/containers?labelSelector=!absent-${number}`)),
  );
  const count = served(readers);
  const rise = memory.stop();
  t.diagnostic(`${count} served, ${rise} MiB more at most`);
  assert.ok(rise < limitMiB, `${rise} MiB`);
  await recovers(attack, readers, "/v1/containers?labelSelector=!absent");
});

test("100 slow readers that share one list do not each have a copy of it, over TLS", async (t) => {
  const attack = await attacked(t, { tls: true, maxBuffer: "256MiB" });
  const { fake, gateway, slowly } = attack;
  // More than the kernel takes over TCP.
  const reply = await manyContainers(fake, 4000);
  const gate = held(reply);
  (await slowly("GET /v1/containers")).socket.destroy();
  fake.on(listContainers, gate.answer);
  const memory = watchMemory(gateway.process.pid);
  memory.settled();
  const asked = Array.from({ length: 100 }, () => slowly("GET /v1/containers"));
  await eventually(() => attack.sent() === 101, { timeoutMs: 20_000 });
  // By the time of their answers the gateway has read all of the others.
  for (let left = 2; left > 0; left--) await slowly("GET /v1/version");
  gate.release();
  for (const { status } of await Promise.all(asked)) assert.equal(status, 200);
  const rise = memory.stop();
  t.diagnostic(`${fake.callsOf(listContainers).length} calls, ${rise} MiB more at most`);
  assert.ok(rise < limitMiB, `${rise} MiB`);
});

for (const manner of ["cri-o", "containerd-2.1"] as const) {
  test(`150 slow readers of lines cannot fill the memory, on ${manner}`, async (t) => {
    const attack = await attacked(t, { manner });
    const { fake, gateway, slowly } = attack;
    const reply = await manyContainers(fake);
    fake.on(listContainers, () => reply);
    fake.on("RuntimeService/StreamContainers", manner === "cri-o" ? () => reply : (_, call) => call.next());
    const accept = "application/x-ndjson";
    (await slowly("GET /v1/containers", { accept })).socket.destroy();
    const memory = watchMemory(gateway.process.pid);
    memory.settled();
    const readers = await Promise.all(
      Array.from({ length: 150 }, () => slowly("GET /v1/containers", { accept })),
    );
    const count = served(readers);
    const rise = memory.stop();
    t.diagnostic(`${count} served, ${rise} MiB more at most`);
    assert.ok(rise < limitMiB, `${rise} MiB`);
    await recovers(attack, readers, "/v1/containers");
  });
}

for (const encoding of ["utf8", "base64"] as const) {
  test(`slow readers of commands' outputs cannot fill the memory, in ${encoding}`, async (t) => {
    const attack = await attacked(t);
    const { fake, gateway, slowly } = attack;
    const { id } = fake.addContainer({
      state: "running",
      pod: fake.addPod({ labels: { "crest/managed": "true" } }),
    });
    // Control characters: each becomes six in JSON.
    const stdout = Buffer.alloc(15 * mebibyte, 1).toString("base64");
    const reply = encodeReply(execSync, { stdout, stderr: "", exitCode: 0 });
    fake.on(execSync, () => reply);
    const memory = watchMemory(gateway.process.pid);
    memory.settled();
    const body = { cmd: ["cat"] };
    const target = `POST /v1/containers/${id}/exec?encoding=${encoding}`;
    // When these wait there is no room for another command.
    const readers = [await slowly(target, { body }), await slowly(target, { body })];
    readers.push(...(await Promise.all(Array.from({ length: 22 }, () => slowly(target, { body })))));
    const count = served(readers);
    assert.equal(fake.callsOf(execSync).length, count, "what was refused did not run");
    const rise = memory.stop();
    t.diagnostic(`${count} served, ${rise} MiB more at most`);
    assert.ok(rise < limitMiB, `${rise} MiB`);
    await recovers(attack, readers, "/v1/containers");
    assert.equal(fake.callsOf(execSync).length, count);
  });
}

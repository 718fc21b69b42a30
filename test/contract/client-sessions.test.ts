/** The client's sessions: output, input, sizes, exit codes, refusals, slow readers, and callers that leave. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { type MessageEvent, WebSocket } from "ws";
import { type Client, CrestError, createClient, type WebSocketClass } from "../../src/client/index.ts";
import { cuttingProxy } from "../support/cutting-proxy.ts";
import { eventually, untilStill } from "../support/eventually.ts";
import {
  answering,
  cat,
  command,
  echo,
  exited,
  finish,
  flood,
  outputsOf,
  ports,
  stalled,
  unread,
} from "../support/spdy-behaviours.ts";
import { type SessionGateway, sessionGateway, token } from "../support/spdy-gateway.ts";

/** A WebSocket as browsers have it: it neither pauses nor shows why a handshake was refused. */
class PlainWebSocket {
  readonly #socket: WebSocket;
  constructor(url: string, protocols: string[]) {
    this.#socket = new WebSocket(url, protocols);
  }
  set binaryType(type: "arraybuffer") {
    this.#socket.binaryType = type;
  }
  get binaryType(): "arraybuffer" {
    return "arraybuffer";
  }
  get bufferedAmount(): number {
    return this.#socket.bufferedAmount;
  }
  send(data: Uint8Array): void {
    this.#socket.send(data);
  }
  close(code?: number, reason?: string): void {
    this.#socket.close(code, reason);
  }
  addEventListener(type: "message", listener: (event: MessageEvent) => void): void {
    this.#socket.addEventListener(type, listener);
  }
}

const unhandled: unknown[] = [];
process.on("unhandledRejection", (error) => unhandled.push(error));
test.afterEach(() => assert.deepEqual(unhandled, []));

interface Place {
  readonly gateway: SessionGateway;
  readonly client: Client;
  readonly containerId: string;
  readonly podSandboxId: string;
}

async function place(t: TestContext, WebSocketOf: WebSocketClass = WebSocket): Promise<Place> {
  const gateway = await sessionGateway(t);
  const server = `http://127.0.0.1:${gateway.port}`;
  return {
    gateway,
    client: createClient({ server, token, WebSocket: WebSocketOf }),
    containerId: gateway.container.slice("/v1/containers/".length),
    podSandboxId: gateway.pod.slice("/v1/pods/".length),
  };
}

async function textOf(chunks: AsyncIterable<Uint8Array>): Promise<string> {
  const all: Uint8Array[] = [];
  for await (const chunk of chunks) all.push(chunk);
  return Buffer.concat(all).toString();
}

const noSession = ({ gateway }: Place) => eventually(async () => (await gateway.count()) === 0);
const bothKinds: readonly WebSocketClass[] = [WebSocket, PlainWebSocket];

test("exec gives both outputs as bytes, and the exit code", async (t) => {
  const here = await place(t);
  for (const [status, code] of [
    [undefined, 0],
    [exited(3), 3],
    [exited(137), 137],
  ] as const) {
    here.gateway.streams.behaviour = command({
      stdout: "ü out",
      stderr: "err",
      ...(status === undefined ? {} : { status }),
    });
    const session = await here.client.exec({ containerId: here.containerId, command: ["ls", "-l"] });
    assert.deepEqual(await Promise.all([textOf(session.stdout), textOf(session.stderr)]), ["ü out", "err"]);
    assert.equal(await session.exitCode, code);
  }
  await noSession(here);
});

test("a status without an exit code fails outputs and exitCode with what the runtime says", async (t) => {
  const here = await place(t);
  const message = "Internal error occurred: the shim is gone";
  here.gateway.streams.behaviour = command({
    stdout: "x",
    status: JSON.stringify({ status: "Failure", reason: "InternalError", message }),
  });
  const session = await here.client.exec({ containerId: here.containerId, command: ["true"] });
  const output = session.stdout[Symbol.asyncIterator]();
  assert.equal(Buffer.from((await output.next()).value ?? []).toString(), "x");
  await assert.rejects(output.next(), { code: "session_failed" });
  await assert.rejects(session.exitCode, { name: "CrestError", code: "session_failed", message });
});

test("stdin takes text and bytes of any size in order, and its end half-closes", async (t) => {
  for (const kind of bothKinds) {
    const here = await place(t, kind);
    here.gateway.streams.behaviour = cat;
    const session = await here.client.exec({ containerId: here.containerId, command: ["cat"], stdin: true });
    const text = "0123456789".repeat(300_000);
    const written = Promise.all([
      session.stdin.write("begin "),
      session.stdin.write(new TextEncoder().encode(text)),
      session.stdin.end(),
    ]);
    assert.equal(await textOf(session.stdout), `begin ${text}`);
    await written;
    assert.equal(await session.exitCode, 0);
    await assert.rejects(session.stdin.write("late"), CrestError);
  }
});

test("a write waits while the command does not read, and what waits stays bounded", async (t) => {
  const here = await place(t);
  here.gateway.streams.behaviour = unread;
  const session = await here.client.exec({ containerId: here.containerId, command: ["sleep"], stdin: true });
  let bytes = 0;
  const chunk = new Uint8Array(256 * 1024);
  const writing = (async () => {
    for (;;) {
      await session.stdin.write(chunk);
      bytes += chunk.length;
    }
  })();
  writing.catch(() => undefined);
  await untilStill(() => bytes);
  assert.ok(bytes < 64 * 1024 * 1024, String(bytes));
  session.close();
  await assert.rejects(writing, { code: "session_closed" });
});

test("resize tells the command its size, and refuses one that no terminal has", async (t) => {
  const here = await place(t);
  here.gateway.streams.behaviour = async (session, request) => {
    const { stdout } = await outputsOf(session, request);
    const sizes = await session.stream("resize");
    for await (const size of sizes.input) {
      await stdout?.write(size);
      return finish(session);
    }
  };
  const { containerId } = here;
  const session = await here.client.exec({ containerId, command: ["sh"], tty: true, stdin: true });
  for (const width of [0, 1.5, 70_000])
    assert.throws(() => session.resize({ width, height: 24 }), RangeError);
  session.resize({ width: 80, height: 24 });
  assert.equal(await textOf(session.stdout), '{"Width":80,"Height":24}\n');
});

test("an input that was not requested fails with what to do", async (t) => {
  const here = await place(t);
  here.gateway.streams.behaviour = command();
  const session = await here.client.exec({ containerId: here.containerId, command: ["true"] });
  await assert.rejects(session.stdin.write("x"), /stdin: true/);
  void session.stdin.write("not waited for");
});

test("attach gives the exit code of the container", async (t) => {
  const here = await place(t);
  const { containerId, gateway } = here;
  gateway.streams.behaviour = async (session, request) => {
    const { stdout } = await outputsOf(session, request);
    await stdout?.write("attached");
    await here.client.stopContainer({ containerId, timeout: "0" });
    await finish(session);
  };
  const session = await here.client.attach({ containerId });
  assert.equal(await textOf(session.stdout), "attached");
  assert.equal(await session.exitCode, 137);
});

test("a refusal before the session is the gateway's problem, whether the platform shows it or not", async (t) => {
  for (const kind of bothKinds) {
    const here = await place(t, kind);
    const { client, gateway, containerId, podSandboxId } = here;
    const { id } = gateway.fake.addContainer({ state: "exited" });
    const exec = (one: Client, containerId: string) => one.exec({ containerId, command: ["sh"] });
    await assert.rejects(exec(client, "feed"), { name: "CrestError", code: "not_found", status: 404 });
    await assert.rejects(exec(client, id), { name: "CrestError", code: "not_running" });
    await assert.rejects(client.portForward({ podSandboxId: "feed", ports: [80] }), { code: "not_found" });
    const other = createClient({
      server: `http://127.0.0.1:${gateway.port}`,
      token: "wrong",
      WebSocket: kind,
    });
    await assert.rejects(exec(other, containerId), { code: "unauthenticated", status: 401 });
    const invalid = client.portForward({ podSandboxId, ports: [70_000] });
    await assert.rejects(invalid, { code: kind === WebSocket ? "invalid_request" : "session_refused" });
  }
});

test("a gateway that is not there is connection_failed", async () => {
  const client = createClient({ server: "http://127.0.0.1:9", token, WebSocket });
  await assert.rejects(client.exec({ containerId: "feed", command: ["sh"] }), CrestError);
});

test("a platform without a WebSocket is told to pass one", async (t) => {
  const { gateway } = await place(t);
  const client = createClient({ server: `http://127.0.0.1:${gateway.port}`, token });
  if ("WebSocket" in globalThis) return;
  await assert.rejects(client.exec({ containerId: "feed", command: ["sh"] }), /pass one to createClient/);
});

test("an unread output makes the command wait, and reading goes on where it was", async (t) => {
  const here = await place(t);
  here.gateway.streams.behaviour = flood();
  const session = await here.client.exec({ containerId: here.containerId, command: ["yes"] });
  await untilStill(() => process.memoryUsage().arrayBuffers);
  let bytes = 0;
  for await (const chunk of session.stdout) {
    bytes += chunk.length;
    if (bytes > 50_000_000) break;
  }
  session.close();
  await noSession(here);
});

test("where a WebSocket cannot pause, an unread output ends the session with reader_too_slow", async (t) => {
  const here = await place(t, PlainWebSocket);
  here.gateway.streams.behaviour = flood();
  const session = await here.client.exec({ containerId: here.containerId, command: ["yes"] });
  await assert.rejects(session.exitCode, { code: "reader_too_slow" });
  await noSession(here);
});

test("leaving the loop over an output drops the rest of it, and the command ends", async (t) => {
  const here = await place(t);
  here.gateway.streams.behaviour = command({ stdout: "x".repeat(8_000_000), stderr: "y" });
  const session = await here.client.exec({ containerId: here.containerId, command: ["sh"] });
  for await (const _ of session.stdout) break;
  assert.equal(await session.exitCode, 0);
  assert.equal(await textOf(session.stderr), "y");
});

test("close ends the outputs quietly, and exitCode with session_closed", async (t) => {
  const here = await place(t);
  here.gateway.streams.behaviour = flood();
  const session = await here.client.exec({ containerId: here.containerId, command: ["yes"] });
  session.close();
  session.close();
  await textOf(session.stdout);
  await assert.rejects(session.exitCode, { code: "session_closed" });
  await noSession(here);
});

test("a lost connection fails outputs, input and exitCode with connection_lost", async (t) => {
  const here = await place(t);
  const { gateway, containerId } = here;
  gateway.streams.behaviour = unread;
  const proxy = await cuttingProxy(t, gateway.port);
  const client = createClient({ server: proxy.address, token, WebSocket });
  const session = await client.exec({ containerId, command: ["sh"], stdin: true });
  proxy.cut();
  await assert.rejects(textOf(session.stdout), { code: "connection_lost" });
  await assert.rejects(session.exitCode, { code: "connection_lost", retryable: true });
  await assert.rejects(session.stdin.write("x"), { code: "connection_lost" });
  await noSession(here);
});

test("a runtime that goes away fails outputs and exitCode", async (t) => {
  const here = await place(t);
  here.gateway.streams.behaviour = unread;
  const session = await here.client.exec({ containerId: here.containerId, command: ["sh"] });
  await eventually(() => here.gateway.streams.sessions.length === 1);
  for (const one of here.gateway.streams.sessions) one.close();
  await assert.rejects(textOf(session.stdout), { code: "session_failed", message: /^exit unknown/ });
  await assert.rejects(session.exitCode, { code: "session_failed" });
});

test("a session that is aborted at any stage fails with the signal's reason", async (t) => {
  const here = await place(t);
  here.gateway.streams.behaviour = flood();
  const { client, containerId } = here;
  const reason = new Error("enough");
  const isReason = (error: unknown) => error === reason;
  const open = (signal: AbortSignal) => client.exec({ containerId, command: ["yes"] }, { signal });
  await assert.rejects(open(AbortSignal.abort(reason)), isReason);
  const early = new AbortController();
  const opening = open(early.signal);
  setImmediate(() => early.abort(reason));
  await assert.rejects(opening, isReason);
  const later = new AbortController();
  const session = await open(later.signal);
  const reading = textOf(session.stdout);
  later.abort(reason);
  await assert.rejects(reading, isReason);
  await assert.rejects(session.exitCode, isReason);
  await noSession(here);
});

test("port-forward gives a connection to each port", async (t) => {
  for (const kind of bothKinds) {
    const here = await place(t, kind);
    here.gateway.streams.behaviour = ports({ 80: answering("from 80"), 81: echo });
    const { podSandboxId } = here;
    const session = await here.client.portForward({ podSandboxId, ports: [80, 81, 82] });
    assert.deepEqual(
      session.connections.map(({ port }) => port),
      [80, 81, 82],
    );
    assert.throws(() => session.port(83), RangeError);
    await session.port(81).write("to 81");
    const iterator = session.port(81)[Symbol.asyncIterator]();
    const { value } = await iterator.next();
    assert.equal(Buffer.from(value ?? []).toString(), "to 81");
    await assert.rejects(textOf(session.port(82)), { code: "session_failed", message: /connection refused/ });
    session.close();
    assert.equal(await textOf(session.port(80)), "from 80");
    assert.deepEqual(await iterator.next(), { done: true, value: undefined });
    await noSession(here);
  }
});

test("a forwarded connection that its peer ends is over after its bytes", async (t) => {
  const here = await place(t);
  const bytes = Buffer.alloc(3_000_000, "z");
  here.gateway.streams.behaviour = ports({ 80: answering(bytes) });
  const session = await here.client.portForward({ podSandboxId: here.podSandboxId, ports: [80] });
  const received = await textOf(session.port(80));
  assert.equal(received, bytes.toString());
  await noSession(here);
});

test("two bytes that look like the port's announcement are bytes when they come later", async (t) => {
  const here = await place(t);
  here.gateway.streams.behaviour = ports({ 80: answering("P\0"), 81: stalled });
  const session = await here.client.portForward({ podSandboxId: here.podSandboxId, ports: [80] });
  assert.equal(await textOf(session.port(80)), "P\0");
});

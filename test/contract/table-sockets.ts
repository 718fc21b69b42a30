/** Clients of the gateway over a real socket, in the hands of the tests: they read when they are let, and leave. */
import assert from "node:assert/strict";
import { connect as connectTo, type Socket } from "node:net";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { eventually } from "../support/eventually.ts";
import type { FakeRuntime } from "../support/fake-runtime.ts";
import { authorization, createGateway, type TestApp, type TestGateway } from "./table-gateway.ts";

/** One round of the event loop. */
export const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Readers that are never answered must not hold up the rest of the tests. */
export const limited = { timeout: 60_000 };

/** A gateway on containerd 2.1, and its app with all grants. */
export async function openGateway(
  t: TestContext,
): Promise<{ gateway: TestGateway; fake: FakeRuntime; app: TestApp }> {
  const gateway = await createGateway("containerd-2.1");
  t.after(() => gateway.close());
  return { gateway, fake: gateway.fake, app: gateway.open() };
}

/** Listens on a Unix socket, whose buffers are small. */
export async function listen(gateway: TestGateway): Promise<{ path: string; app: TestApp }> {
  const path = join(gateway.dataDir, "gateway.sock");
  const app = gateway.open();
  await app.app.server.listen({ path });
  return { path, app };
}

/** A request as bytes, by `METHOD /path`, or by the path of a GET. */
export const requestOf = (target: string, accept = "application/json"): string =>
  `${target.startsWith("/") ? "GET " : ""}${target} HTTP/1.1\r\nHost: localhost\r\nAuthorization: ${authorization}\r\nAccept: ${accept}\r\nConnection: close\r\n\r\n`;

/** Sends a request and settles once the gateway works on it; nothing is read of the answer. */
export async function begin(socketPath: string, target: string, { app }: TestApp): Promise<Socket> {
  const arrived = new Promise<void>((resolve) => app.server.server.once("request", () => resolve()));
  const socket = connectTo(socketPath);
  socket.on("error", () => undefined);
  socket.write(requestOf(target));
  await arrived;
  // Hooks and handlers go on without waiting for anything but each other.
  await turn();
  await turn();
  return socket;
}

/** How many connections the gateway has. */
export const connections = ({ app }: TestApp): Promise<number> =>
  new Promise((resolve) => app.server.server.getConnections((_error, count) => resolve(count)));

/** Goes away, and settles once the gateway knows. */
export async function leave(socket: Socket, app: TestApp): Promise<void> {
  const before = await connections(app);
  socket.destroy();
  await eventually(async () => (await connections(app)) < before);
}

/** Reads an answer to its end. */
export async function readAll(socket: Socket): Promise<{ status: number; body: Buffer }> {
  const chunks: Buffer[] = [];
  for await (const chunk of socket) chunks.push(chunk as Buffer);
  return parseResponse(Buffer.concat(chunks));
}

/** Status and body of an answer with Content-Length. */
export function parseResponse(bytes: Buffer): { status: number; body: Buffer } {
  const end = bytes.indexOf("\r\n\r\n");
  const head = bytes.toString("latin1", 0, end);
  const body = bytes.subarray(end + 4);
  const length = /^content-length: (\d+)$/im.exec(head)?.[1];
  if (length !== undefined) assert.equal(body.length, Number(length), "the body is as long as was said");
  return { status: Number(head.slice(9, 12)), body };
}

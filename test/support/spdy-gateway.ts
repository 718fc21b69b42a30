/** A gateway in front of a fake runtime with a real streaming server, and WebSocket clients for it. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { type IncomingHttpHeaders, request } from "node:http";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { type ClientOptions, WebSocket } from "ws";
import {
  type App,
  type AppOptions,
  createApp,
  type SessionSettings,
  type TlsSettings,
} from "../../src/app.ts";
import type { Audit } from "../../src/audit/audit.ts";
import { connect } from "../../src/cri/channel.ts";
import type { Grants } from "../../src/grants.ts";
import type { LogEntry } from "../../src/server/log-entry.ts";
import { createFakeRuntime, type FakeRuntime, type MannerName } from "./fake-runtime.ts";
import { createSpdyServer, type SpdyServer } from "./spdy-server.ts";

export const token = "a-token-for-web-sockets";
const authorization = `Bearer ${token}`;

export const v5 = "v5.channel.k8s.io";
export const v4 = "v4.channel.k8s.io";
export const base64 = "v4.base64.channel.k8s.io";
export const channel = { stdin: 0, stdout: 1, stderr: 2, status: 3, resize: 4, close: 255 } as const;

export interface GatewayOptions extends Pick<AppOptions, "anonymousLimits" | "callerLimits"> {
  readonly manner?: MannerName;
  readonly grants?: Grants;
  readonly sessions?: SessionSettings;
  readonly maxBufferBytes?: number;
  readonly streamHost?: string;
  /** Timeout of calls to the runtime. */
  readonly deadlineMs?: number;
  /** Clients must pass its `ca`. `count` and `refusal` do not support TLS. */
  readonly tls?: TlsSettings;
  readonly audit?: Audit | undefined;
}

export interface SessionGateway {
  readonly fake: FakeRuntime;
  readonly streams: SpdyServer;
  readonly app: App;
  readonly port: number;
  readonly logged: readonly LogEntry[];
  /** The request log. */
  readonly requests: readonly LogEntry[];
  readonly dataDir: string;
  /** One-time tokens in the runtime's URLs so far. */
  readonly streamTokens: readonly string[];
  /** `/v1/containers/ID` of a running container. */
  readonly container: string;
  /** `/v1/pods/ID` of its pod. */
  readonly pod: string;
  /** The number of sessions that `/readyz?verbose` reports. */
  count(): Promise<number>;
  /** Opens a WebSocket client. Wait for its `opened`. */
  open(path: string, options?: OpenOptions): Client;
  /** Forgets the clients, calls and streams so far. */
  forget(): void;
  /** Returns the response to a handshake that must be refused. */
  refusal(path: string, options?: HandshakeOptions): Promise<Refused>;
}

/** Starts everything, and stops it when the test ends. */
export async function sessionGateway(
  t: Pick<TestContext, "after">,
  options: GatewayOptions = {},
): Promise<SessionGateway> {
  const streams = await createSpdyServer(
    options.streamHost === undefined ? {} : { host: options.streamHost },
  );
  const streamTokens: string[] = [];
  const fake = await createFakeRuntime({
    manner: options.manner ?? "containerd-2.1",
    streamUrl(stream) {
      streamTokens.push(stream.token);
      return streams.streamUrl(stream);
    },
  });
  const { deadlineMs, streamHost, sessions, maxBufferBytes, tls } = options;
  const runtime = connect({
    runtimeEndpoint: fake.socket,
    ...(deadlineMs === undefined ? {} : { deadlineMs }),
  });
  const dataDir = await mkdtemp(join(tmpdir(), "crest-sessions-"));
  const logged: LogEntry[] = [];
  const requests: LogEntry[] = [];
  const app = createApp({
    config: {
      listen: { host: "127.0.0.1", port: 0 },
      dataDir,
      acceptHost: ["localhost", "127.0.0.1"],
      grants: options.grants ?? { all: true, allow: {}, deny: {} },
      ...(streamHost === undefined ? {} : { streamHost }),
    },
    ...{ runtime, token, tls, maxBufferBytes, audit: options.audit },
    callerLimits: options.callerLimits,
    anonymousLimits: options.anonymousLimits,
    log: (entry) => logged.push(entry),
    requestLog: { log: (entry) => requests.push(entry), probes: true },
    // A client that a test leaves behind must not delay the end.
    sessions: { ...sessions, limits: { graceMs: 1000, ...sessions?.limits } },
  });
  const port = Number(new URL(await app.listen()).port);
  const clients: Client[] = [];
  t.after(async () => {
    for (const { socket } of clients) socket.terminate();
    await streams.close();
    await app.close();
    runtime.close();
    await fake.close();
    await rm(dataDir, { recursive: true, force: true });
  });
  const { id, podId } = fake.addContainer({
    state: "running",
    pod: fake.addPod({ labels: { "crest/managed": "true" } }),
  });
  return {
    ...{ fake, streams, app, port, dataDir, logged, requests, streamTokens },
    container: `/v1/containers/${id}`,
    pod: `/v1/pods/${podId}`,
    async count() {
      const { text } = await ask(port, { path: "/readyz?verbose", headers: { authorization } });
      return Number(/^sessions (\d+)$/m.exec(text)?.[1]);
    },
    open(path, openOptions = {}) {
      const client = createClient(`${tls ? "wss" : "ws"}://127.0.0.1:${port}${path}`, openOptions);
      clients.push(client);
      return client;
    },
    forget() {
      clients.length = 0;
      fake.calls.length = 0;
      requests.length = 0;
      streamTokens.length = 0;
      streams.forget();
    },
    refusal: (path, handshake = {}) => refusal(port, path, handshake),
  };
}

export interface OpenOptions extends ClientOptions {
  /** Default: v5. An empty list sends none. */
  readonly subprotocols?: readonly string[];
  /** Whether to send the token in a header. Default: true. */
  readonly withToken?: boolean;
  /** Messages are plain bytes, without a channel. */
  readonly raw?: boolean;
  /** Receives each message, which is then not stored. */
  readonly onMessage?: (message: Buffer) => void;
}

export interface Frame {
  readonly channel: number;
  readonly payload: Buffer;
}

export interface Client {
  readonly socket: WebSocket;
  /** Rejects if the handshake is refused. */
  readonly opened: Promise<void>;
  /** All messages so far. */
  readonly frames: readonly Frame[];
  /** Everything received on a channel; in a raw tunnel, everything. */
  bytes(channel?: number): Buffer;
  text(channel?: number): string;
  /** Settles when the message has been sent. */
  send(channel: number, payload: string | Uint8Array): Promise<void>;
  readonly closed: Promise<Closed>;
}

export interface Closed {
  /** 1006 if there was no close frame. */
  readonly code: number;
  readonly reason: string;
}

function createClient(
  url: string,
  { subprotocols = [v5], withToken = true, raw, onMessage, ...options }: OpenOptions,
): Client {
  const socket = new WebSocket(url, [...subprotocols], {
    perMessageDeflate: false,
    ...options,
    headers: { ...(withToken ? { authorization } : {}), ...options.headers },
  });
  const frames: Frame[] = [];
  const isText = (): boolean => socket.protocol.includes("base64");
  socket.on("message", (message: Buffer, isBinary: boolean) => {
    if (onMessage) return onMessage(message);
    assert.equal(isBinary, !isText());
    if (raw) frames.push({ channel: 0, payload: message });
    else if (isText()) {
      const payload = Buffer.from(message.toString("latin1", 1), "base64");
      frames.push({ channel: (message[0] ?? 0) - 0x30, payload });
    } else frames.push({ channel: message[0] ?? -1, payload: message.subarray(1) });
  });
  const opened = new Promise<void>((resolve, reject) => {
    socket.once("open", resolve);
    socket.once("error", reject);
  });
  // Tests of refusals check the response; tests of disconnects check `closed`.
  opened.catch(() => undefined);
  socket.on("error", () => undefined);
  const bytes = (number = 0): Buffer =>
    Buffer.concat(frames.filter((frame) => frame.channel === number).map(({ payload }) => payload));
  return {
    ...{ socket, opened, frames, bytes },
    text: (number) => bytes(number).toString(),
    send: (number, payload) =>
      new Promise((resolve) => {
        const data = Buffer.isBuffer(payload) ? payload : Buffer.from(payload);
        const message = raw
          ? data
          : isText()
            ? String.fromCharCode(0x30 + number) + data.toString("base64")
            : Buffer.concat([Buffer.from([number]), data]);
        socket.send(message, () => resolve());
      }),
    closed: new Promise((resolve) => {
      socket.once("close", (code: number, reason: Buffer) => resolve({ code, reason: reason.toString() }));
    }),
  };
}

export interface HandshakeOptions {
  readonly method?: string;
  /** Override the headers of a valid handshake; `undefined` removes one. */
  readonly headers?: { readonly [name: string]: string | undefined };
  readonly subprotocols?: readonly string[];
}

export interface Refused {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  /** The body, if it is a problem. */
  readonly problem: { readonly [member: string]: unknown } & {
    readonly code?: string;
    readonly detail?: string;
  };
}

/** The headers of a valid handshake. */
export function handshakeHeaders({ headers = {}, subprotocols = [v5] }: HandshakeOptions = {}): {
  [name: string]: string;
} {
  const all = {
    connection: "Upgrade",
    upgrade: "websocket",
    "sec-websocket-version": "13",
    "sec-websocket-key": randomBytes(16).toString("base64"),
    "sec-websocket-protocol": subprotocols.length === 0 ? undefined : subprotocols.join(", "),
    authorization,
    ...headers,
  };
  return Object.fromEntries(
    Object.entries(all).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
}

async function refusal(port: number, path: string, options: HandshakeOptions): Promise<Refused> {
  const answer = await ask(port, {
    path,
    method: options.method ?? "GET",
    headers: handshakeHeaders(options),
  });
  const isProblem = answer.headers["content-type"] === "application/problem+json";
  const isHead = options.method === "HEAD";
  assert.ok(isProblem, `${answer.status} ${answer.text}`);
  const problem = isHead ? {} : JSON.parse(answer.text);
  if (!isHead) assert.equal(problem.status, answer.status);
  return { ...answer, problem };
}

interface Asked {
  readonly path: string;
  readonly method?: string;
  readonly headers: { readonly [name: string]: string };
}

/** @throws {Error} if the response is an upgrade. */
function ask(port: number, asked: Asked): Promise<Omit<Refused, "problem">> {
  return new Promise((resolve, reject) => {
    const sent = request({ ...asked, host: "127.0.0.1", port, agent: false });
    sent.on("error", reject);
    sent.on("upgrade", (_response, socket) => {
      socket.destroy();
      reject(new Error(`${asked.path} was not refused`));
    });
    sent.on("response", (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (part: string) => {
        text += part;
      });
      response.on("error", reject);
      response.on("end", () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, text }),
      );
    });
    sent.end();
  });
}

/** A handshake as bytes, for requests that no client library would send. */
export function handshakeBytes(port: number, path: string, options: HandshakeOptions = {}): string {
  const headers = { host: `127.0.0.1:${port}`, ...handshakeHeaders(options) };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return `${options.method ?? "GET"} ${path} HTTP/1.1\r\n${lines.join("")}\r\n`;
}

/** A binary message from a client, framed as in RFC 6455. */
export function maskedMessage(payload: Uint8Array): Buffer {
  assert.ok(payload.length < 126);
  const mask = randomBytes(4);
  const masked = Buffer.from(payload).map((byte, index) => byte ^ (mask[index % 4] ?? 0));
  return Buffer.concat([Buffer.from([0x82, 0x80 | payload.length]), mask, masked]);
}

/** The TCP socket below a WebSocket. */
export function rawSocketOf(client: Client): Socket {
  return (client.socket as unknown as { readonly _socket: Socket })._socket;
}

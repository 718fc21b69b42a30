/**
 * A runtime's streaming server for tests: SPDY/3.1 over a real socket, with one-time tokens and the behaviour that a
 * test sets.
 */
import { createServer, type IncomingMessage, type Server } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import type { StreamRequest } from "./fake-runtime.ts";
import { createServerSession, type ServerSession } from "./spdy-session.ts";

export type { ServerSession, ServerStream } from "./spdy-session.ts";

/** What a session does once it is established. Rejections are collected in `failures`. */
export type Behaviour = (session: ServerSession, request: StreamRequest) => void | Promise<void>;

/** A response in place of the 101. */
export interface Refusal {
  readonly status: number;
  readonly headers?: { readonly [name: string]: string };
  readonly body?: string;
}

export interface SpdyServerOptions {
  /** PEM. Serves TLS if set. */
  readonly tls?: { readonly key: string; readonly cert: string };
  /** The address to listen on. Default: 127.0.0.1. */
  readonly host?: string;
}

export interface SpdyServer {
  readonly port: number;
  /** `http://127.0.0.1:PORT`. */
  readonly origin: string;
  /** All sessions so far. */
  readonly sessions: readonly ServerSession[];
  /** The number of open connections, whatever was requested on them. */
  readonly connections: number;
  /** The requests so far: `POST /exec/TOKEN`. */
  readonly requests: readonly string[];
  /** The errors of rejected behaviours. */
  readonly failures: readonly unknown[];
  /** Runs for each new session. By default a session sends nothing. */
  behaviour: Behaviour;
  /** Replaces the session: a response, raw bytes, or nothing at all. */
  refusal: Refusal | Buffer | "silence" | undefined;
  /** Bytes sent in the same write as the 101. */
  head: Buffer;
  /** Headers that replace those of the 101. */
  upgradeHeaders: { readonly [name: string]: string };
  /** Expects one session, for the fake runtime's `streamUrl`. */
  readonly streamUrl: (stream: StreamRequest) => number;
  /** Expects one session and returns its URL, for tests without a runtime. */
  issue(kind: StreamRequest["kind"], request?: Partial<StreamRequest>): string;
  /** Forgets the sessions and requests so far. */
  forget(): void;
  /** Drops all connections and stops listening. */
  close(): Promise<void>;
}

const protocols = {
  exec: "v4.channel.k8s.io",
  attach: "v4.channel.k8s.io",
  portforward: "portforward.k8s.io",
};
const path = /^(?:\/cri)?\/(exec|attach|portforward)\/([\w-]+)$/;
let issued = 0;

export async function createSpdyServer({
  tls,
  host = "127.0.0.1",
}: SpdyServerOptions = {}): Promise<SpdyServer> {
  const tokens = new Map<string, StreamRequest>();
  const sessions: ServerSession[] = [];
  const requests: string[] = [];
  const failures: unknown[] = [];
  const sockets = new Set<Duplex>();
  const server: Server = tls === undefined ? createServer() : createTlsServer(tls);

  /** Consumes a token, as every request does. */
  function redeem({ method, url = "" }: IncomingMessage): StreamRequest | undefined {
    requests.push(`${method} ${url}`);
    const [, kind, token = ""] = path.exec(url) ?? [];
    const stream = tokens.get(token);
    tokens.delete(token);
    return stream?.kind === kind ? stream : undefined;
  }

  server.on("connection", (socket: Duplex) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    socket.on("error", () => undefined);
  });
  server.on("request", (request, response) => {
    const known = redeem(request) !== undefined;
    response.writeHead(known ? 400 : 404, { connection: "close" });
    response.end(known ? "you must specify at least 1 of stdin, stdout, stderr" : "404 page not found\n");
  });
  server.on("upgrade", (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    socket.on("error", () => undefined);
    const stream = redeem(request);
    const { refusal } = made;
    if (refusal === "silence") {
      socket.on("end", () => socket.end()).resume();
      return;
    }
    if (Buffer.isBuffer(refusal)) return void socket.end(refusal);
    if (refusal !== undefined) return answer(socket, refusal);
    if (stream === undefined) return answer(socket, { status: 404, body: "404 page not found\n" });
    const protocol = protocols[stream.kind];
    if (request.headers["x-stream-protocol-version"] !== protocol) {
      return answer(socket, { status: 403, headers: { "X-Accepted-Stream-Protocol-Versions": protocol } });
    }
    if (request.method !== "POST" || request.headers.upgrade !== "SPDY/3.1") {
      return answer(socket, { status: 400, body: "unable to upgrade: missing upgrade headers in request" });
    }
    const headers = {
      Connection: "Upgrade",
      Upgrade: "SPDY/3.1",
      "X-Stream-Protocol-Version": protocol,
      ...made.upgradeHeaders,
    };
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
    socket.write(
      Buffer.concat([Buffer.from(`HTTP/1.1 101 Switching Protocols\r\n${lines.join("")}\r\n`), made.head]),
    );
    const session = createServerSession({
      ...{ socket, head },
      path: request.url ?? "",
      requestHeaders: request.headers,
    });
    sessions.push(session);
    void Promise.resolve(made.behaviour(session, stream)).catch((error: unknown) => {
      failures.push(error);
      session.drop();
    });
  });

  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, host, resolve);
  });
  const { port } = server.address() as AddressInfo;
  const authority = host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
  const made: SpdyServer = {
    ...{ port, sessions, requests, failures },
    get connections() {
      return sockets.size;
    },
    origin: `${tls === undefined ? "http" : "https"}://${authority}`,
    behaviour: () => undefined,
    refusal: undefined,
    head: Buffer.alloc(0),
    upgradeHeaders: {},
    streamUrl(stream) {
      tokens.set(stream.token, stream);
      return port;
    },
    issue(kind, request = {}) {
      const silent = { command: [], tty: false, stdin: false, stdout: false, stderr: false, ports: [] };
      const token = `Token${(issued++).toString().padStart(3, "0")}`;
      made.streamUrl({ id: "", ...silent, ...request, kind, token });
      return `${made.origin}/${kind}/${token}`;
    },
    forget() {
      sessions.length = 0;
      requests.length = 0;
    },
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
  return made;
}

function answer(socket: Duplex, { status, headers = {}, body = "" }: Refusal): void {
  const all = { "Content-Length": String(Buffer.byteLength(body)), Connection: "close", ...headers };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.end(`HTTP/1.1 ${status} Refused\r\n${lines.join("")}\r\n${body}`);
}

/**
 * A client of the gateway's WebSocket sessions, as Kubernetes' clients are: a channel before each payload.
 * What comes is kept by channel, unless the test takes it itself.
 */
import assert from "node:assert/strict";
import type { IncomingHttpHeaders } from "node:http";
import type { Socket } from "node:net";
import { type RawData, WebSocket } from "ws";
import { checkAnswer } from "../../support/document.ts";
import { eventually } from "../../support/eventually.ts";
import { type Answer, createApi } from "../support/api.ts";

export const channel = { stdin: 0, stdout: 1, stderr: 2, status: 3, resize: 4, close: 255 } as const;

export const v5 = "v5.channel.k8s.io";
export const v4 = "v4.channel.k8s.io";
export const base64 = "v4.base64.channel.k8s.io";

/** Where a gateway is, and what opens it. */
export interface Place {
  /** `http://127.0.0.1:8585` */
  readonly address: string;
  readonly token: string;
}

export type Query = { readonly [name: string]: string | number | boolean | readonly (string | number)[] };

export interface OpenOptions {
  readonly query?: Query;
  /** Default: v5 alone. An empty list offers none. */
  readonly subprotocols?: readonly string[];
  /** Beside or instead of the token's; `undefined` leaves one out. */
  readonly headers?: { readonly [name: string]: string | undefined };
  /** Whether messages have no channel; all come on `stdout` then. */
  readonly raw?: boolean;
  /** Takes what comes; nothing is kept then. */
  readonly onMessage?: (channel: number, payload: Buffer) => void;
}

export interface Ending {
  readonly code: number;
  readonly reason: string;
}

/** Kubernetes' Status, as far as a test looks at it. */
export interface Status {
  readonly status: "Success" | "Failure";
  readonly reason?: string;
  readonly message?: string;
  readonly details?: { readonly causes?: readonly { readonly reason: string; readonly message: string }[] };
}

export interface Session {
  readonly socket: WebSocket;
  /** What is below the WebSocket, for who writes frames of its own. */
  readonly connection: Socket;
  /** The channel of the first message, once one has come. */
  firstChannel(): number | undefined;
  /** All that came on a channel so far; `stdout` by default. */
  bytes(channel?: number): Buffer;
  text(channel?: number): string;
  /** Waits until the text of a channel has a match, and gives it. */
  until(pattern: RegExp, options?: { readonly on?: number; readonly timeoutMs?: number }): Promise<string>;
  /** Settles when the message has left for the network. */
  send(channel: number, payload: string | Uint8Array): Promise<void>;
  /** `send` on stdin. */
  type(text: string | Uint8Array): Promise<void>;
  /** Half-closes stdin, which v5 alone can. */
  endInput(): Promise<void>;
  resize(columns: number, rows: number): Promise<void>;
  /** Settles with the code of the close, whoever closed; 1006 without a close. */
  readonly ended: Promise<Ending>;
  /** How the command ended; waits for the close, which must be 1000. */
  status(): Promise<Status>;
  /** Closes as a client does that has read enough. */
  /** Default code: 1000. */
  close(code?: number): Promise<Ending>;
}

const patience = { timeoutMs: 30_000, intervalMs: 10 };

function urlOf({ address }: Place, path: string, query: Query = {}): URL {
  const url = new URL(path, address.replace(/^http/, "ws"));
  for (const [name, value] of Object.entries(query)) {
    for (const one of Array.isArray(value) ? value : [value]) url.searchParams.append(name, String(one));
  }
  return url;
}

function dial(place: Place, path: string, options: OpenOptions): WebSocket {
  const { subprotocols = [v5], query, headers } = options;
  const all = { authorization: `Bearer ${place.token}`, ...headers };
  const given = Object.entries(all).filter(([, value]) => value !== undefined);
  return new WebSocket(urlOf(place, path, query), [...subprotocols], {
    headers: Object.fromEntries(given),
    perMessageDeflate: false,
  });
}

/** Opens a session. @throws {Error} with the status and the text of an answer that is no upgrade. */
export function openSession(place: Place, path: string, options: OpenOptions = {}): Promise<Session> {
  const socket = dial(place, path, options);
  const session = follow(socket, options);
  const { pathname, search } = urlOf(place, path, options.query);
  return new Promise((resolve, reject) => {
    const check = (status: number, headers: IncomingHttpHeaders, text: string): void => {
      try {
        checkAnswer("GET", pathname + search, { status, headers, text });
      } catch (error) {
        socket.terminate();
        reject(error);
      }
    };
    socket.once("upgrade", ({ socket: connection, headers }) => {
      // What the handshake itself consists of is RFC 6455's.
      const { upgrade: _upgrade, "sec-websocket-accept": _accept, ...others } = headers;
      check(101, others, "");
      socket.once("open", () => resolve({ ...session, connection }));
    });
    socket.once("error", reject);
    socket.once("unexpected-response", (_request, response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => {
        text += chunk;
      });
      response.on("end", () => {
        const { statusCode = 0, headers } = response;
        const isJson = /\bjson\b/.test(headers["content-type"] ?? "");
        check(statusCode, headers, text);
        reject(
          new Refused({ status: statusCode, headers, text, body: isJson ? JSON.parse(text) : undefined }),
        );
      });
    });
  });
}

/** An HTTP answer in the place of the upgrade. */
class Refused extends Error {
  readonly answer: Answer;

  constructor(answer: Answer) {
    super(`The handshake was answered ${answer.status}: ${answer.text}`);
    this.answer = answer;
  }
}

/** The answer of a handshake that must be refused. */
export async function refusal(place: Place, path: string, options: OpenOptions = {}): Promise<Answer> {
  try {
    const { socket } = await openSession(place, path, options);
    socket.terminate();
  } catch (error) {
    if (error instanceof Refused) return error.answer;
    throw error;
  }
  throw new Error(`The handshake for ${path} was not refused`);
}

/** What a session is made of, from a socket that may still be opening. */
function follow(socket: WebSocket, { raw = false, onMessage }: OpenOptions): Omit<Session, "connection"> {
  const kept = new Map<number, Buffer[]>();
  let first: number | undefined;

  const decode = (data: RawData, isBinary: boolean): readonly [number, Buffer] => {
    const message = data as Buffer;
    if (raw) return [channel.stdout, message];
    if (isBinary) return [message[0] ?? -1, message.subarray(1)];
    return [Number(message.toString("latin1", 0, 1)), Buffer.from(message.toString("latin1", 1), "base64")];
  };
  const encode = (number: number, payload: Buffer): Buffer | string => {
    if (raw) return payload;
    if (socket.protocol === base64) return `${number}${payload.toString("base64")}`;
    return Buffer.concat([Buffer.of(number), payload]);
  };
  const ended = new Promise<Ending>((resolve) => {
    socket.on("close", (code, reason) => resolve({ code, reason: reason.toString("utf8") }));
  });
  socket.on("error", () => undefined);
  socket.on("message", (data, isBinary) => {
    const [number, payload] = decode(data, isBinary);
    first ??= number;
    if (onMessage) onMessage(number, payload);
    else kept.set(number, [...(kept.get(number) ?? []), payload]);
  });

  const bytes = (number: number = channel.stdout): Buffer => {
    const whole = Buffer.concat(kept.get(number) ?? []);
    if (kept.has(number)) kept.set(number, [whole]);
    return whole;
  };
  const send = (number: number, payload: string | Uint8Array): Promise<void> =>
    new Promise((resolve, reject) => {
      socket.send(encode(number, Buffer.from(payload as Uint8Array)), (error) =>
        error ? reject(error) : resolve(),
      );
    });
  const session: Omit<Session, "connection"> = {
    ...{ socket, bytes, send, ended },
    firstChannel: () => first,
    text: (number) => bytes(number).toString("utf8"),
    async until(pattern, { on = channel.stdout, timeoutMs = patience.timeoutMs } = {}) {
      try {
        const found = await eventually(() => pattern.exec(session.text(on)), { ...patience, timeoutMs });
        return found[0];
      } catch (cause) {
        const came = JSON.stringify(session.text(on).slice(-500));
        throw new Error(`No ${pattern} on channel ${on}: there is ${came}`, { cause });
      }
    },
    type: (text) => send(channel.stdin, text),
    endInput: () => send(channel.close, Buffer.of(channel.stdin)),
    resize: (columns, rows) => send(channel.resize, JSON.stringify({ Width: columns, Height: rows })),
    async status() {
      const ending = await ended;
      assert.deepEqual(ending, { code: 1000, reason: "" });
      return JSON.parse(session.text(channel.status)) as Status;
    },
    async close(code = 1000) {
      socket.close(code);
      return await ended;
    },
  };
  return session;
}

/** The exit code that a status tells; a Success is 0, and what is no exit is undefined. */
export function exitCodeOf({ status, details }: Status): number | undefined {
  if (status === "Success") return 0;
  const cause = details?.causes?.find(({ reason }) => reason === "ExitCode");
  return cause && Number(cause.message);
}

/** A command's query: words, or a script for the shell. */
export function command(words: string | readonly string[], others: Query = {}): Query {
  return { command: typeof words === "string" ? ["sh", "-c", words] : words, ...others };
}

/** The major version of the runtime behind a gateway: 1 or 2 for containerd. */
export async function runtimeMajor(place: Place): Promise<number> {
  const api = createApi(place.address, place.token);
  try {
    const { body } = await api.get<{ readonly runtimeVersion: string }>("/v1/version");
    return Number.parseInt(body.runtimeVersion.replace(/^v/, ""), 10);
  } finally {
    api.close();
  }
}

/**
 * A WebSocket in Kubernetes' channel protocol: each message is a channel number and a payload. Opens it, finds out why it did
 * not open, and sends and receives at the pace of both sides.
 */
import type { ByteQueue } from "./byte-queue.ts";
import { CrestError } from "./crest-error.ts";
import type { RefusedHandshake, WebSocketClass, WebSocketLike } from "./platform.ts";
import { refusal } from "./server.ts";

/** Output that waits for its reader before the socket is paused, in bytes. */
const pauseAtBytes = 1024 * 1024;
const resumeAtBytes = pauseAtBytes / 2;
/** Where a socket cannot be paused, the session ends here. */
const mostWaitingBytes = 16 * 1024 * 1024;
/** Input that waits in the socket before `write` waits, in bytes. */
const mostBufferedBytes = 1024 * 1024;
const pieceBytes = 64 * 1024;
/** Milliseconds between looks at what waits in the socket: WebSockets have no event for it. */
const lookMs = 10;
/** What a refused handshake's body may have, in bytes. */
const maxProblemBytes = 64 * 1024;
/** The close code of a session that the client ends because its program does not read. */
const tooSlowCode = 4408;

/** Carries the token, since browsers cannot set headers. */
const bearerPrefix = "base64url.bearer.authorization.k8s.io.";

export interface ChannelHandlers {
  message(channel: number, payload: Uint8Array): void;
  /**
   * Called once, when nothing comes any more. `error` is absent if the gateway closed the session in order; `code` is
   * absent if the program closed it.
   */
  closed(error?: unknown, code?: number): void;
}

export interface ChannelSocket {
  /**
   * Sends bytes, in order. Resolves when there is room for more.
   *
   * @throws {CrestError} session_closed, connection_lost. @throws {TypeError} for what is neither text nor bytes.
   */
  write(channel: number, data: string | Uint8Array): Promise<void>;
  /** Sends one message after what was written. */
  send(channel: number, payload: Uint8Array): Promise<void>;
  /** Compares what waits in `queues` with the limits. */
  balance(queues: readonly ByteQueue[]): void;
  /** Ends the session for a reason of the program. Default code: 1000. */
  close(reason?: unknown, code?: number): void;
  /** Whether nothing is read, because the program does not read either. */
  readonly isPaused: boolean;
}

export interface OpenOptions {
  readonly url: URL;
  readonly token: string | undefined;
  readonly subprotocol: string;
  readonly WebSocket: WebSocketClass | undefined;
  readonly signal: AbortSignal | undefined;
  readonly handlers: ChannelHandlers;
  /** Finds out why the socket did not open, where the platform does not say. */
  whyNot(): Promise<CrestError>;
}

/** Opens it. @throws {CrestError} if the gateway refuses. @throws {TypeError} if the platform has no WebSocket. */
export async function openChannels(options: OpenOptions): Promise<ChannelSocket> {
  const { url, token, subprotocol, WebSocket, signal, handlers } = options;
  if (WebSocket === undefined)
    throw new TypeError(
      "This platform has no WebSocket: pass one to createClient, such as that of the package ws",
    );
  signal?.throwIfAborted();
  const address = new URL(url);
  address.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  const bearer = token === undefined ? [] : [bearerPrefix + base64url(token)];
  const socket = new WebSocket(address.href, [...bearer, subprotocol]);
  socket.binaryType = "arraybuffer";

  let ended: { readonly error: unknown } | undefined;
  let isPaused = false;
  const end = (error: unknown, code?: number): void => {
    if (ended !== undefined) return;
    ended = { error };
    signal?.removeEventListener("abort", abort);
    handlers.closed(error, code);
  };
  function close(reason: unknown, code = 1000): void {
    if (ended !== undefined) return;
    end(reason);
    // A paused socket sees no answer to its close.
    if (isPaused) socket.resume?.();
    socket.close(code);
  }
  const abort = (): void => close(signal?.reason);

  socket.addEventListener("message", ({ data }) => {
    if (ended !== undefined || !(data instanceof ArrayBuffer) || data.byteLength === 0) return;
    const message = new Uint8Array(data);
    handlers.message(message[0] ?? 0, message.subarray(1));
  });
  let isOpen = false;
  socket.addEventListener("open", () => {
    isOpen = true;
  });
  socket.addEventListener("close", ({ code, reason }) => {
    if (isOpen) end(code === 1000 ? undefined : lost(code, reason), code ?? 1006);
  });
  signal?.addEventListener("abort", abort, { once: true });
  await opened(socket, options).catch((error: unknown) => {
    // The signal has gone before.
    const reason = ended === undefined ? error : ended.error;
    close(reason);
    throw reason;
  });
  signal?.throwIfAborted();

  let written: Promise<void> = Promise.resolve();
  const check = (): void => {
    if (ended !== undefined)
      throw ended.error ?? new CrestError("session_closed", "Cannot write: the session has ended");
  };
  /** After what was written before; a failure is also that of everything after it. */
  function queue(send: () => Promise<void>): Promise<void> {
    const done = written.then(send);
    written = unwatched(done);
    return done;
  }

  return {
    async write(channel, data) {
      const bytes = typeof data === "string" ? new TextEncoder().encode(data) : data;
      if (!(bytes instanceof Uint8Array)) throw new TypeError("write takes text or a Uint8Array");
      await queue(async () => {
        for (let at = 0; at < bytes.length; at += pieceBytes) {
          check();
          socket.send(messageOf(channel, bytes.subarray(at, at + pieceBytes)));
          while (socket.bufferedAmount > mostBufferedBytes && ended === undefined)
            await new Promise((resolve) => setTimeout(resolve, lookMs));
        }
      });
    },
    send: (channel, payload) =>
      queue(async () => {
        check();
        socket.send(messageOf(channel, payload));
      }),
    balance(queues) {
      if (ended !== undefined) return;
      const waiting = queues.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
      if (socket.pause !== undefined && socket.resume !== undefined) {
        if (!isPaused && waiting > pauseAtBytes) {
          isPaused = true;
          socket.pause();
        } else if (isPaused && waiting < resumeAtBytes) {
          isPaused = false;
          socket.resume();
        }
      } else if (waiting > mostWaitingBytes) {
        const detail = `The program left ${mostWaitingBytes} bytes of the session unread, and this platform cannot pause a WebSocket`;
        close(new CrestError("reader_too_slow", detail), tooSlowCode);
      }
    },
    get isPaused() {
      return isPaused;
    },
    close: (reason = new CrestError("session_closed", "The program closed the session"), code) =>
      close(reason, code),
  };
}

/** The same promise, whose failure may stay unnoticed: a program need not wait for what it writes. */
export function unwatched(done: Promise<void>): Promise<void> {
  done.catch(() => undefined);
  return done;
}

/** Waits until the socket is open. */
async function opened(socket: WebSocketLike, { whyNot, signal }: OpenOptions): Promise<void> {
  const refused = await new Promise<CrestError | "unknown" | undefined>((resolve) => {
    socket.addEventListener("open", () => resolve(undefined));
    // `close` comes after it, with more.
    socket.addEventListener("error", () => undefined);
    socket.addEventListener("close", () => resolve("unknown"));
    socket.on?.("unexpected-response", (_request, response) => {
      void refusedWith(response).then(resolve);
    });
  });
  if (refused === undefined) return;
  signal?.throwIfAborted();
  throw refused === "unknown" ? await whyNot() : refused;
}

/** The problem in the answer to a handshake. */
function refusedWith(response: RefusedHandshake): Promise<CrestError> {
  return new Promise((resolve) => {
    const decoder = new TextDecoder();
    let text = "";
    const end = (): void => resolve(refusal(response.statusCode ?? 0, text));
    response.on("data", (part) => {
      if (text.length < maxProblemBytes) text += decoder.decode(part, { stream: true });
    });
    for (const event of ["end", "close", "error"]) response.on(event, end);
  });
}

function lost(code = 1006, reason = ""): CrestError {
  const why = reason === "" ? `close code ${code}` : `${reason} (close code ${code})`;
  return new CrestError("connection_lost", `The session was lost: ${why}`);
}

function messageOf(channel: number, payload: Uint8Array): Uint8Array<ArrayBuffer> {
  const message = new Uint8Array(1 + payload.length);
  message[0] = channel;
  message.set(payload, 1);
  return message;
}

/** The token is ASCII. */
const base64url = (text: string): string =>
  btoa(text).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");

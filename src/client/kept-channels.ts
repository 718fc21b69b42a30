/**
 * The connections of a kept session, one after the other, as if they were one.
 *
 * Invariant: each byte of input and output passes once and in order. Both sides count: the client asks for the output from
 * where it is, and sends again the input that the gateway does not have.
 */
import type { ByteQueue } from "./byte-queue.ts";
import {
  type ChannelHandlers,
  type ChannelSocket,
  type OpenOptions,
  openChannels,
} from "./channel-socket.ts";
import { CrestError } from "./crest-error.ts";
import { isPassing, pause, pauseMs, type Reconnection } from "./reconnection.ts";

export interface KeepOptions {
  /** `false`: a lost connection ends the session for the program; the gateway still keeps it. Default: true. */
  readonly reconnect?: boolean | undefined;
  /** Called before each attempt to reconnect. */
  readonly onReconnect?: ((reconnection: Reconnection) => void) | undefined;
  /** Called when the session goes on. `lostBytes`: output of a terminal that the gateway no longer had. */
  readonly onReconnected?: ((reconnected: { readonly lostBytes: number }) => void) | undefined;
}

export interface KeptChannelsOptions extends KeepOptions {
  /** How the first connection is opened. */
  readonly first: Opening;
  /** How later ones are opened: from a position of the output. */
  readonly next: (sessionId: string, from: number) => Promise<Opening>;
  /** Position of the output where the first connection begins. */
  readonly from: number;
  /** Ends a session that has no connection. */
  readonly end: (sessionId: string) => void;
  readonly signal: AbortSignal | undefined;
  readonly handlers: ChannelHandlers;
}

export type Opening = Omit<OpenOptions, "subprotocol" | "handlers">;

/** What the gateway says of a session. */
export interface KeptSessionFacts {
  readonly id: string;
  readonly type: string;
  readonly containerId: string;
  readonly stdin: boolean;
  readonly tty: boolean;
  readonly lingerSeconds: number;
}

export interface KeptChannels extends ChannelSocket {
  readonly facts: KeptSessionFacts;
  /** Bytes of output that the gateway no longer had when the first connection began. */
  readonly lostBytes: number;
  /** Leaves the session, which the gateway keeps for a while. */
  detach(): void;
}

/** The first message on each connection: see the gateway's `resumeSession`. */
interface Welcome {
  readonly session?: KeptSessionFacts;
  readonly input: number;
  readonly output?: number;
  readonly lost?: number;
}

const channel = { stdin: 0, stdout: 1, stderr: 2, status: 3, resize: 4, session: 5, halfClose: 255 } as const;
const subprotocol = "v5.channel.k8s.io";
/** Keeps the session, as opposed to 1000. */
const detachCode = 4000;
/** With these, the gateway says that the session is over, or is another client's. */
const finalCodes: ReadonlySet<number> = new Set([1000, 1001, 1009, 1012, 4400, 4401, 4408, 4409, 4410]);
const takenOverCode = 4409;
/** The output is confirmed in steps of this size, in bytes: the gateway waits at 256 KiB. */
const confirmBytes = 64 * 1024;
/** Output that waits for its reader before it is no longer confirmed, in bytes. */
const mostWaitingBytes = 256 * 1024;
/** Input that is not confirmed before `write` waits, in bytes. */
const mostUnconfirmedBytes = 1024 * 1024;
/** The gateway sends something every 5 s, so a silent connection is gone. */
const silenceMs = 20_000;
const lookMs = 5000;
/** How long an attempt to connect may take. */
const attemptMs = 10_000;

/** A part of the input: bytes, or its end, which counts as one. */
interface Sent {
  readonly data: Uint8Array | "end";
  /** Position after it. */
  readonly end: number;
}

/** Opens a kept session, or goes on with one. Resolves once the gateway has said which it is. @throws {CrestError} */
export async function openKept(options: KeptChannelsOptions): Promise<KeptChannels> {
  const { handlers, signal, reconnect = true, onReconnect, onReconnected } = options;
  let connection: ChannelSocket | undefined;
  /** Whether the gateway has said where the session goes on. */
  let isReady = false;
  let facts: KeptSessionFacts | undefined;
  let lostBytes = 0;
  let received = options.from;
  let confirmed = -1;
  let unread: readonly ByteQueue[] = [];
  let written = 0;
  const unconfirmed: Sent[] = [];
  let unconfirmedBytes = 0;
  let wake: (() => void)[] = [];
  let size: Uint8Array | undefined;
  let heardAt = 0;
  let hasStatus = false;
  let ended: { readonly error: unknown } | undefined;
  /** Of the connection that is being opened. */
  let welcomed: (facts: KeptSessionFacts) => void = () => undefined;
  const stop = new AbortController();

  function finish(error: unknown): void {
    if (ended !== undefined) return;
    ended = { error };
    clearInterval(watch);
    signal?.removeEventListener("abort", abort);
    stop.abort();
    release();
    handlers.closed(error);
  }
  /** Ends the session for the program, and for the gateway, too. */
  function close(reason: unknown): void {
    if (ended !== undefined) return;
    const { id } = facts ?? {};
    if (connection === undefined && id !== undefined) options.end(id);
    finish(reason);
    connection?.close(reason);
  }
  const abort = (): void => close(signal?.reason);
  function release(): void {
    const waiting = wake;
    wake = [];
    for (const resolve of waiting) resolve();
  }

  // ---- Input ----

  function transmit({ data }: Sent): void {
    if (!isReady || connection === undefined) return;
    const done =
      data === "end"
        ? connection.send(channel.halfClose, Uint8Array.of(channel.stdin))
        : connection.write(channel.stdin, data);
    // What does not arrive is sent again.
    done.catch(() => undefined);
  }
  function add(data: Sent["data"]): void {
    const length = data === "end" ? 1 : data.length;
    written += length;
    unconfirmedBytes += length;
    const sent = { data, end: written };
    unconfirmed.push(sent);
    transmit(sent);
  }
  /** The gateway has the input up to `position`. */
  function confirmInput(position: number): void {
    const count = unconfirmed.findIndex(({ end }) => end > position);
    const gone = unconfirmed.splice(0, count === -1 ? unconfirmed.length : count);
    const first = unconfirmed[0];
    unconfirmedBytes -= gone.reduce((sum, { data }) => sum + (data === "end" ? 1 : data.length), 0);
    if (first !== undefined && first.data !== "end") {
      const start = first.end - first.data.length;
      if (position > start) {
        unconfirmed[0] = { data: first.data.subarray(position - start), end: first.end };
        unconfirmedBytes -= position - start;
      }
    }
    if (unconfirmedBytes <= mostUnconfirmedBytes) release();
  }
  const check = (): void => {
    if (ended !== undefined)
      throw ended.error ?? new CrestError("session_closed", "Cannot write: the session has ended");
  };

  // ---- Output ----

  function confirmOutput(): void {
    if (!isReady || connection === undefined) return;
    const waiting = unread.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    if (confirmed >= 0 && (received - confirmed < confirmBytes || waiting > mostWaitingBytes)) return;
    confirmed = received;
    const message = new TextEncoder().encode(JSON.stringify({ output: received }));
    connection.send(channel.session, message).catch(() => undefined);
  }

  function welcome(payload: Uint8Array): void {
    const message = messageIn(payload);
    if (message === undefined) return;
    const isFirst = facts === undefined;
    if (message.session === undefined) {
      confirmInput(message.input);
      return;
    }
    facts = message.session;
    const lost = message.lost ?? 0;
    if (isFirst) {
      lostBytes = lost;
      // Another client may have written before.
      written = message.input;
    } else if (lost > 0 && !facts.tty) {
      close(
        new CrestError(
          "connection_lost",
          `${lost} bytes of output were lost while the session had no connection`,
        ),
      );
      return;
    }
    received = message.output ?? received;
    confirmInput(message.input);
    isReady = true;
    confirmed = -1;
    confirmOutput();
    if (size !== undefined) resize(size, lost > 0);
    for (const sent of unconfirmed) transmit(sent);
    welcomed(facts);
    if (!isFirst) onReconnected?.({ lostBytes: lost });
  }
  /** A program draws its screen again when the size changes. */
  function resize(payload: Uint8Array, mustRedraw: boolean): void {
    if (!isReady || connection === undefined) return;
    const { Width, Height }: { Width: number; Height: number } = JSON.parse(
      new TextDecoder().decode(payload),
    );
    const other = new TextEncoder().encode(JSON.stringify({ Width, Height: Height > 1 ? Height - 1 : 2 }));
    for (const one of mustRedraw ? [other, payload] : [payload])
      connection.send(channel.resize, one).catch(() => undefined);
  }

  // ---- Connections ----

  /** Opens a connection, and waits until the gateway has said where the session goes on. */
  async function open(opening: Opening): Promise<KeptSessionFacts> {
    isReady = false;
    let hasBegun = false;
    let refused: (error: unknown) => void = () => undefined;
    const begun = new Promise<KeptSessionFacts>((resolve, reject) => {
      refused = reject;
      welcomed = (said) => {
        hasBegun = true;
        resolve(said);
      };
    });
    begun.catch(() => undefined);
    let own: ChannelSocket | undefined;
    /** What comes before the socket is here. */
    const early: (() => void)[] = [];
    const whenOpen = (work: () => void): void => {
      if (own === undefined) early.push(work);
      else if (connection === own) work();
    };
    const opened = await openChannels({
      ...opening,
      subprotocol,
      handlers: {
        message: (number, payload) => whenOpen(() => take(number, payload)),
        closed: (error, code) =>
          whenOpen(() => {
            connection = undefined;
            isReady = false;
            if (!hasBegun) refused(error ?? lostEarly());
            else if (ended === undefined) disconnected(error, code);
          }),
      },
    });
    own = opened;
    if (ended !== undefined) {
      opened.close(ended.error);
      throw ended.error ?? lostEarly();
    }
    connection = opened;
    heardAt = performance.now();
    for (const work of early) if (connection === opened) work();
    return begun;
  }

  function take(number: number, payload: Uint8Array): void {
    if (ended !== undefined) return;
    heardAt = performance.now();
    if (number === channel.session) {
      welcome(payload);
      return;
    }
    if (number === channel.stdout || number === channel.stderr) received += payload.length;
    if (number === channel.status && payload.length > 0) hasStatus = true;
    handlers.message(number, payload);
    confirmOutput();
  }

  function disconnected(error: unknown, code: number | undefined): void {
    const isFinal = error === undefined || hasStatus || finalCodes.has(code ?? 0);
    if (code === takenOverCode)
      finish(new CrestError("session_taken_over", "Another connection has taken over the session"));
    else if (isFinal || !reconnect || !(error instanceof CrestError) || error.code !== "connection_lost")
      finish(error);
    else if (facts !== undefined) void goOn(facts, error);
  }

  async function goOn({ id, lingerSeconds }: KeptSessionFacts, why: CrestError): Promise<void> {
    const lostAt = performance.now();
    let error = why;
    for (let attempt = 1; performance.now() - lostAt <= lingerSeconds * 1000; attempt++) {
      const delayMs = pauseMs(attempt, error.retryAfter);
      onReconnect?.({ error, attempt, delayMs });
      await pause(delayMs, stop.signal);
      if (ended !== undefined) return;
      const timer = new AbortController();
      const late = setTimeout(() => timer.abort(tooLate()), attemptMs);
      const stopped = (): void => timer.abort(stop.signal.reason);
      stop.signal.addEventListener("abort", stopped, { once: true });
      try {
        await open({ ...(await options.next(id, received)), signal: timer.signal });
        return;
      } catch (thrown) {
        if (ended !== undefined) return;
        if (!isPassing(thrown)) {
          finish(thrown);
          return;
        }
        error = thrown;
      } finally {
        clearTimeout(late);
        stop.signal.removeEventListener("abort", stopped);
      }
    }
    finish(error);
  }

  const watch = setInterval(() => {
    if (connection === undefined || connection.isPaused || performance.now() - heardAt < silenceMs) return;
    connection.close(new CrestError("connection_lost", "Nothing came over the connection"), detachCode);
  }, lookMs);
  unref(watch);
  signal?.addEventListener("abort", abort, { once: true });
  let begun: KeptSessionFacts;
  try {
    begun = await open({ ...options.first, signal });
  } catch (error) {
    finish(error);
    throw error;
  }

  return {
    facts: begun,
    lostBytes,
    isPaused: false,
    async write(number, data) {
      const bytes = typeof data === "string" ? new TextEncoder().encode(data) : data;
      if (!(bytes instanceof Uint8Array)) throw new TypeError("write takes text or a Uint8Array");
      check();
      if (number !== channel.stdin) throw new TypeError("Only input is written");
      // It may be sent again after the caller has changed it.
      if (bytes.length > 0) add(bytes.slice());
      while (unconfirmedBytes > mostUnconfirmedBytes && ended === undefined)
        await new Promise<void>((resolve) => {
          wake.push(resolve);
        });
      check();
    },
    async send(number, payload) {
      check();
      if (number === channel.halfClose) add("end");
      else if (number === channel.resize) {
        size = payload;
        resize(payload, false);
      }
    },
    balance(queues) {
      unread = queues;
      connection?.balance(queues);
      confirmOutput();
    },
    close: (reason = new CrestError("session_closed", "The program closed the session")) => close(reason),
    detach() {
      if (ended !== undefined) return;
      const reason = new CrestError("session_closed", "The program left the session");
      finish(reason);
      connection?.close(reason, detachCode);
    },
  };
}

const lostEarly = (): CrestError =>
  new CrestError("connection_lost", "The connection ended before the session went on");
const tooLate = (): CrestError =>
  new CrestError("connection_failed", `No connection within ${attemptMs / 1000} s`);

function messageIn(payload: Uint8Array): Welcome | undefined {
  try {
    return JSON.parse(new TextDecoder().decode(payload));
  } catch {
    return undefined;
  }
}

/** A program may end while a session is open, where the platform has such programs. */
function unref(timer: unknown): void {
  if (typeof timer === "object" && timer !== null && "unref" in timer && typeof timer.unref === "function")
    timer.unref();
}

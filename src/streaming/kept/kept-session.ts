/**
 * A command session that outlives the connections of its client.
 *
 * Invariant: what the command writes passes through a ring, and a client gets every byte of it once and in order, from
 * the position it names. The command waits for a client that does not confirm what it has received, except where it
 * must not wait: a terminal without a client, and an attached container, go on, and then only the latest output is kept.
 * Without a client, the session ends after a while, and with it the command.
 */
import type { Socket as Connection } from "node:net";
import { type Bridged, closeTooLarge, flushMs } from "../bridge.ts";
import { type ChannelCodec, channel } from "../channels.ts";
import { createCommandInput } from "../command-input.ts";
import { type CommandSession, failure, messageOf, type StreamChoice } from "../command-session.ts";
import { keepAlive, type Limits, type Liveness } from "../liveness.ts";
import type { WaitingOutput } from "../output-pump.ts";
import { closeCode, type Socket } from "../socket.ts";
import { splitMessages } from "../split-messages.ts";
import { OutputRing } from "./output-ring.ts";
import { decodeReceived, encodeMessage, type SessionType } from "./session-messages.ts";

export interface KeptSessionOptions {
  readonly id: string;
  readonly type: SessionType;
  readonly containerId: string;
  readonly streams: StreamChoice;
  readonly limits: Limits;
  /** How long the session waits for its client. 0: it ends with its connection. */
  readonly lingerMs: number;
  readonly waiting: WaitingOutput;
}

/** A connection of a client. */
export interface ClientOptions {
  readonly codec: ChannelCodec;
  /** The client connection below the WebSocket. */
  readonly peer: Connection;
  /** Position of the output that the client wants next. */
  readonly from: number;
}

export interface KeptSession extends Bridged {
  readonly id: string;
  readonly type: SessionType;
  readonly containerId: string;
  readonly streams: StreamChoice;
  /** Connects a client, which takes over from the one before. What is returned ends with the connection. */
  connect(socket: Socket, options: ClientOptions): Bridged;
  /** Position after the latest output. */
  readonly output: number;
  /** Position after the latest input. */
  readonly input: number;
  readonly begunAtMs: number;
  /** Since when it has had no client, in milliseconds since 1970; undefined while it has one. */
  readonly lostAtMs: number | undefined;
  /** When it ends if no client comes. */
  readonly endsAtMs: number | undefined;
  /** Whether the command has ended. */
  readonly hasExited: boolean;
}

/** The latest output that is kept, and the most that a client may leave unconfirmed. */
const ringBytes = 256 * 1024;
/** The same where all sessions together use up their memory. */
const minRingBytes = 64 * 1024;
/** What may wait in a client's socket. */
const highWaterBytes = 1024 * 1024;
const lowWaterBytes = 256 * 1024;
/** The same for an attached container, which is never blocked. */
const maxHeldBytes = 4 * 1024 * 1024;
/** How often a client hears from the session. */
const heartbeatMs = 5000;
/**
 * Input that may wait for the command before the client's socket is paused. It is more than the 1 MiB that a client may leave
 * unconfirmed, so the socket of a client that keeps to this is never paused: its confirmations of output come through, without
 * which a command that answers its input would wait for ever.
 */
const maxInputBytes = 1024 * 1024 + 128 * 1024;
/** How long a client that was replaced may take to close. */
const farewellMs = 1000;

const isOpen = ({ readyState }: Socket): boolean => readyState === 1;
/** The code of a connection that ended without a close. */
const lostConnection = 1006;
/** What a client sends that wants the session to end: 1000, or no code. */
const endCodes: ReadonlySet<number> = new Set([closeCode.normal, 1005]);

interface Client {
  readonly socket: Socket;
  readonly live: Liveness;
  readonly codec: ChannelCodec;
  /** Whether it was sent the end of the command. */
  isTold: boolean;
  /** Whether a confirmation of its input waits in the socket, and whether another must follow. */
  confirmation: "none" | "sent" | "outdated";
}

/** How the command ended. */
interface Ending {
  readonly status: string;
  readonly code: number;
  readonly reason: string;
}

/** Keeps `session`. It begins to read its output at once, and waits for its first client. */
export function keepSession(session: CommandSession, options: KeptSessionOptions): KeptSession {
  const { id, type, containerId, streams, limits, lingerMs, waiting } = options;
  const isAttach = type === "attach";
  const take = createCommandInput(session, streams);
  const ring = new OutputRing(ringBytes);
  const traffic = { received: 0, sent: 0 };
  const begunAtMs = Date.now();
  const begun = performance.now();
  let client: Client | undefined;
  let input = 0;
  /** Position up to which the output has reached the client. */
  let confirmed = 0;
  let isPaused = false;
  let ending: Ending | undefined;
  /** Whether we close the session, whatever its client does. */
  let isEnding = false;
  let isOver = false;
  let linger: NodeJS.Timeout | undefined;
  let lostAtMs: number | undefined;
  let endsAtMs: number | undefined;
  let settle = (): void => undefined;
  const ended = new Promise<void>((resolve) => {
    settle = resolve;
  });

  // ---- Output ----

  /** Position from which on the client needs the output. A command that must not wait may lose it. */
  const keepFrom = (): number =>
    isAttach || (client === undefined && streams.tty) ? Number.POSITIVE_INFINITY : confirmed;

  /** Whether the command must wait now. Also drops an attached client that reads too slowly. */
  function mustWait(): boolean {
    const bufferedBytes = client?.socket.bufferedAmount ?? 0;
    waiting.force(ring.heldBytes + bufferedBytes + inputBytes());
    // It stays small: growing again would only use up the memory again.
    if (waiting.isOver && ring.maxBytes > minRingBytes) ring.shrink(minRingBytes, keepFrom());
    const isCrowded = waiting.isOver && bufferedBytes > minRingBytes;
    if (isAttach) {
      if (client !== undefined && (bufferedBytes > maxHeldBytes || isCrowded))
        client.live.close(closeCode.tooSlow, "the client reads too slowly");
      return false;
    }
    const share = isPaused ? 2 : 1;
    const isUnconfirmed = ring.sizeFrom(confirmed) >= ring.maxBytes / share;
    if (client === undefined) return !streams.tty && isUnconfirmed;
    return isCrowded || isUnconfirmed || bufferedBytes > (isPaused ? lowWaterBytes : highWaterBytes);
  }

  const outputs = [session.stdout, session.stderr].filter((stream) => stream !== undefined);

  function balance(): void {
    if (isOver || mustWait() === isPaused) return;
    isPaused = !isPaused;
    for (const stream of outputs) {
      if (isPaused) stream.pause();
      else stream.resume();
    }
  }

  function send(to: Client, number: number, payload: Buffer, done: () => void = () => undefined): void {
    if (isOpen(to.socket)) to.socket.send(to.codec.encode(number, payload), done);
  }

  function sendOutput(to: Client, number: number, bytes: Buffer): void {
    if (!isOpen(to.socket)) return;
    to.live.sent(bytes.length);
    traffic.sent += bytes.length;
    send(to, number, bytes, balance);
  }

  const read = (stream: CommandSession["stdout"], number: number): Promise<void> =>
    stream === undefined
      ? Promise.resolve()
      : new Promise((resolve) => {
          stream.on("data", (chunk: Buffer) => {
            if (isOver) return;
            ring.push(number, chunk, keepFrom());
            if (client !== undefined) sendOutput(client, number, chunk);
            balance();
          });
          stream.once("end", resolve);
          stream.once("close", resolve);
        });
  const outputsEnded = Promise.all([
    read(session.stdout, channel.stdout),
    read(session.stderr, channel.stderr),
  ]);

  void session.outcome.then(async (outcome) => {
    // Send all output before the status.
    await outputsEnded;
    const isLost = "lost" in outcome;
    ending = isLost
      ? {
          status: failure(`exit unknown: ${outcome.lost}`),
          code: closeCode.serviceRestart,
          reason: "the runtime went away",
        }
      : { status: outcome.status, code: closeCode.normal, reason: "" };
    session.connection.destroy();
    if (client !== undefined) tell(client, ending);
  });

  function tell(to: Client, { status, code, reason }: Ending): void {
    if (!to.live.open) return;
    to.isTold = true;
    const text = to.codec.status === "json" ? status : messageOf(status);
    if (text !== "") send(to, channel.status, Buffer.from(text));
    to.live.close(code, reason);
  }

  // ---- Input ----

  /** Input that waits for the command. */
  const inputBytes = (): number => session.stdin?.writableLength ?? 0;
  session.stdin?.on("drain", () => {
    if (client !== undefined) confirmInput(client);
    balance();
  });

  /** The socket as the input sees it: paused only for a client that sends more than it may. */
  const inputSocket = ({ socket }: Client): Pick<Socket, "isPaused" | "pause" | "resume"> => ({
    get isPaused() {
      return socket.isPaused || inputBytes() <= maxInputBytes;
    },
    pause: () => socket.pause(),
    resume: () => socket.resume(),
  });

  /** Tells the client how much of its input the command has taken. One such message waits at most. */
  function confirmInput(to: Client): void {
    if (to.confirmation !== "none") {
      to.confirmation = "outdated";
      return;
    }
    to.confirmation = "sent";
    send(to, channel.session, encodeMessage({ input: input - inputBytes() }), () => {
      const isOutdated = to.confirmation === "outdated";
      to.confirmation = "none";
      if (isOutdated) confirmInput(to);
    });
  }

  /** @returns Whether the message is one. */
  function takeReceived(payload: Buffer): boolean {
    const position = decodeReceived(payload);
    if (position === undefined || position > ring.end) return false;
    confirmed = Math.max(confirmed, position);
    balance();
    return true;
  }

  function receive(from: Client, data: Buffer): void {
    // A client that was replaced has nothing more to say: its successor sends again what did not arrive.
    const message = client === from && from.live.open ? from.codec.decode(data) : undefined;
    if (message === undefined) return;
    const isInput = message.channel === channel.stdin;
    const bytes = isInput ? message.payload.length : 0;
    from.live.heard(bytes);
    traffic.received += bytes;
    if (message.channel === channel.session) {
      if (!takeReceived(message.payload))
        from.live.close(closeCode.badMessage, 'a message on channel 5 is {"output": POSITION}');
      return;
    }
    take(message, { ...from, socket: inputSocket(from) });
    const isEnd =
      from.codec.halfClose && message.channel === channel.close && message.payload[0] === channel.stdin;
    input += bytes + (isEnd ? 1 : 0);
    if (bytes > 0 || isEnd) confirmInput(from);
  }

  // ---- Clients ----

  const leftMs = (): number => Math.max(1, limits.maxMs - (performance.now() - begun));

  function connect(socket: Socket, { codec, peer, from }: ClientOptions): Bridged {
    const live = keepAlive(socket, { ...limits, maxMs: limits.maxMs === 0 ? 0 : leftMs() });
    splitMessages(peer, socket, { ...codec.split, tooLarge: () => closeTooLarge(live) });
    const own: Client = { socket, live, codec, isTold: false, confirmation: "none" };
    const connection: Bridged = {
      end: (code, reason, graceMs) => (client === own ? end : live.close)(code, reason, graceMs),
      ended: live.closed,
      traffic: live.traffic,
    };
    socket.on("message", (data) => receive(own, data));
    if (isOver || isEnding) {
      live.close(closeCode.ended, "the session has ended");
      return connection;
    }
    client?.live.close(closeCode.takenOver, "another connection took over the session", farewellMs);
    clearTimeout(linger);
    lostAtMs = undefined;
    endsAtMs = undefined;
    client = own;
    socket.on("close", (code) => disconnected(own, code));
    const output = Math.max(from, ring.start);
    send(
      own,
      channel.session,
      encodeMessage({
        session: {
          id,
          type,
          containerId,
          stdin: streams.stdin,
          tty: streams.tty,
          lingerSeconds: lingerMs / 1000,
        },
        input,
        output,
        lost: output - from,
      }),
    );
    // Clients wait for a first message to know that the session is open.
    send(
      own,
      streams.stdout ? channel.stdout : streams.stderr ? channel.stderr : channel.status,
      Buffer.alloc(0),
    );
    confirmed = output;
    for (const { channel: number, bytes } of ring.from(output)) sendOutput(own, number, bytes);
    balance();
    if (ending !== undefined) tell(own, ending);
    return connection;
  }

  function disconnected(from: Client, code: number): void {
    if (client !== from) return;
    client = undefined;
    const isWanted = from.isTold
      ? code === lostConnection
      : from.live.open && !endCodes.has(code) && lingerMs > 0;
    if (isEnding || !isWanted || lingerMs === 0) {
      finish();
      return;
    }
    const waitMs = limits.maxMs === 0 ? lingerMs : Math.min(lingerMs, leftMs());
    lostAtMs = Date.now();
    endsAtMs = lostAtMs + waitMs;
    linger = setTimeout(finish, waitMs).unref();
    balance();
  }

  // ---- The end ----

  const ping = setInterval(() => {
    // Resets the runtime's own idle timer. We don't wait for the reply, because a busy process never sends one.
    session.connection.ping().catch(() => undefined);
  }, limits.pingMs);
  ping.unref();

  /** A client finds out that its connection is gone when nothing comes any more. Browsers do not show pings. */
  const heartbeat = setInterval(() => {
    if (client?.live.open) confirmInput(client);
  }, heartbeatMs);
  heartbeat.unref();

  function end(code: number, reason: string, graceMs?: number): void {
    isEnding = true;
    if (client === undefined) finish();
    else client.live.close(code, reason, graceMs);
  }

  function finish(): void {
    if (isOver) return;
    isOver = true;
    clearInterval(ping);
    clearInterval(heartbeat);
    clearTimeout(linger);
    // What is left is for nobody.
    for (const stream of outputs) stream.resume();
    // containerd 2 kills the process only if the connection is dropped; a graceful close is not enough. First flush what
    // the client sent last.
    if (ending === undefined) void session.connection.destroySoon(flushMs).then(settle);
    else settle();
  }

  return {
    id,
    type,
    containerId,
    streams,
    connect,
    end,
    ended,
    traffic,
    begunAtMs,
    get output() {
      return ring.end;
    },
    get input() {
      return input;
    },
    get lostAtMs() {
      return lostAtMs;
    },
    get endsAtMs() {
      return endsAtMs;
    },
    get hasExited() {
      return ending !== undefined;
    },
  };
}

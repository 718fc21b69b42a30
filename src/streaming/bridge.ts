/**
 * Bridges a WebSocket and a command's session.
 *
 * Invariant: a byte leaves its source only after its sink has room. Pausing stdout therefore stalls the
 * process, as a slow terminal would; only an attached container is never stalled.
 */
import type { Socket as Connection } from "node:net";
import type { Duplex } from "node:stream";
import { type ChannelCodec, channel } from "./channels.ts";
import { type CommandSession, failure, messageOf, type StreamChoice } from "./command-session.ts";
import { keepAlive, type Limits, type Liveness } from "./liveness.ts";
import { pumpOut, type WaitingOutput } from "./output-pump.ts";
import { checkedResize } from "./resize.ts";
import { closeCode, type Socket } from "./socket.ts";
import { maxMessageBytes, splitMessages } from "./split-messages.ts";

export interface BridgeOptions {
  readonly streams: StreamChoice;
  readonly codec: ChannelCodec;
  readonly limits: Limits;
  readonly waiting: WaitingOutput;
  /** A slow reader is dropped instead of stalling the other side. */
  readonly neverStall: boolean;
  /** The client's connection, below the WebSocket. */
  readonly peer: Connection;
}

/** A bridged session, for whoever counts and ends them. */
export interface Bridged {
  /** Ends it from our side; a client that does not answer is cut off after `graceMs`. */
  end(code: number, reason: string, graceMs?: number): void;
  /** Settles when both sides are gone. */
  readonly ended: Promise<void>;
}

/** What a client sent before it left may still take this long to go out. */
export const flushMs = 2000;

/**
 * What a terminal sends for the end of its input: closing the stream would close its output too. Behind the beginning
 * of a line, the first one only hands that line over.
 */
const endOfTransmission = 4;
const newline = 10;

export function bridge(socket: Socket, session: CommandSession, options: BridgeOptions): Bridged {
  const { streams, codec, limits, waiting, neverStall, peer } = options;
  const live = keepAlive(socket, limits);
  splitMessages(peer, socket, { ...codec.split, tooLarge: () => closeTooLarge(live) });
  const send = (number: number, payload: Buffer): void =>
    socket.send(codec.encode(number, payload), () => undefined);

  let lastInput = newline;

  function endStdin(): void {
    if (!session.stdin) return;
    if (!streams.tty) {
      session.stdin.end();
      return;
    }
    const ends = lastInput === newline ? [endOfTransmission] : [endOfTransmission, endOfTransmission];
    writeWithBackpressure(Buffer.from(ends), session.stdin, socket);
    lastInput = newline;
  }

  function takeInput(payload: Buffer): void {
    if (payload.length === 0 || !session.stdin) return;
    lastInput = payload.at(-1) ?? lastInput;
    writeWithBackpressure(payload, session.stdin, socket);
  }

  socket.on("message", (data) => {
    const message = live.open ? codec.decode(data) : undefined;
    if (!message) return;
    live.heard();
    switch (message.channel) {
      case channel.stdin:
        takeInput(message.payload);
        return;
      case channel.resize: {
        const size = checkedResize(message.payload);
        if (size && session.resize) writeWithBackpressure(size, session.resize, socket);
        return;
      }
      case channel.close:
        if (!codec.halfClose) return;
        if (message.payload.length !== 1) live.close(closeCode.badMessage, "a close message has two bytes");
        else if (message.payload[0] === channel.stdin) endStdin();
        return;
      default: // Kubernetes' servers ignore channels that they do not know.
        return;
    }
  });

  const outflow = (stream: Duplex | undefined, number: number): Promise<void> =>
    stream === undefined
      ? Promise.resolve()
      : pumpOut(stream, {
          socket,
          waiting,
          encode: (chunk) => codec.encode(number, chunk),
          sent: live.sent,
          ...(neverStall
            ? { tooSlow: () => live.close(closeCode.tooSlow, "the client reads too slowly") }
            : {}),
        });
  const outputs = Promise.all([
    outflow(session.stdout, channel.stdout),
    outflow(session.stderr, channel.stderr),
  ]);

  // Clients wait for a first message as the sign that the session stands.
  send(streams.stdout ? channel.stdout : streams.stderr ? channel.stderr : channel.status, Buffer.alloc(0));

  let isOver = false;
  void session.outcome.then(async (outcome) => {
    isOver = true;
    // What has come goes out first.
    await outputs;
    const isLost = "lost" in outcome;
    const status = isLost ? failure(`exit unknown: ${outcome.lost}`) : outcome.status;
    const text = codec.status === "json" ? status : messageOf(status);
    if (text !== "") send(channel.status, Buffer.from(text));
    if (isLost) live.close(closeCode.serviceRestart, "the runtime went away");
    else live.close(closeCode.normal, "");
  });

  const ping = setInterval(() => {
    // Resets the runtime's own idle clock. An answer is not waited for: a busy process gives none.
    session.connection.ping().catch(() => undefined);
  }, limits.pingMs);
  ping.unref();

  return {
    end: live.close,
    ended: live.closed.then(async () => {
      clearInterval(ping);
      // Dropping the connection, and nothing gentler, makes containerd 2 kill what runs in it. Before that
      // the client's last words go out.
      if (isOver) session.connection.destroy();
      else await session.connection.destroySoon(flushMs);
    }),
  };
}

/** Ends a session whose client sent a message that is longer than can be taken. */
export function closeTooLarge(live: Pick<Liveness, "close">): void {
  const limit = maxMessageBytes / 1024 / 1024;
  live.close(closeCode.messageTooBig, `a message may have at most ${limit} MiB`);
}

/** Writes what a client sent; while the sink has no room, the client is not read. */
export function writeWithBackpressure(payload: Buffer, sink: Duplex, socket: Socket): void {
  if (sink.writableEnded || sink.destroyed) return;
  if (sink.write(payload) || socket.isPaused) return;
  socket.pause();
  const resume = (): void => {
    sink.off("drain", resume);
    sink.off("close", resume);
    if (socket.isPaused) socket.resume();
  };
  sink.on("drain", resume);
  sink.on("close", resume);
}

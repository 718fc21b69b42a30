/**
 * Bridges a WebSocket and a command session.
 *
 * Invariant: a byte leaves its source only when its sink has room. Pausing stdout therefore blocks the process, like a
 * slow terminal. An attached container is never blocked.
 */
import type { Socket as Connection } from "node:net";
import type { Duplex } from "node:stream";
import { type ChannelCodec, channel } from "./channels.ts";
import { createCommandInput } from "./command-input.ts";
import { type CommandSession, failure, messageOf, type StreamChoice } from "./command-session.ts";
import { keepAlive, type Limits, type Liveness, type Traffic } from "./liveness.ts";
import { pumpOut, type WaitingOutput } from "./output-pump.ts";
import { closeCode, type Socket } from "./socket.ts";
import { maxMessageBytes, splitMessages } from "./split-messages.ts";

export interface BridgeOptions {
  readonly streams: StreamChoice;
  readonly codec: ChannelCodec;
  readonly limits: Limits;
  readonly waiting: WaitingOutput;
  /** Drops a slow reader instead of blocking the other side. */
  readonly neverStall: boolean;
  /** The client connection below the WebSocket. */
  readonly peer: Connection;
}

/** A bridged session, as seen by the registry that counts and ends sessions. */
export interface Bridged {
  /** Ends the session from our side. A client that does not answer is cut off after `graceMs`. */
  end(code: number, reason: string, graceMs?: number): void;
  /** Settles when both sides have closed. */
  readonly ended: Promise<void>;
  readonly traffic: Traffic;
}

/** Maximum time to flush to the runtime what a client sent before it left. */
export const flushMs = 2000;

export function bridge(socket: Socket, session: CommandSession, options: BridgeOptions): Bridged {
  const { streams, codec, limits, waiting, neverStall, peer } = options;
  const live = keepAlive(socket, limits);
  splitMessages(peer, socket, { ...codec.split, tooLarge: () => closeTooLarge(live) });
  const send = (number: number, payload: Buffer): void =>
    socket.send(codec.encode(number, payload), () => undefined);

  const take = createCommandInput(session, streams);
  const client = { socket, live, codec };

  socket.on("message", (data) => {
    const message = live.open ? codec.decode(data) : undefined;
    if (!message) return;
    live.heard(message.channel === channel.stdin ? message.payload.length : 0);
    take(message, client);
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

  // Clients wait for a first message to know that the session is open.
  send(streams.stdout ? channel.stdout : streams.stderr ? channel.stderr : channel.status, Buffer.alloc(0));

  let isOver = false;
  void session.outcome.then(async (outcome) => {
    isOver = true;
    // Send all output before the status.
    await outputs;
    const isLost = "lost" in outcome;
    const status = isLost ? failure(`exit unknown: ${outcome.lost}`) : outcome.status;
    const text = codec.status === "json" ? status : messageOf(status);
    if (text !== "") send(channel.status, Buffer.from(text));
    if (isLost) live.close(closeCode.serviceRestart, "the runtime went away");
    else live.close(closeCode.normal, "");
  });

  const ping = setInterval(() => {
    // Resets the runtime's own idle timer. We don't wait for the reply, because a busy process never sends one.
    session.connection.ping().catch(() => undefined);
  }, limits.pingMs);
  ping.unref();

  return {
    end: live.close,
    traffic: live.traffic,
    ended: live.closed.then(async () => {
      clearInterval(ping);
      // containerd 2 kills the process only if the connection is dropped; a graceful close is not enough. First flush
      // what the client sent last.
      if (isOver) session.connection.destroy();
      else await session.connection.destroySoon(flushMs);
    }),
  };
}

/** Closes a session whose client sent a message longer than `maxMessageBytes`. */
export function closeTooLarge(live: Pick<Liveness, "close">): void {
  const limit = maxMessageBytes / 1024 / 1024;
  live.close(closeCode.messageTooBig, `a message may have at most ${limit} MiB`);
}

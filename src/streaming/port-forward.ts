/**
 * Bridges a WebSocket and connections to ports of a pod.
 *
 * Each port uses its own SPDY session: in a shared one, a peer that never reads would block all others. We do not end
 * our half of a connection before the peer ends its half: the runtime would close both a second later and lose what the
 * peer had yet to send.
 *
 * Source: Kubernetes' portforward protocol, v4 framing over WebSocket, portforward.k8s.io over SPDY.
 */
import type { Socket as Connection } from "node:net";
import { maxRuntimeTextBytes } from "../cri/runtime-text.ts";
import { type Bridged, closeTooLarge, flushMs } from "./bridge.ts";
import { type ChannelCodec, channelCodec, type Subprotocol } from "./channels.ts";
import { keepAlive, type Limits } from "./liveness.ts";
import { pumpOut, type WaitingOutput } from "./output-pump.ts";
import { readText } from "./read-text.ts";
import { closeCode, type Socket } from "./socket.ts";
import type { SpdyConnection, SpdyStream } from "./spdy/connection.ts";
import { splitMessages } from "./split-messages.ts";
import { writeWithBackpressure } from "./write-with-backpressure.ts";

/** A connection to one port of the pod, over its own SPDY session. */
export interface Forwarded {
  readonly port: number;
  readonly data: SpdyStream;
  /** The runtime's error text if the port refused, otherwise empty. Settles when the connection is over. */
  readonly refusal: Promise<string>;
  readonly connection: SpdyConnection;
}

/** Opens the streams of one forwarded connection. */
export function createForwarded(connection: SpdyConnection, port: number): Forwarded {
  const headers = { port: String(port), requestid: "0" };
  const error = connection.createStream({ ...headers, streamtype: "error" });
  error.end();
  const data = connection.createStream({ ...headers, streamtype: "data" });
  return { port, data, refusal: readText(error, maxRuntimeTextBytes), connection };
}

export interface ForwardOptions {
  readonly subprotocol: Subprotocol | undefined;
  /** Messages are the bytes of a single connection, without channels. */
  readonly raw: boolean;
  readonly limits: Limits;
  readonly waiting: WaitingOutput;
  /** The client connection below the WebSocket. */
  readonly peer: Connection;
}

export function bridgePorts(
  socket: Socket,
  forwarded: readonly Forwarded[],
  options: ForwardOptions,
): Bridged {
  const live = keepAlive(socket, options.limits);
  const { waiting } = options;
  const codec = channelCodec(options.subprotocol);
  const format = options.raw ? rawSplit : codec.split;
  splitMessages(options.peer, socket, { ...format, tooLarge: () => closeTooLarge(live) });
  if (options.raw) bridgeRaw(socket, forwarded[0], { live, waiting });
  else bridgeChannels(socket, forwarded, { live, waiting, codec });

  const pings = setInterval(() => {
    for (const { connection } of forwarded) connection.ping().catch(() => undefined);
  }, options.limits.pingMs);
  pings.unref();

  return {
    end: live.close,
    traffic: live.traffic,
    ended: live.closed.then(async () => {
      clearInterval(pings);
      await Promise.all(forwarded.map(finish));
    }),
  };
}

/** What a bridge needs besides the socket. */
interface Session {
  readonly live: ReturnType<typeof keepAlive>;
  readonly waiting: WaitingOutput;
}

/** A message of a raw tunnel is just bytes of the connection. */
const rawSplit: ChannelCodec["split"] = { prefixBytes: 0, alignBytes: 1 };

/** Port i uses channel 2i for data and 2i+1 for errors. The first message on each is the port number. */
function bridgeChannels(
  socket: Socket,
  forwarded: readonly Forwarded[],
  { live, waiting, codec }: Session & { readonly codec: ReturnType<typeof channelCodec> },
): void {
  const send = (number: number, payload: Buffer): void =>
    socket.send(codec.encode(number, payload), () => undefined);

  for (const [index, { port }] of forwarded.entries()) {
    const announced = Buffer.alloc(2);
    announced.writeUInt16LE(port);
    send(2 * index, announced);
    send(2 * index + 1, announced);
  }
  socket.on("message", (data) => {
    const message = live.open ? codec.decode(data) : undefined;
    if (!message) return;
    const target = message.channel % 2 === 0 ? forwarded[message.channel / 2] : undefined;
    live.heard(target === undefined ? 0 : message.payload.length);
    if (target && message.payload.length > 0) writeWithBackpressure(message.payload, target.data, socket);
  });
  const over = forwarded.map(async (connection, index) => {
    const { data, refusal } = connection;
    const told = refusal.then((text) => {
      if (text !== "") send(2 * index + 1, Buffer.from(text));
    });
    const encode = (chunk: Buffer) => codec.encode(2 * index, chunk);
    await pumpOut(data, { socket, waiting, encode, sent: live.sent });
    await told;
    // Finish now, not when the whole session ends: data that the peer no longer reads would block the client.
    void finish(connection);
    return wasLost(connection);
  });
  void Promise.all(over).then((lost) => {
    if (lost.includes(true)) live.close(closeCode.serviceRestart, "the runtime went away");
    else live.close(closeCode.normal, "");
  });
}

/** Whether the runtime went away before the connection ended or was refused. */
async function wasLost({ data, refusal, connection }: Forwarded): Promise<boolean> {
  return !data.complete && !connection.goneAway && (await refusal) === "";
}

function bridgeRaw(socket: Socket, only: Forwarded | undefined, { live, waiting }: Session): void {
  if (!only) throw new TypeError("A raw tunnel has one port");
  socket.on("message", (data) => {
    if (!live.open) return;
    live.heard(data.length);
    if (data.length > 0) writeWithBackpressure(data, only.data, socket);
  });
  void pumpOut(only.data, { socket, waiting, encode: (chunk) => chunk, sent: live.sent }).then(async () => {
    const text = await only.refusal;
    if (text !== "") live.close(closeCode.badGateway, reasonOf(text));
    else if (await wasLost(only)) live.close(closeCode.serviceRestart, "the runtime went away");
    else live.close(closeCode.normal, "");
  });
}

/** Cuts a text to fit the reason of a close frame, which holds 123 bytes. */
function reasonOf(text: string): string {
  return Buffer.from(text)
    .subarray(0, 120)
    .toString("utf8")
    .replace(/\uFFFD$/, "");
}

/** Ends one connection after its client or peer has gone. Flushes what was sent. Idempotent. */
async function finish({ data, connection }: Forwarded): Promise<void> {
  const end = (): void => connection.destroy();
  data.resume();
  data.end();
  const late = setTimeout(end, flushMs);
  // Both halves have ended.
  if (data.closed) end();
  else data.once("close", end);
  await connection.closed;
  clearTimeout(late);
}

/**
 * Bridges a WebSocket and connections to ports of a pod.
 *
 * Each port has a SPDY session of its own: in a shared one, a peer that never reads stalls all others. Our
 * half of a connection is not ended before the peer's: the runtime would close both a second later, with
 * what the peer was still to answer.
 *
 * Source: Kubernetes' portforward protocol, v4 framing over WebSocket, portforward.k8s.io over SPDY.
 */
import type { Duplex } from "node:stream";
import type { Bridged } from "./bridge.ts";
import { pour } from "./bridge.ts";
import { channelCodec, type Subprotocol } from "./channels.ts";
import { keepAlive, type Limits } from "./liveness.ts";
import { pumpOut } from "./outflow.ts";
import { closeCode, type Socket } from "./socket.ts";
import type { SpdyConnection } from "./spdy/connection.ts";

/** One connection to a port of the pod, through a session of its own. */
export interface Forwarded {
  readonly port: number;
  readonly data: Duplex;
  /** The runtime's words when the port refused; empty otherwise. Settles when the connection is over. */
  readonly refusal: Promise<string>;
  readonly connection: SpdyConnection;
}

const maxRefusalBytes = 16 * 1024;
/** What a client that left had sent may still take this long to arrive. */
const flushMs = 2000;

/** Opens the streams of one forwarded connection. */
export function createForwarded(connection: SpdyConnection, port: number): Forwarded {
  const headers = { port: String(port), requestid: "0" };
  const error = connection.createStream({ ...headers, streamtype: "error" });
  error.end();
  const data = connection.createStream({ ...headers, streamtype: "data" });
  const refusal = new Promise<string>((resolve) => {
    let text = "";
    error.on("data", (chunk: Buffer) => {
      if (text.length < maxRefusalBytes) text += chunk.toString("utf8");
    });
    error.once("end", () => resolve(text));
    error.once("close", () => resolve(text));
  });
  return { port, data, refusal, connection };
}

export interface ForwardOptions {
  readonly subprotocol: Subprotocol | undefined;
  /** Messages are the bytes of the one connection, without channels. */
  readonly raw: boolean;
  readonly limits: Limits;
}

export function bridgePorts(
  socket: Socket,
  forwarded: readonly Forwarded[],
  options: ForwardOptions,
): Bridged {
  const live = keepAlive(socket, options.limits);
  if (options.raw) bridgeRaw(socket, forwarded[0], live);
  else bridgeChannels(socket, forwarded, { live, codec: channelCodec(options.subprotocol) });

  const pings = setInterval(() => {
    for (const { connection } of forwarded) connection.ping().catch(() => undefined);
  }, options.limits.pingMs);
  pings.unref();

  return {
    end: live.close,
    ended: live.closed.then(async () => {
      clearInterval(pings);
      await Promise.all(forwarded.map(finish));
    }),
  };
}

type Live = ReturnType<typeof keepAlive>;

/** Port i has channel 2i for data and 2i+1 for errors; the first message on each is the port. */
function bridgeChannels(
  socket: Socket,
  forwarded: readonly Forwarded[],
  { live, codec }: { readonly live: Live; readonly codec: ReturnType<typeof channelCodec> },
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
    const message = codec.decode(data);
    if (!message) return;
    live.touch();
    const target = message.channel % 2 === 0 ? forwarded[message.channel / 2] : undefined;
    if (target && message.payload.length > 0) pour(message.payload, target.data, socket);
  });
  const over = forwarded.map(async ({ data, refusal }, index) => {
    await pumpOut(data, {
      socket,
      encode: (chunk) => codec.encode(2 * index, chunk),
      touched: live.touch,
    });
    const text = await refusal;
    if (text !== "") send(2 * index + 1, Buffer.from(text));
    data.end();
  });
  void Promise.all(over).then(() => live.close(closeCode.normal, ""));
}

function bridgeRaw(socket: Socket, only: Forwarded | undefined, live: Live): void {
  if (!only) throw new TypeError("A raw tunnel has one port");
  socket.on("message", (data) => {
    live.touch();
    if (data.length > 0) pour(data, only.data, socket);
  });
  void pumpOut(only.data, { socket, encode: (chunk) => chunk, touched: live.touch }).then(async () => {
    const text = await only.refusal;
    only.data.end();
    // A reason holds 123 bytes.
    if (text === "") live.close(closeCode.normal, "");
    else
      live.close(
        closeCode.badGateway,
        Buffer.from(text)
          .subarray(0, 120)
          .toString("utf8")
          .replace(/\uFFFD$/, ""),
      );
  });
}

/** The client has gone: what it sent still goes out, then the session ends. */
async function finish({ data, connection }: Forwarded): Promise<void> {
  data.resume();
  data.end();
  const late = setTimeout(() => connection.destroy(), flushMs);
  await connection.closed;
  clearTimeout(late);
}

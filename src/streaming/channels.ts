/**
 * Kubernetes' channel subprotocols on a WebSocket: every message is a channel and a payload.
 *
 * Source: Kubernetes' remotecommand (v4, v5) and portforward WebSocket protocols.
 */

import type { SplitOptions } from "./split-messages.ts";

export const channel = { stdin: 0, stdout: 1, stderr: 2, status: 3, resize: 4, close: 255 } as const;

/** In the order of preference. */
export const subprotocols = [
  "v5.channel.k8s.io",
  "v4.channel.k8s.io",
  "v4.base64.channel.k8s.io",
  "channel.k8s.io",
  "base64.channel.k8s.io",
] as const;
export type Subprotocol = (typeof subprotocols)[number];

/** Carries the token for those who cannot set headers: browsers. */
export const bearerPrefix = "base64url.bearer.authorization.k8s.io.";

/** One message of a client. */
export interface Message {
  readonly channel: number;
  readonly payload: Buffer;
}

export interface ChannelCodec {
  /** What to send for a payload on a channel, and whether it is a binary message. */
  encode(channel: number, payload: Uint8Array): Buffer | string;
  /** Undefined for what says nothing: an empty message, a channel that is none. */
  decode(message: Buffer): Message | undefined;
  /** Whether a client may end its half of a channel: `[255, channel]`. */
  readonly halfClose: boolean;
  /** Channels have numbers below this one. */
  readonly channels: number;
  /** How the status channel tells of an end: Kubernetes' Status as JSON, or the message of a failure alone. */
  readonly status: "json" | "message";
  /** How a message can be split into several. */
  readonly split: Pick<SplitOptions, "prefixBytes" | "alignBytes">;
}

/** How `subprotocol` writes messages. Where none was offered it is v4. */
export function channelCodec(subprotocol: Subprotocol | undefined): ChannelCodec {
  switch (subprotocol) {
    case "v5.channel.k8s.io":
      return { ...binaryCodec, halfClose: true };
    case "v4.base64.channel.k8s.io":
      return base64Codec;
    case "channel.k8s.io":
      return { ...binaryCodec, status: "message" };
    case "base64.channel.k8s.io":
      return { ...base64Codec, status: "message" };
    default:
      return binaryCodec;
  }
}

const binaryCodec: ChannelCodec = {
  halfClose: false,
  status: "json",
  split: { prefixBytes: 1, alignBytes: 1 },
  channels: 256,
  encode(channel, payload) {
    const message = Buffer.allocUnsafe(1 + payload.length);
    message[0] = channel;
    message.set(payload, 1);
    return message;
  },
  decode(message) {
    const first = message[0];
    return first === undefined ? undefined : { channel: first, payload: message.subarray(1) };
  },
};

const zero = 0x30;
/** What Go's decoder takes; Node's passes over what it does not know. */
const base64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/**
 * Text messages: the channel as a digit, the payload in base64. What follows 9 in ASCII are the channels
 * from 10 on, as Kubernetes counts.
 */
const base64Codec: ChannelCodec = {
  halfClose: false,
  status: "json",
  split: { prefixBytes: 1, alignBytes: 4 },
  channels: 0x7f - zero,
  encode: (channel, payload) =>
    String.fromCharCode(zero + channel) +
    Buffer.from(payload.buffer, payload.byteOffset, payload.length).toString("base64"),
  decode(message) {
    const channel = (message[0] ?? 0) - zero;
    const text = message.toString("latin1", 1);
    if (channel < 0 || !base64.test(text)) return undefined;
    return { channel, payload: Buffer.from(text, "base64") };
  },
};

/**
 * Whether a handshake's `Sec-WebSocket-Protocol` is a list of different names (RFC 6455, 4.1), or absent.
 */
export function isProtocolList(header: string | undefined): boolean {
  if (header === undefined) return true;
  const names = header.split(",").map((name) => name.trim());
  return new Set(names).size === names.length && names.every((name) => /^[!#$%&'*+\-.^_`|~\w]+$/.test(name));
}

/** The offered names of a handshake's `Sec-WebSocket-Protocol`, in the client's order. */
export function offeredProtocols(header: string | undefined): readonly string[] {
  return (header ?? "")
    .split(",")
    .map((name) => name.trim())
    .filter((name) => name !== "");
}

/** The token in an offered subprotocol, when there is one that reads. */
export function offeredToken(offered: readonly string[]): string | undefined {
  const name = offered.find((candidate) => candidate.startsWith(bearerPrefix));
  const encoded = name?.slice(bearerPrefix.length);
  return encoded !== undefined && /^[A-Za-z0-9_-]+$/.test(encoded)
    ? Buffer.from(encoded, "base64url").toString("utf8")
    : undefined;
}

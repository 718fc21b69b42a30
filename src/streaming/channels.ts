/**
 * Kubernetes channel subprotocols over WebSocket: each message is a channel number and a payload.
 *
 * Source: Kubernetes' remotecommand (v4, v5) and portforward WebSocket protocols.
 */

import type { SplitOptions } from "./split-messages.ts";

/** `session` is Crest's own, and only there in a session that its client asked to keep: see kept/session-messages.ts. */
export const channel = {
  stdin: 0,
  stdout: 1,
  stderr: 2,
  status: 3,
  resize: 4,
  session: 5,
  close: 255,
} as const;

/** In order of preference. */
export const subprotocols = [
  "v5.channel.k8s.io",
  "v4.channel.k8s.io",
  "v4.base64.channel.k8s.io",
  "channel.k8s.io",
  "base64.channel.k8s.io",
] as const;
export type Subprotocol = (typeof subprotocols)[number];

/** Carries the token for clients that cannot set headers, such as browsers. */
export const bearerPrefix = "base64url.bearer.authorization.k8s.io.";

/** One client message. */
export interface Message {
  readonly channel: number;
  readonly payload: Buffer;
}

export interface ChannelCodec {
  /** Encodes a payload for a channel: a Buffer is sent as a binary message, a string as text. */
  encode(channel: number, payload: Uint8Array): Buffer | string;
  /** Returns undefined for an empty message or an invalid channel or payload. */
  decode(message: Buffer): Message | undefined;
  /** Whether a client may close its half of a channel with `[255, channel]`. */
  readonly halfClose: boolean;
  /** Upper bound of channel numbers, exclusive. */
  readonly channels: number;
  /** What the status channel sends at the end: a Kubernetes Status as JSON, or only the error message. */
  readonly status: "json" | "message";
  /** How to split a message into several. */
  readonly split: Pick<SplitOptions, "prefixBytes" | "alignBytes">;
}

/** Returns the codec of `subprotocol`. Default: v4. */
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
/** Matches what Go's decoder accepts. Node's decoder skips characters that it does not know. */
const base64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/**
 * Text messages: one character for the channel, then the payload in base64. Channels from 10 on use the ASCII
 * characters after `9`, as in Kubernetes.
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

/** Whether `Sec-WebSocket-Protocol` is absent or a list of unique names (RFC 6455, 4.1). */
export function isProtocolList(header: string | undefined): boolean {
  if (header === undefined) return true;
  const names = header.split(",").map((name) => name.trim());
  return new Set(names).size === names.length && names.every((name) => /^[!#$%&'*+\-.^_`|~\w]+$/.test(name));
}

/** The names offered in `Sec-WebSocket-Protocol`, in the client's order. */
export function offeredProtocols(header: string | undefined): readonly string[] {
  return (header ?? "")
    .split(",")
    .map((name) => name.trim())
    .filter((name) => name !== "");
}

/** The token carried by an offered subprotocol; undefined if there is none or it is not base64url. */
export function offeredToken(offered: readonly string[]): string | undefined {
  const name = offered.find((candidate) => candidate.startsWith(bearerPrefix));
  const encoded = name?.slice(bearerPrefix.length);
  return encoded !== undefined && /^[A-Za-z0-9_-]+$/.test(encoded)
    ? Buffer.from(encoded, "base64url").toString("utf8")
    : undefined;
}

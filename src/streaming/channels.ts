/**
 * Kubernetes' channel subprotocols on a WebSocket: every message is a channel and a payload.
 *
 * Source: Kubernetes' remotecommand (v4, v5) and portforward WebSocket protocols.
 */

export const channel = { stdin: 0, stdout: 1, stderr: 2, status: 3, resize: 4, close: 255 } as const;

/** In the order of preference. */
export const subprotocols = ["v5.channel.k8s.io", "v4.channel.k8s.io", "v4.base64.channel.k8s.io"] as const;
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
}

/** How `subprotocol` writes messages; none was offered is as v4. */
export function channelCodec(subprotocol: Subprotocol | undefined): ChannelCodec {
  if (subprotocol === "v4.base64.channel.k8s.io") return base64Codec;
  return { ...binaryCodec, halfClose: subprotocol === "v5.channel.k8s.io" };
}

const binaryCodec: ChannelCodec = {
  halfClose: false,
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

/** Text messages: the channel as a digit, the payload in base64. */
const base64Codec: ChannelCodec = {
  halfClose: false,
  encode: (channel, payload) =>
    `${channel}${Buffer.from(payload.buffer, payload.byteOffset, payload.length).toString("base64")}`,
  decode(message) {
    const digit = (message[0] ?? 0) - 0x30;
    if (digit < 0 || digit > 9) return undefined;
    return { channel: digit, payload: Buffer.from(message.toString("latin1", 1), "base64") };
  },
};

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

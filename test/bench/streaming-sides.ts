/** The ways to run a command that the bench compares, with the same face. */
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import { call } from "../../src/cri/call.ts";
import { connect } from "../../src/cri/channel.ts";
import { createCommandSession } from "../../src/streaming/command-session.ts";
import { dial } from "../../src/streaming/dial.ts";
import { channel, openSession } from "../e2e/clients/session.ts";
import type { Gateway } from "../e2e/support/gateway.ts";
import type { Resource } from "../e2e/support/pods.ts";
import { type Child, startChild } from "./process/child.ts";

export interface Streams {
  readonly stdin?: boolean;
  readonly stdout?: boolean;
  readonly tty?: boolean;
}

/** A command that runs. */
export interface Command {
  /** Settles when so many more bytes of its output have come. One at a time. */
  output(bytes: number): Promise<void>;
  /** Settles when there is room for more. */
  write(bytes: Buffer): Promise<void>;
  endInput(): Promise<void>;
  /** Settles when its status has come. */
  readonly ended: Promise<unknown>;
  /** Ends it without waiting. */
  drop(): void;
}

export interface Side {
  run(words: readonly string[], streams: Streams): Promise<Command>;
  close(): Promise<void>;
}

/** Counts bytes that come, for those who wait for some. */
function counter() {
  let arrived = 0;
  let wanted: { readonly bytes: number; resolve(): void } | undefined;
  const settle = (): void => {
    if (wanted === undefined || arrived < wanted.bytes) return;
    arrived -= wanted.bytes;
    const { resolve } = wanted;
    wanted = undefined;
    resolve();
  };
  return {
    add(bytes: number) {
      arrived += bytes;
      settle();
    },
    output: (bytes: number): Promise<void> =>
      new Promise((resolve) => {
        wanted = { bytes, resolve };
        settle();
      }),
  };
}

/** Through the gateway, as a WebSocket client. */
export function crestSide(gateway: Gateway, { path }: Resource): Side {
  return {
    async run(words, streams) {
      const { add, output } = counter();
      const session = await openSession(gateway, `${path}/exec`, {
        query: { command: words, ...streams },
        onMessage: (number, payload) => number === channel.stdout && add(payload.length),
      });
      return {
        output,
        write: (bytes) => write(session.connection, frameOf(bytes)),
        endInput: session.endInput,
        ended: session.ended,
        drop: () => session.socket.terminate(),
      };
    },
    close: async () => undefined,
  };
}

const frames = new Map<Buffer, Buffer>();

/**
 * A WebSocket frame of bytes for stdin, with a mask as clients must have. Made once for the same bytes:
 * masking them again and again in JavaScript would be most of what is measured.
 */
function frameOf(bytes: Buffer): Buffer {
  const known = frames.get(bytes);
  if (known) return known;
  const mask = randomBytes(4);
  const length = Buffer.alloc(8);
  length.writeBigUInt64BE(BigInt(1 + bytes.length));
  const payload = Buffer.concat([Buffer.of(channel.stdin), bytes]);
  for (const [index, byte] of payload.entries()) payload[index] = byte ^ (mask[index % 4] ?? 0);
  const binary = 0x82;
  const maskedLongLength = 0xff;
  const frame = Buffer.concat([Buffer.of(binary, maskedLongLength), length, mask, payload]);
  frames.set(bytes, frame);
  return frame;
}

/** To the runtime itself: the RPC, and SPDY. `reach` may name another place that the session is dialled at. */
export function directSide(
  { dataDir }: Gateway,
  { id }: Resource,
  reach = async (url: URL): Promise<URL> => url,
): Side {
  const runtime = connect({ runtimeEndpoint: join(dataDir, "containerd.sock") });
  return {
    async run(words, { stdin = false, stdout = false, tty = false }) {
      const { add, output } = counter();
      const asked = { stdin, stdout, tty };
      const { url } = await call(runtime, "RuntimeService/Exec", { containerId: id, cmd: words, ...asked });
      const { href } = await reach(new URL(url));
      const connection = await dial(href, { protocol: "v4.channel.k8s.io" });
      const session = createCommandSession(
        connection,
        { ...asked, stderr: false },
        { statusGraceMs: 30_000 },
      );
      session.stdout?.on("data", (bytes: Buffer) => add(bytes.length));
      return {
        output,
        write: (bytes) => write(session.stdin, bytes),
        async endInput() {
          session.stdin?.end();
        },
        ended: session.outcome,
        drop: () => connection.destroy(),
      };
    },
    close: async () => runtime.close(),
  };
}

/** The same with a relay between, which does nothing but pass the bytes on. */
export function relaySide(gateway: Gateway, container: Resource): Side {
  let relay: Child | undefined;
  const side = directSide(gateway, container, async (url) => {
    relay ??= startChild("servers/relay", { args: [url.port] });
    const { port } = await relay.listening;
    return Object.assign(url, { port: String(port) });
  });
  return {
    ...side,
    async close() {
      await side.close();
      await relay?.stop();
    },
  };
}

function write(stream: Duplex | undefined, bytes: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    stream?.write(bytes, (error) => (error ? reject(error) : resolve()));
  });
}

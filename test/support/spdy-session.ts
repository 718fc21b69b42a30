/** The server side of one SPDY session: the streams that the client opened, and what is sent on them. */
import type { IncomingHttpHeaders } from "node:http";
import type { Duplex } from "node:stream";
import { Readable } from "node:stream";
import {
  type ControlFrame,
  controlBytes,
  createFrameReader,
  createHeaderBlocks,
  createHeaderReader,
  dataBytes,
  type Frame,
  frameTypes,
  type Headers,
  uint32,
} from "./spdy-wire.ts";

/** A stream that the client opened. */
export interface ServerStream {
  readonly id: number;
  readonly headers: Headers;
  /**
   * Data from the client; ends at its FIN or with the connection. If it is not read, the entire session stops reading.
   */
  readonly input: Readable;
  /** Bytes received so far, read or not. */
  readonly receivedBytes: number;
  /** Whether the client ended its half. */
  readonly inputEnded: boolean;
  /** The status of the client's RST_STREAM. */
  readonly resetStatus: number | undefined;
  /** Settles when the kernel has accepted the bytes, or the connection is gone. */
  write(bytes: Uint8Array | string): Promise<void>;
  /** Sends FIN. */
  end(): void;
  /** Sends RST_STREAM. */
  reset(status?: number): void;
}

export interface ServerSession {
  /** The path of the upgrade request. */
  readonly path: string;
  readonly requestHeaders: IncomingHttpHeaders;
  readonly socket: Duplex;
  /** In order of arrival. */
  readonly streams: readonly ServerStream[];
  /** All other frames from the client: pings, resets. */
  readonly controls: readonly ControlFrame[];
  /** Why the client's bytes could not be parsed; undefined if they could. */
  readonly failure: Error | undefined;
  /** Resolves with the stream of this `streamtype` when it arrives. */
  stream(type: string): Promise<ServerStream>;
  /** Sends raw bytes. Settles when the kernel has accepted them, or the connection is gone. */
  send(bytes: Uint8Array): Promise<void>;
  /** Sends a ping. Settles with its answer. */
  ping(id: number): Promise<void>;
  goAway(): void;
  /** Closes gracefully: data already sent still arrives. */
  close(): void;
  /** Drops the connection abruptly. */
  drop(): void;
  /** Stops reading, like a server whose process does not read its stdin. */
  stopReading(): void;
  readAgain(): void;
  /** Resumes reading and discards all data, so that it sees the end of the connection. */
  drain(): void;
  readonly closed: Promise<void>;
  readonly isClosed: boolean;
}

export interface SessionStart {
  readonly socket: Duplex;
  readonly head: Buffer;
  readonly path: string;
  readonly requestHeaders: IncomingHttpHeaders;
}

export function createServerSession({ socket, head, path, requestHeaders }: SessionStart): ServerSession {
  const streams: (ServerStream & { take(frame: Frame): void })[] = [];
  const controls: ControlFrame[] = [];
  const waiting = new Set<() => void>();
  const readHeaders = createHeaderReader();
  const writeHeaders = createHeaderBlocks();
  const full = new Set<Readable>();
  let stopped = false;
  let failure: Error | undefined;

  /** Settles when `condition` holds. Checks it after every frame. */
  function when<Value>(condition: () => Value | undefined): Promise<Value> {
    return new Promise((resolve) => {
      const check = (): void => {
        const value = condition();
        if (value === undefined) return;
        waiting.delete(check);
        resolve(value);
      };
      waiting.add(check);
      check();
    });
  }

  function send(bytes: Uint8Array): Promise<void> {
    return new Promise((resolve) => {
      if (socket.destroyed) resolve();
      else socket.write(bytes, () => resolve());
    });
  }

  function flow(): void {
    if (stopped || full.size > 0) socket.pause();
    else socket.resume();
  }

  function open(id: number, headers: Headers): void {
    let receivedBytes = 0;
    let inputEnded = false;
    let resetStatus: number | undefined;
    const input = new Readable({
      read() {
        if (full.delete(input)) flow();
      },
    });
    streams.push({
      ...{ id, headers, input },
      get receivedBytes() {
        return receivedBytes;
      },
      get inputEnded() {
        return inputEnded;
      },
      get resetStatus() {
        return resetStatus;
      },
      take(frame) {
        if ("type" in frame) {
          resetStatus = frame.payload.readUInt32BE(4);
          if (!inputEnded) input.push(null);
          inputEnded = true;
          return;
        }
        receivedBytes += frame.payload.length;
        if (frame.payload.length > 0 && !input.push(frame.payload)) {
          full.add(input);
          flow();
        }
        if (frame.flags & 1) {
          inputEnded = true;
          input.push(null);
        }
      },
      async write(bytes) {
        const all = Buffer.from(bytes);
        for (let at = 0; at < all.length; at += 32_768) {
          await send(dataBytes(id, all.subarray(at, at + 32_768)));
        }
      },
      end: () => void send(dataBytes(id, Buffer.alloc(0), 1)),
      reset: (status = 5) => void send(controlBytes(frameTypes.rstStream, uint32(id, status))),
    });
    void send(controlBytes(frameTypes.synReply, Buffer.concat([uint32(id), writeHeaders({})])));
  }

  function take(frame: Frame): void {
    if ("streamId" in frame) {
      const stream = streams.find(({ id }) => id === frame.streamId);
      if (stream === undefined)
        throw new Error(`Cannot take data of stream ${frame.streamId}: none was opened`);
      if (stream.inputEnded) throw new Error(`Cannot take data of stream ${frame.streamId}: it has ended`);
      stream.take(frame);
      return;
    }
    const id = frame.payload.readUInt32BE(0);
    if (frame.type === frameTypes.synStream) {
      if (id % 2 !== 1 || id <= (streams.at(-1)?.id ?? 0)) throw new Error(`Cannot open stream ${id}`);
      open(id, readHeaders(frame.payload.subarray(10)));
      return;
    }
    controls.push(frame);
    if (frame.type === frameTypes.rstStream) streams.find((stream) => stream.id === id)?.take(frame);
    if (frame.type === frameTypes.ping && id % 2 === 1) void send(controlBytes(frameTypes.ping, uint32(id)));
  }

  const read = createFrameReader(take);
  const closed = new Promise<void>((resolve) => {
    socket.once("close", () => {
      for (const { input, inputEnded } of streams) if (!inputEnded) input.push(null);
      resolve();
    });
  });
  socket.on("error", () => undefined);
  socket.on("data", (chunk: Buffer) => {
    try {
      read(chunk);
    } catch (error) {
      failure ??= error as Error;
      socket.destroy();
    }
    for (const check of waiting) check();
  });
  socket.on("end", () => socket.end());
  if (head.length > 0) socket.unshift(head);

  return {
    ...{ path, requestHeaders, socket, streams, controls, closed, send },
    get failure() {
      return failure;
    },
    get isClosed() {
      return socket.destroyed;
    },
    stream: (type) => when(() => streams.find(({ headers }) => headers.streamtype === type)),
    async ping(id) {
      const answers = (): number =>
        controls.filter(({ type, payload }) => type === frameTypes.ping && payload.readUInt32BE(0) === id)
          .length;
      const before = answers();
      void send(controlBytes(frameTypes.ping, uint32(id)));
      await when(() => (answers() > before ? true : undefined));
    },
    goAway: () => void send(controlBytes(frameTypes.goAway, uint32(streams.at(-1)?.id ?? 0, 0))),
    close: () => void socket.end(),
    drop: () => void socket.destroy(),
    stopReading() {
      stopped = true;
      flow();
    },
    readAgain() {
      stopped = false;
      flow();
    },
    drain() {
      stopped = false;
      for (const { input } of streams) input.resume();
      flow();
    },
  };
}

/**
 * The client side of a SPDY/3.1 connection, over a socket that was upgraded to it.
 *
 * Invariant: a byte leaves the socket only when its stream has room. The peer (moby/spdystream) does not support window
 * updates, so TCP is the only flow control: one full stream pauses the whole connection until its reader has drained
 * it. Whoever opens a stream must therefore read it or let it flow. Writes wait for the socket in turn, and waiting
 * writes are released when the connection ends.
 */
import { Duplex } from "node:stream";
import {
  controlFrame,
  createFrameParser,
  dataFrameHeader,
  FIN,
  frameType,
  resetStatus,
  SpdyProtocolError,
  words,
} from "./frames.ts";
import { createHeaderWriter } from "./headers.ts";

export interface SpdyConnection {
  /**
   * Opens a stream. Its writable half ends with FIN, its readable half with the peer's FIN or reset. Data written after
   * the peer reset the stream, or after the connection ended, is silently dropped.
   */
  createStream(headers: { readonly [name: string]: string }): SpdyStream;
  /**
   * Settles when the peer has answered. (A server whose process does not read its stdin answers late.)
   *
   * Rejects if the connection ends first, and at once while a stream is full: we would not see the answer, and a peer
   * that has already ended would drop the data we have yet to read.
   */
  ping(): Promise<void>;
  /** Settles when the connection is over: undefined if the peer or we ended it, otherwise the error. */
  readonly closed: Promise<Error | undefined>;
  /** Whether the peer sent GOAWAY, so that the connection ends in an orderly way. */
  readonly goneAway: boolean;
  /** Drops the connection immediately. Only this makes containerd kill the process. */
  destroy(): void;
  /** Like `destroy`, but first flushes what was written to the network, for at most `withinMs`. */
  destroySoon(withinMs: number): Promise<void>;
}

/** What a stream buffers for its reader before the connection is paused. Node's default differs by version. */
const readAheadBytes = 32 * 1024;
/** What a stream buffers for its writer while the socket has no room. */
const highWaterBytes = 256 * 1024;
/** Large writes are split into frames of this size, so that other streams can interleave. */
const frameBytes = 64 * 1024;
/** Unsent replies to the peer's own frames. Beyond this, the peer is flooding us. */
const maxUnsentAnswers = 1024 * 1024;
const maxPings = 100;

export interface SpdyStream extends Duplex {
  /** Whether the peer ended its half with FIN or reset. False if the connection ended first. */
  readonly complete: boolean;
  /** Bytes passed to the connection, without those still queued in the stream. */
  readonly sentBytes: number;
}

class OpenStream extends Duplex implements SpdyStream {
  readonly id: number;
  complete = false;
  sentBytes = 0;
  /** Set once nothing more is accepted from the peer. A faulty peer may send data after its FIN. */
  ended = false;
  readonly #connection: Connection;

  constructor(connection: Connection, id: number) {
    super({
      allowHalfOpen: true,
      autoDestroy: true,
      emitClose: true,
      writableHighWaterMark: highWaterBytes,
      readableHighWaterMark: readAheadBytes,
    });
    this.id = id;
    this.#connection = connection;
    // The write callback reports a write after the end. Nobody has to listen for the event.
    this.on("error", () => undefined);
    // Nobody reads after the last byte, so the connection would stay paused.
    this.once("end", () => connection.wants(this));
  }

  /** Ends the peer's half. `complete`: whether the peer ended it. */
  endReading(complete: boolean): void {
    if (this.ended) return;
    this.ended = true;
    this.complete = complete;
    this.push(null);
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: (error?: Error | null) => void): void {
    this.sentBytes += chunk.length;
    this.#connection.write(this.id, chunk, callback);
  }

  override _final(callback: (error?: Error | null) => void): void {
    this.#connection.finish(this.id, callback);
  }

  override _read(): void {
    this.#connection.wants(this);
  }

  override _destroy(error: Error | null, callback: (error: Error | null) => void): void {
    this.#connection.forget(this, !(this.readableEnded && this.writableFinished));
    callback(error);
  }
}

/** Takes over `socket`. Data that was already read must be put back first (`unshift`). */
export function createSpdyConnection(socket: Duplex): SpdyConnection {
  return new Connection(socket);
}

class Connection implements SpdyConnection {
  readonly closed: Promise<Error | undefined>;
  goneAway = false;
  readonly #socket: Duplex;
  readonly #streams = new Map<number, OpenStream>();
  /** Streams that are full. The socket is paused while there is one. */
  readonly #full = new Set<OpenStream>();
  /**
   * Data for one stream from the chunk being parsed. containerd sends a frame for each write of the process, often 4
   * KiB. Delivered together, they cost one message and one write to the client.
   */
  #received: Buffer[] = [];
  #receiver: OpenStream | undefined;
  /** Writers waiting for the socket to drain or close. */
  #waiting: (() => void)[] = [];
  readonly #pings = new Map<
    number,
    { readonly resolve: () => void; readonly reject: (why: Error) => void }
  >();
  readonly #writeHeaders = createHeaderWriter();
  #nextStream = 1;
  #nextPing = 1;
  #failure: Error | undefined;

  constructor(socket: Duplex) {
    this.#socket = socket;
    const parser = createFrameParser({
      data: (id, chunk, fin) => this.#data(id, chunk, fin),
      control: (type, flags, payload) => this.#control(type, flags, payload),
    });
    this.closed = new Promise((resolve) => {
      socket.once("close", () => {
        this.#end();
        resolve(this.#failure);
      });
    });
    socket.on("error", (error: Error) => {
      this.#failure ??= error;
    });
    socket.on("end", () => socket.destroy());
    socket.on("drain", () => this.#release());
    socket.on("data", (chunk: Buffer) => {
      try {
        parser.push(chunk);
        this.#deliver();
      } catch (error) {
        this.#deliver();
        this.#fail(error as Error);
      }
    });
  }

  createStream(headers: { readonly [name: string]: string }): SpdyStream {
    const stream = new OpenStream(this, this.#nextStream);
    this.#nextStream += 2;
    this.#streams.set(stream.id, stream);
    // Stream id, no associated stream, no priority, no slot.
    const payload = Buffer.concat([words(stream.id, 0), Buffer.alloc(2), this.#writeHeaders(headers)]);
    this.#send(controlFrame(frameType.synStream, 0, payload));
    return stream;
  }

  ping(): Promise<void> {
    const why = this.#socket.destroyed
      ? "the session has ended"
      : this.#full.size > 0
        ? "the session is not being read"
        : this.#pings.size >= maxPings
          ? "too many pings without an answer"
          : undefined;
    if (why !== undefined) return Promise.reject(new Error(why));
    return new Promise((resolve, reject) => {
      this.#pings.set(this.#nextPing, { resolve, reject });
      this.#send(controlFrame(frameType.ping, 0, words(this.#nextPing)));
      this.#nextPing += 2;
    });
  }

  destroy(): void {
    this.#socket.destroy();
  }

  async destroySoon(withinMs: number): Promise<void> {
    const late = setTimeout(() => this.destroy(), withinMs);
    const left = Promise.all([...this.#streams.values()].map(passed)).then(() => passed(this.#socket));
    await Promise.race([left, this.closed]);
    clearTimeout(late);
    this.destroy();
  }

  write(id: number, chunk: Buffer, callback: () => void): void {
    // Not an error, which would destroy the stream together with its unread data.
    if (this.#socket.destroyed || !this.#streams.has(id)) {
      callback();
      return;
    }
    // Sends the header and payload of a keystroke in one packet.
    this.#socket.cork();
    for (let at = 0; at < chunk.length; at += frameBytes) {
      const part = chunk.subarray(at, at + frameBytes);
      this.#socket.write(dataFrameHeader(id, part.length, 0));
      this.#socket.write(part);
    }
    this.#socket.uncork();
    if (this.#socket.writableNeedDrain) this.#waiting.push(callback);
    else callback();
  }

  finish(id: number, callback: (error?: Error) => void): void {
    if (this.#streams.has(id)) this.#send(dataFrameHeader(id, 0, FIN));
    callback();
  }

  /** Called when the reader of a stream has room again. */
  wants(stream: OpenStream): void {
    if (this.#full.delete(stream) && this.#full.size === 0) this.#socket.resume();
  }

  forget(stream: OpenStream, early: boolean): void {
    if (this.#streams.delete(stream.id) && early && !this.#socket.destroyed) {
      this.#send(controlFrame(frameType.rstStream, 0, words(stream.id, resetStatus.cancel)));
    }
    this.wants(stream);
  }

  #data(id: number, chunk: Buffer, fin: boolean): void {
    // The stream was cancelled by us or never opened: drop the data.
    const stream = this.#streams.get(id);
    if (!stream || stream.ended) return;
    if (chunk.length > 0) {
      if (this.#receiver !== stream) this.#deliver();
      this.#receiver = stream;
      this.#received.push(chunk);
    }
    if (!fin) return;
    this.#deliver();
    stream.endReading(true);
  }

  /** Delivers the data gathered so far. */
  #deliver(): void {
    const stream = this.#receiver;
    if (!stream) return;
    const [first, ...others] = this.#received;
    const chunk = others.length === 0 ? first : Buffer.concat(this.#received);
    this.#receiver = undefined;
    this.#received = [];
    if (stream.push(chunk)) return;
    this.#full.add(stream);
    this.#socket.pause();
  }

  #control(type: number, flags: number, payload: Buffer): void {
    this.#deliver();
    switch (type) {
      case frameType.synStream:
        // CRI streaming servers never open streams.
        this.#answer(
          controlFrame(frameType.rstStream, 0, words(streamIdOf(payload), resetStatus.refusedStream)),
        );
        return;
      case frameType.synReply:
        if ((flags & FIN) !== 0) this.#streams.get(streamIdOf(payload))?.endReading(true);
        return;
      case frameType.rstStream:
        this.#reset(streamIdOf(payload));
        return;
      case frameType.ping:
        this.#pinged(payload);
        return;
      case frameType.goAway:
        this.goneAway = true;
        return;
      default: // SETTINGS, HEADERS, WINDOW_UPDATE, and frames of later versions.
        return;
    }
  }

  /** The peer neither receives nor sends any more on a stream. containerd ends every `error` stream this way. */
  #reset(id: number): void {
    const stream = this.#streams.get(id);
    if (!stream) return;
    this.#streams.delete(id);
    stream.endReading(true);
    stream.end();
  }

  #pinged(payload: Buffer): void {
    const id = streamIdOf(payload);
    if (id % 2 === 0) {
      this.#answer(controlFrame(frameType.ping, 0, words(id)));
      return;
    }
    this.#pings.get(id)?.resolve();
    this.#pings.delete(id);
  }

  #send(frame: Buffer): void {
    if (!this.#socket.destroyed) this.#socket.write(frame);
  }

  /** Replies to a frame of the peer, unless the peer keeps asking without reading. */
  #answer(frame: Buffer): void {
    if (this.#socket.writableLength > maxUnsentAnswers) this.#fail(new SpdyProtocolError("The peer floods"));
    else this.#send(frame);
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    this.#socket.destroy();
  }

  #release(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const callback of waiting) callback();
  }

  #end(): void {
    this.#release();
    for (const { reject } of this.#pings.values()) reject(new Error("the session has ended"));
    this.#pings.clear();
    for (const stream of this.#streams.values()) {
      // Received data stays readable.
      stream.endReading(false);
      stream.end();
    }
    this.#streams.clear();
  }
}

/** Settles when everything written to `sink` was accepted, or never will be. */
function passed(sink: Duplex): Promise<void> {
  return new Promise((resolve) => {
    if (sink.destroyed || sink.writableFinished) resolve();
    else if (sink.writableEnded) sink.once("finish", resolve).once("close", resolve);
    else sink.write(Buffer.alloc(0), () => resolve());
  });
}

function streamIdOf(payload: Buffer): number {
  if (payload.length < 4) throw new SpdyProtocolError("The peer sent a control frame that is too short");
  return payload.readUInt32BE(0) & 0x7fffffff;
}

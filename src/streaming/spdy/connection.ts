/**
 * A SPDY/3.1 connection, the client's side, over a socket that was upgraded to it.
 *
 * Invariant: a byte leaves the socket only when its stream has room. The peer (moby/spdystream) knows no
 * window updates, so TCP is the only brake: one full stream pauses the whole connection, until its reader
 * has taken what it holds. Who opens a stream must therefore read it, or let it flow. Writes wait for the
 * socket in turn, and whatever waits is let go when the connection ends.
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
   * Opens a stream. Its writable half ends with FIN, its readable half at the peer's FIN or reset. What is
   * written to one that the peer reset, or whose connection has ended, goes nowhere and is no error.
   */
  createStream(headers: { readonly [name: string]: string }): SpdyStream;
  /**
   * Settles when the peer has answered. (A server whose process does not read its stdin answers late.)
   *
   * Rejects when the connection ends first, and at once while a stream is full: the answer would not be
   * seen, and a peer that has ended already would drop what is still to be read.
   */
  ping(): Promise<void>;
  /** Settles when the connection is over: undefined at the peer's or our end, else why. */
  readonly closed: Promise<Error | undefined>;
  /** Whether the peer said that it takes no more streams: it ends in order. */
  readonly goneAway: boolean;
  /** Drops the connection at once. Only so does containerd kill what runs in it. */
  destroy(): void;
  /** The same once what was written has left for the network, after `withinMs` at the latest. */
  destroySoon(withinMs: number): Promise<void>;
}

/** What a stream holds for its reader before the connection is paused; Node's own default differs by version. */
const readAheadBytes = 32 * 1024;
/** What a stream takes of its writer while the socket has no room. */
const highWaterBytes = 256 * 1024;
/** Parts of a large write, so that other streams come in between. */
const frameBytes = 64 * 1024;
/** Answers to the peer's own frames that it may let pile up: beyond, it floods us. */
const maxUnsentAnswers = 1024 * 1024;
const maxPings = 100;

/** A stream of a connection. */
export interface SpdyStream extends Duplex {
  /** Whether the peer ended its half, by FIN or reset. False for one that the connection's end cut short. */
  readonly complete: boolean;
  /** What was written so far, without what still waits for its turn. */
  readonly sentBytes: number;
}

class OpenStream extends Duplex implements SpdyStream {
  readonly id: number;
  complete = false;
  sentBytes = 0;
  /** Nothing more is taken from the peer. What a broken one sends after its FIN is not listened to. */
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
    // A write after the end is told to its callback; nobody need listen here.
    this.on("error", () => undefined);
    // After the last byte nobody asks for more: that alone would leave the connection paused.
    this.once("end", () => connection.wants(this));
  }

  /** The peer's half is over; `complete` when the peer said so. */
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

/** Takes over `socket`; what has come already must have been put back into it (`unshift`). */
export function createSpdyConnection(socket: Duplex): SpdyConnection {
  return new Connection(socket);
}

class Connection implements SpdyConnection {
  readonly closed: Promise<Error | undefined>;
  goneAway = false;
  readonly #socket: Duplex;
  readonly #streams = new Map<number, OpenStream>();
  /** Streams that have no room: while there is one, the socket is not read. */
  readonly #full = new Set<OpenStream>();
  /**
   * What has come for one stream in the read that is being parsed. containerd sends a frame for each write
   * of the process, often 4 KiB; handed on together they cost one message, and one write to the client.
   */
  #received: Buffer[] = [];
  #receiver: OpenStream | undefined;
  /** Writers that wait for the socket to drain, or to close. */
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
    // Stream id, no associated stream, priority and slot.
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
    // No error: it would destroy the stream, with what is still to be read of it.
    if (this.#socket.destroyed || !this.#streams.has(id)) {
      callback();
      return;
    }
    // Header and payload of a keystroke in one packet.
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

  /** A stream's reader has room again. */
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
    // Of a stream that we gave up, or never opened: nobody wants it.
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

  /** Hands on what has been gathered. */
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
        // Servers of the CRI open no streams.
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
      default: // SETTINGS, HEADERS, WINDOW_UPDATE and what a later version may send.
        return;
    }
  }

  /** The peer takes no more and sends no more on a stream. containerd ends every `error` stream so. */
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

  /** Sends what the peer asked for, unless it asks without ever reading. */
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
      // What has come stays readable.
      stream.endReading(false);
      stream.end();
    }
    this.#streams.clear();
  }
}

/** Settles when what was written to `sink` has been taken, or will never be. */
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

/**
 * A SPDY/3.1 connection, the client's side, over a socket that was upgraded to it.
 *
 * Invariant: a byte leaves the socket only when its stream has room. The peer (moby/spdystream) knows no
 * window updates, so TCP is the only brake: one full stream pauses the whole connection. Writes wait for
 * the socket in turn, and whatever waits is answered when the connection ends.
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
  /** Opens a stream. Its writable half ends with FIN, its readable half at the peer's FIN or reset. */
  createStream(headers: { readonly [name: string]: string }): Duplex;
  /** Settles when the peer has answered. (A server whose process does not read its stdin answers late.) */
  ping(): Promise<void>;
  /** Settles when the connection is over: undefined at the peer's or our end, else why. */
  readonly closed: Promise<Error | undefined>;
  /** Whether the peer said that it takes no more streams: it ends in order. */
  readonly goneAway: boolean;
  /** Drops the connection at once. Only so does containerd kill what runs in it. */
  destroy(): void;
}

/** What may wait in the socket before writers are held. */
const highWaterBytes = 256 * 1024;
/** Parts of a large write, so that other streams come in between. */
const frameBytes = 64 * 1024;
/** Answers to the peer's own frames that it may let pile up: beyond, it floods us. */
const maxUnsentAnswers = 1024 * 1024;
const maxPings = 100;

class SpdyStream extends Duplex {
  readonly id: number;
  /** The peer has ended its half. What a broken one sends afterwards is not listened to. */
  ended = false;
  readonly #connection: Connection;

  constructor(connection: Connection, id: number) {
    super({ allowHalfOpen: true, autoDestroy: true, emitClose: true, writableHighWaterMark: highWaterBytes });
    this.id = id;
    this.#connection = connection;
    // A write that the end of the connection cut short is told to its callback; nobody need listen here.
    this.on("error", () => undefined);
  }

  /** The peer's half is over. */
  endReading(): void {
    if (this.ended) return;
    this.ended = true;
    this.push(null);
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: (error?: Error | null) => void): void {
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
  readonly #streams = new Map<number, SpdyStream>();
  /** Streams that have no room: while there is one, the socket is not read. */
  readonly #full = new Set<SpdyStream>();
  /** Writers that wait for the socket to drain, or to close. */
  #waiting: ((error?: Error) => void)[] = [];
  readonly #pings = new Map<number, () => void>();
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
      } catch (error) {
        this.#fail(error as Error);
      }
    });
  }

  createStream(headers: { readonly [name: string]: string }): Duplex {
    const stream = new SpdyStream(this, this.#nextStream);
    this.#nextStream += 2;
    this.#streams.set(stream.id, stream);
    // Stream id, no associated stream, priority and slot.
    const payload = Buffer.concat([words(stream.id, 0), Buffer.alloc(2), this.#writeHeaders(headers)]);
    this.#send(controlFrame(frameType.synStream, 0, payload));
    return stream;
  }

  ping(): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#pings.size >= maxPings) {
        reject(new Error("too many pings without an answer"));
        return;
      }
      this.#pings.set(this.#nextPing, resolve);
      this.#send(controlFrame(frameType.ping, 0, words(this.#nextPing)));
      this.#nextPing += 2;
    });
  }

  destroy(): void {
    this.#socket.destroy();
  }

  write(id: number, chunk: Buffer, callback: (error?: Error) => void): void {
    if (this.#socket.destroyed || !this.#streams.has(id)) {
      callback(new Error("the stream has ended"));
      return;
    }
    for (let at = 0; at < chunk.length; at += frameBytes) {
      const part = chunk.subarray(at, at + frameBytes);
      this.#socket.write(dataFrameHeader(id, part.length, 0));
      this.#socket.write(part);
    }
    if (this.#socket.writableLength < highWaterBytes && !this.#socket.writableNeedDrain) callback();
    else this.#waiting.push(callback);
  }

  finish(id: number, callback: (error?: Error) => void): void {
    if (this.#streams.has(id)) this.#send(dataFrameHeader(id, 0, FIN));
    callback();
  }

  /** A stream's reader has room again. */
  wants(stream: SpdyStream): void {
    if (this.#full.delete(stream) && this.#full.size === 0) this.#socket.resume();
  }

  forget(stream: SpdyStream, early: boolean): void {
    if (this.#streams.delete(stream.id) && early && !this.#socket.destroyed) {
      this.#send(controlFrame(frameType.rstStream, 0, words(stream.id, resetStatus.cancel)));
    }
    this.wants(stream);
  }

  #data(id: number, chunk: Buffer, fin: boolean): void {
    // Of a stream that we gave up, or never opened: nobody wants it.
    const stream = this.#streams.get(id);
    if (!stream || stream.ended) return;
    if (chunk.length > 0 && !stream.push(chunk)) {
      this.#full.add(stream);
      this.#socket.pause();
    }
    if (fin) stream.endReading();
  }

  #control(type: number, flags: number, payload: Buffer): void {
    switch (type) {
      case frameType.synStream:
        // Servers of the CRI open no streams.
        this.#answer(
          controlFrame(frameType.rstStream, 0, words(streamIdOf(payload), resetStatus.refusedStream)),
        );
        return;
      case frameType.synReply:
        if ((flags & FIN) !== 0) this.#streams.get(streamIdOf(payload))?.endReading();
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
    stream.endReading();
    stream.end();
  }

  #pinged(payload: Buffer): void {
    const id = streamIdOf(payload);
    if (id % 2 === 0) {
      this.#answer(controlFrame(frameType.ping, 0, words(id)));
      return;
    }
    this.#pings.get(id)?.();
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

  #release(error?: Error): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const callback of waiting) callback(error);
  }

  #end(): void {
    const error = this.#failure ?? new Error("the session has ended");
    this.#release(error);
    this.#pings.clear();
    for (const stream of this.#streams.values()) {
      // What has come stays readable; that it was cut short is told by `closed`.
      stream.endReading();
      stream.end();
    }
    this.#streams.clear();
  }
}

function streamIdOf(payload: Buffer): number {
  if (payload.length < 4) throw new SpdyProtocolError("The peer sent a control frame that is too short");
  return payload.readUInt32BE(0) & 0x7fffffff;
}

/**
 * Keeps a WebSocket alive and closes it: pings, the closing handshake, and special handling of a paused socket.
 *
 * A paused socket reads nothing: it sees no pongs, answers no pings and cannot complete a closing handshake. A client
 * that reads slowly, for example behind a pager, does not answer a ping before it has read all data in front of it. So
 * a missing pong proves that the client is gone only if nothing was sent to it in the meantime. Otherwise we rely on
 * TCP: pings and pongs keep it sending, and a client that is gone acknowledges nothing. On Linux that takes about 15
 * minutes (`net.ipv4.tcp_retries2`), and Node cannot set a shorter timeout. TCP keep-alive would not help, because it
 * probes only when nothing is in flight.
 */
import { closeCode, type Socket } from "./socket.ts";

export interface Limits {
  /** Interval between pings. */
  readonly pingMs: number;
  /** Ends a session after this time without data in either direction. 0: never. */
  readonly idleMs: number;
  /** Ends a session after this time even if it is active. 0: never. */
  readonly maxMs: number;
  /** How long a client may take to answer a close or a ping. */
  readonly graceMs: number;
}

export const defaultLimits: Limits = {
  pingMs: 20_000,
  idleMs: 4 * 60 * 60 * 1000,
  maxMs: 0,
  graceMs: 10_000,
};

/** Payload of a session so far, in bytes, without what carries it. */
export interface Traffic {
  readonly received: number;
  readonly sent: number;
}

export interface Liveness {
  /** Call when a message arrives from the client, with the bytes of its payload that belong to the stream. */
  heard(bytes?: number): void;
  /** Call when output is sent to the client, with the bytes of its payload. */
  sent(bytes?: number): void;
  readonly traffic: Traffic;
  /** False once the session is closing; later messages must be ignored. */
  readonly open: boolean;
  /**
   * Closes with a code; later calls do not send another close. A client that does not answer is cut off after `graceMs`
   * (default: `graceMs` of the limits). A later call can shorten the grace period.
   */
  close(code: number, reason: string, graceMs?: number): void;
  /** Settles when the socket has closed, whichever side closed it. */
  readonly closed: Promise<void>;
}

/** While the socket is paused, send pongs at this interval to clients that expect an answer to their pings. */
const unsolicitedPongMs = 5000;

export function keepAlive(socket: Socket, limits: Limits): Liveness {
  const start = performance.now();
  let touched = start;
  let answered = start;
  let pinged = start;
  /** Pings are numbered: a pong shows that the client has read everything sent before that ping. */
  let pings = 0;
  let lastAnswered = 0;
  /** The last ping sent before the last output; initially none. */
  let beforeOutput = -1;
  const traffic = { received: 0, sent: 0 };
  let closing = false;
  let over = false;
  let cutOff: NodeJS.Timeout | undefined;
  let cutOffAt = Number.POSITIVE_INFINITY;
  let ended: () => void = () => {};
  const closed = new Promise<void>((resolve) => {
    ended = resolve;
  });

  function close(code: number, reason: string, graceMs = limits.graceMs): void {
    // A timer that starts now would keep the whole session in memory until it fires.
    if (over) return;
    const at = performance.now() + graceMs;
    if (at < cutOffAt) {
      cutOffAt = at;
      clearTimeout(cutOff);
      cutOff = setTimeout(() => socket.terminate(), graceMs).unref();
    }
    if (closing) return;
    closing = true;
    if (socket.isPaused) socket.resume();
    socket.close(code, reason);
  }

  function check(): void {
    const now = performance.now();
    if (limits.idleMs > 0 && now - touched > limits.idleMs) close(closeCode.tooLong, "idle for too long");
    else if (limits.maxMs > 0 && now - start > limits.maxMs)
      close(closeCode.tooLong, "the session reached its time limit");
    if (closing) return;
    if (socket.isPaused) {
      // Its pings are still unread. We send none either, because its pongs would pile up on its side.
      answered = now;
      socket.pong();
      return;
    }
    if (lastAnswered > beforeOutput && now - answered > limits.pingMs + limits.graceMs) {
      socket.terminate();
      return;
    }
    if (now - pinged >= limits.pingMs) {
      pinged = now;
      pings++;
      socket.ping(String(pings));
    }
  }

  const timer = setInterval(check, Math.min(unsolicitedPongMs, limits.pingMs));
  timer.unref();
  socket.on("pong", (data) => {
    answered = performance.now();
    // Some clients send unsolicited pongs.
    const number = Number(data.toString("latin1"));
    if (number > lastAnswered && number <= pings) lastAnswered = number;
  });
  // `ws` has already started to close with the right code. This also cuts off a client that does not answer.
  socket.on("error", () => close(closeCode.badMessage, ""));
  socket.on("close", () => {
    over = true;
    clearInterval(timer);
    clearTimeout(cutOff);
    ended();
  });
  return {
    traffic,
    heard(bytes = 0) {
      traffic.received += bytes;
      touched = performance.now();
      answered = touched;
    },
    sent(bytes = 0) {
      traffic.sent += bytes;
      touched = performance.now();
      beforeOutput = pings;
    },
    get open() {
      return !closing;
    },
    close,
    closed,
  };
}

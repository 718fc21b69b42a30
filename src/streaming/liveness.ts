/**
 * Keeps a WebSocket alive and ends it: pings, the close handshake, and what a paused socket needs.
 *
 * A paused socket reads nothing: it sees no pong, answers no ping and cannot take part in closing. A client
 * that takes its time to read, as behind a pager, answers no ping either, until it has read what lies
 * before it: so a missing answer tells that a client has gone only when nothing was sent to it meanwhile.
 * Otherwise TCP finds out: pings and pongs keep it sending, and one that has gone acknowledges nothing. On
 * Linux that takes about a quarter of an hour (`net.ipv4.tcp_retries2`); Node can set no shorter one. TCP's
 * own keep-alive would add nothing, since it asks only while nothing is on its way.
 */
import { closeCode, type Socket } from "./socket.ts";

export interface Limits {
  /** Between two pings. */
  readonly pingMs: number;
  /** Ends a session in which neither side sent anything; 0: never. */
  readonly idleMs: number;
  /** Ends a session however busy it is; 0: never. */
  readonly maxMs: number;
  /** How long a client may take to answer a close, or a ping. */
  readonly graceMs: number;
}

export const defaultLimits: Limits = {
  pingMs: 20_000,
  idleMs: 4 * 60 * 60 * 1000,
  maxMs: 0,
  graceMs: 10_000,
};

export interface Liveness {
  /** A message came from the client. */
  heard(): void;
  /** Output was sent to the client. */
  sent(): void;
  /** False once the session is being closed: what still comes is not listened to. */
  readonly open: boolean;
  /**
   * Closes with a code, once; a client that does not answer is cut off after the grace, `graceMs` of the
   * limits by default. A shorter one counts also when it comes later.
   */
  close(code: number, reason: string, graceMs?: number): void;
  /** Settles when the socket is closed, from whichever side. */
  readonly closed: Promise<void>;
}

/** While paused, clients that ping want to see something. */
const unsolicitedPongMs = 5000;

export function keepAlive(socket: Socket, limits: Limits): Liveness {
  const start = performance.now();
  let touched = start;
  let answered = start;
  let pinged = start;
  /** Pings are numbered: an answer tells that the client has read all that went out before its ping. */
  let pings = 0;
  let lastAnswered = 0;
  /** The last ping that went out before the last output; none at first. */
  let beforeOutput = -1;
  let closing = false;
  let cutOff: NodeJS.Timeout | undefined;
  let cutOffAt = Number.POSITIVE_INFINITY;
  let ended: () => void = () => {};
  const closed = new Promise<void>((resolve) => {
    ended = resolve;
  });

  function close(code: number, reason: string, graceMs = limits.graceMs): void {
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
      close(closeCode.tooLong, "the session's time is over");
    if (closing) return;
    if (socket.isPaused) {
      // Its pings wait unread. It is not pinged: its answers would pile up at its side.
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
    // Some answer without having been asked.
    const number = Number(data.toString("latin1"));
    if (number > lastAnswered && number <= pings) lastAnswered = number;
  });
  // `ws` is closing by itself then, with the code that fits; a client that does not answer that is cut off, too.
  socket.on("error", () => close(closeCode.badMessage, ""));
  socket.on("close", () => {
    clearInterval(timer);
    clearTimeout(cutOff);
    ended();
  });
  return {
    heard() {
      touched = performance.now();
      answered = touched;
    },
    sent() {
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

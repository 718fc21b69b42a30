/** The part of the `ws` WebSocket API that the bridges use. */

export interface Socket {
  readonly bufferedAmount: number;
  readonly readyState: number;
  readonly isPaused: boolean;
  send(data: Buffer | string, done: (error?: Error) => void): void;
  close(code: number, reason: string): void;
  terminate(): void;
  ping(data: string): void;
  pong(): void;
  pause(): void;
  resume(): void;
  on(event: "message", listener: (data: Buffer) => void): void;
  on(event: "pong", listener: (data: Buffer) => void): void;
  on(event: "close", listener: (code: number) => void): void;
  on(event: "error", listener: (error: Error) => void): void;
}

/** Close codes: those of RFC 6455, and 4000 + an HTTP status for our own. */
export const closeCode = {
  normal: 1000,
  goingAway: 1001,
  messageTooBig: 1009,
  serviceRestart: 1012,
  badMessage: 4400,
  unauthenticated: 4401,
  tooSlow: 4408,
  tooLong: 4408,
  takenOver: 4409,
  ended: 4410,
  internal: 4500,
  badGateway: 4502,
} as const;

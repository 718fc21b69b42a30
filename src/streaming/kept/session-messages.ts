/**
 * Messages on the channel of a kept session, in both directions, as JSON.
 *
 * Positions count from the beginning of the session. That of the output is the number of bytes of stdout and stderr
 * together. That of the input is the number of bytes of stdin; its end counts as one more.
 */

/** The first message of the gateway on each connection. */
export interface Welcome {
  readonly session: {
    readonly id: string;
    readonly type: SessionType;
    readonly containerId: string;
    readonly stdin: boolean;
    readonly tty: boolean;
    /** How long the session waits for its client. */
    readonly lingerSeconds: number;
  };
  /** Position of the input that the gateway has: what comes after it must be sent again. */
  readonly input: number;
  /** Position of the output that comes next. */
  readonly output: number;
  /** Bytes of output before that, from the position that the client asked for, which the gateway no longer has. */
  readonly lost: number;
}

export type SessionType = "exec" | "attach";

/** A later message of the gateway: the position of the input that it has now. */
export interface InputReceived {
  readonly input: number;
}

export const encodeMessage = (message: Welcome | InputReceived): Buffer =>
  Buffer.from(JSON.stringify(message));

/** A message takes 30 bytes. */
const maxBytes = 256;

/** The position in a client's `{"output": n}`; undefined if it is invalid or over 256 bytes. */
export function decodeReceived(payload: Buffer): number | undefined {
  if (payload.length > maxBytes) return undefined;
  try {
    const { output } = JSON.parse(payload.toString("utf8")) as { readonly output?: unknown };
    return Number.isSafeInteger(output) && (output as number) >= 0 ? (output as number) : undefined;
  } catch {
    return undefined;
  }
}

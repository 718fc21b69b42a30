/**
 * A command session (Exec, Attach) with the runtime: its streams and its outcome.
 *
 * Source: Kubernetes' remotecommand protocol v4 over SPDY.
 */
import type { Duplex } from "node:stream";
import { cutText, maxRuntimeTextBytes } from "../cri/runtime-text.ts";
import { readText } from "./read-text.ts";
import type { SpdyConnection, SpdyStream } from "./spdy/connection.ts";

/** The streams of a session, as requested in the RPC. */
export interface StreamChoice {
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  readonly tty: boolean;
}

/** How the session ended: the runtime's Kubernetes Status (a long message is cut), or that the runtime went away. */
export type Outcome = { readonly status: string } | { readonly lost: string };

export interface CommandSession {
  readonly stdin: SpdyStream | undefined;
  readonly stdout: Duplex | undefined;
  readonly stderr: Duplex | undefined;
  /** Takes terminal sizes. Only with a terminal. */
  readonly resize: Duplex | undefined;
  readonly outcome: Promise<Outcome>;
  readonly connection: SpdyConnection;
}

export interface CommandSessionOptions {
  /**
   * How long to wait for the status after all output has ended, in sessions whose process may have left much of its
   * stdin unread. 0 waits forever. Other sessions wait as long as the connection lives, because a busy runtime can be
   * minutes late.
   */
  readonly statusGraceMs: number;
}

const maxStatusBytes = 64 * 1024;
/**
 * containerd never sends the status if more stdin was left unread than its pipes hold, about 128 KiB. The first pipe
 * alone holds this much. The runtime does not report how much stdin was read, so we count what was sent.
 */
const harmlessStdinBytes = 64 * 1024;

/** Opens the streams of the session. The server expects all of them within 30 s. */
export function createCommandSession(
  connection: SpdyConnection,
  streams: StreamChoice,
  { statusGraceMs }: CommandSessionOptions,
): CommandSession {
  const open = (streamtype: string, wanted: boolean): SpdyStream | undefined =>
    wanted ? connection.createStream({ streamtype }) : undefined;
  const error = connection.createStream({ streamtype: "error" });
  const stdin = open("stdin", streams.stdin);
  const stdout = open("stdout", streams.stdout);
  const stderr = open("stderr", streams.stderr && !streams.tty);
  const resize = open("resize", streams.tty);
  // We never send anything on it.
  error.end();
  // Nothing should arrive on these. Discard what a faulty server sends, so that it cannot block the other streams.
  for (const stream of [stdin, resize]) stream?.resume();
  const outputs = [stdout, stderr].filter((stream) => stream !== undefined);
  return {
    stdin,
    stdout,
    stderr,
    resize,
    connection,
    outcome: outcomeOf(connection, error, {
      outputs,
      statusGraceMs,
      mayLackStatus: () => stdin !== undefined && stdin.sentBytes > harmlessStdinBytes,
    }),
  };
}

interface Ends {
  readonly outputs: readonly Duplex[];
  readonly statusGraceMs: number;
  /** Whether the runtime might never send the status. */
  readonly mayLackStatus: () => boolean;
}

function outcomeOf(
  connection: SpdyConnection,
  error: Duplex,
  { outputs, statusGraceMs, mayLackStatus }: Ends,
): Promise<Outcome> {
  const lost = connection.closed.then((failed) => {
    if (connection.goneAway)
      return { status: failure("exit unknown: the runtime ended the session without a status") };
    return { lost: failed?.message ?? "the runtime closed the session" };
  });
  const status = readText(error, maxStatusBytes).then((text) =>
    text === "" ? lost : { status: withShortMessage(text) },
  );

  let settled = false;
  let grace: NodeJS.Timeout | undefined;
  const noStatus = new Promise<Outcome>((resolve) => {
    const begin = (): void => {
      if (settled || outputs.length === 0 || statusGraceMs === 0) return;
      const message = "exit unknown: the runtime sent no status after the output had ended";
      grace = setTimeout(() => {
        if (mayLackStatus()) resolve({ status: failure(message) });
        else grace?.refresh();
      }, statusGraceMs);
      grace.unref();
    };
    void Promise.all(outputs.map((stream) => new Promise((over) => stream.once("end", over)))).then(begin);
  });
  return Promise.race([status, noStatus]).finally(() => {
    settled = true;
    clearTimeout(grace);
  });
}

/** A command that cannot start fails within this time, unless the node is overloaded. */
const startMs = 250;

/**
 * Waits for the first sign of life of a command: its outcome, which is returned, or output. A silent command counts as
 * started after `startMs`; it cannot be told apart from one that fails later. Reads nothing.
 */
export async function firstSign(
  { stdout, stderr, outcome }: CommandSession,
  onCancel: (cancel: () => void) => void,
): Promise<Outcome | undefined> {
  const outputs = [stdout, stderr].filter((stream) => stream !== undefined);
  let heard = (): void => undefined;
  let timer: NodeJS.Timeout | undefined;
  const sign = new Promise<undefined>((resolve) => {
    heard = () => resolve(undefined);
    for (const output of outputs) output.once("readable", heard);
    onCancel(heard);
    timer = setTimeout(heard, startMs);
  });
  try {
    return await Promise.race([outcome, sign]);
  } finally {
    clearTimeout(timer);
    for (const output of outputs) output.off("readable", heard);
  }
}

/** Cuts a message that is too long. A status that is too long and not JSON becomes a failure. */
function withShortMessage(text: string): string {
  if (Buffer.byteLength(text) <= maxRuntimeTextBytes) return text;
  try {
    const status = JSON.parse(text) as { readonly message?: unknown };
    if (typeof status.message !== "string") return text;
    return JSON.stringify({ ...status, message: cutText(status.message) });
  } catch {
    return failure(`exit unknown: the runtime's status is not JSON: ${cutText(text)}`);
  }
}

/** A Kubernetes Status for a failure in the gateway. */
export function failure(message: string): string {
  return JSON.stringify({ metadata: {}, status: "Failure", reason: "InternalError", message, code: 500 });
}

/** The error message of a Status; empty for success. Text that is not a Status is returned unchanged. */
export function messageOf(status: string): string {
  try {
    const { status: result, message } = JSON.parse(status) as { status?: unknown; message?: unknown };
    return result === "Success" ? "" : String(message ?? status);
  } catch {
    return status;
  }
}

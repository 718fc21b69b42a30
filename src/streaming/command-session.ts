/**
 * A command's session (Exec, Attach) at the runtime: its streams, and how it ended.
 *
 * Source: Kubernetes' remotecommand protocol v4 over SPDY.
 */
import type { Duplex } from "node:stream";
import { cutText, maxRuntimeTextBytes } from "../cri/runtime-text.ts";
import { readText } from "./read-text.ts";
import type { SpdyConnection, SpdyStream } from "./spdy/connection.ts";

/** Which streams a session has, as the RPC was asked. */
export interface StreamChoice {
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  readonly tty: boolean;
}

/** How it ended: Kubernetes' Status as the runtime wrote it but for a long message, or that the runtime went away. */
export type Outcome = { readonly status: string } | { readonly lost: string };

export interface CommandSession {
  readonly stdin: SpdyStream | undefined;
  readonly stdout: Duplex | undefined;
  readonly stderr: Duplex | undefined;
  /** Takes terminal sizes, with a terminal. */
  readonly resize: Duplex | undefined;
  readonly outcome: Promise<Outcome>;
  readonly connection: SpdyConnection;
}

export interface CommandSessionOptions {
  /**
   * How long to wait for the status once all output has ended, where the process may have left much of its
   * stdin unread; 0: for ever. Elsewhere it is waited for as long as the connection stands: a busy runtime
   * may be minutes late.
   */
  readonly statusGraceMs: number;
}

const maxStatusBytes = 64 * 1024;
/**
 * containerd never sends the status when more was left unread than lies in its pipes: about 128 KiB. The
 * first of them alone takes so much. How much was read nobody tells, so what was sent is what counts.
 */
const harmlessStdinBytes = 64 * 1024;

/** Opens the session's streams; the server wants all of them within 30 s. */
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
  // Nothing is ever sent on it.
  error.end();
  // Nothing comes on these; what a broken server sends there must not hold the others up.
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
  /** Whether the runtime may be one that never sends the status. */
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

/** A command that cannot be started fails within this time, on a node that is not overloaded. */
const startMs = 250;

/**
 * Waits for the first that is heard of a command: its end, which is answered, or output. A command that is silent
 * has started when some time has passed, which nobody can tell from one that fails later. Nothing is read.
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

/** The status with the beginning of a message that is too long. One that is too long and no JSON says nothing. */
function withShortMessage(text: string): string {
  if (Buffer.byteLength(text) <= maxRuntimeTextBytes) return text;
  try {
    const status = JSON.parse(text) as { readonly message?: unknown };
    if (typeof status.message !== "string") return text;
    return JSON.stringify({ ...status, message: cutText(status.message) });
  } catch {
    return failure(`exit unknown: the runtime's status is no JSON: ${cutText(text)}`);
  }
}

/** Kubernetes' Status of something that failed here. */
export function failure(message: string): string {
  return JSON.stringify({ metadata: {}, status: "Failure", reason: "InternalError", message, code: 500 });
}

/** The message of a failure in a Status; empty for success. What is no Status is the message itself. */
export function messageOf(status: string): string {
  try {
    const { status: result, message } = JSON.parse(status) as { status?: unknown; message?: unknown };
    return result === "Success" ? "" : String(message ?? status);
  } catch {
    return status;
  }
}

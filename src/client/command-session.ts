/** Commands in containers: exec and attach. */
import { ByteQueue } from "./byte-queue.ts";
import { type ChannelHandlers, type ChannelSocket, unwatched } from "./channel-socket.ts";
import { CrestError } from "./crest-error.ts";
import type { KeptChannels } from "./kept-channels.ts";

/** Where a program writes bytes. */
export interface ByteWriter {
  /**
   * Writes text as UTF-8, or bytes. Resolves when there is room for more, so wait for it before you write the next.
   *
   * @throws {CrestError} if the session has ended. @throws {TypeError} if the session has no input.
   */
  write(data: string | Uint8Array): Promise<void>;
  /** Ends the input, after what was written. Output still comes. In a terminal it is the character ^D. */
  end(): Promise<void>;
}

export interface TerminalSize {
  /** Columns, 1 to 65,535. */
  readonly width: number;
  /** Rows, 1 to 65,535. */
  readonly height: number;
}

/**
 * A command that runs. Read its output, or ask for none (`stdout: false`, `stderr: false`): with `ws` the command waits while
 * 1 MiB is unread; elsewhere the session fails with `reader_too_slow` at 16 MiB. Leaving the loop over an output drops the
 * rest of it. If the connection is lost, everything below fails with `connection_lost`.
 *
 * With the parameter `session: "keep"`, the session goes on over another connection instead: nothing is missing and nothing
 * comes twice. That fails with `connection_lost` if the gateway cannot be reached in time, or no longer has all the output
 * of a command without a terminal, and with `session_taken_over` if another client goes on with the session.
 */
export interface CommandSession {
  /** Pieces of the output as they come, at least a byte each. For one reader. */
  readonly stdout: AsyncIterable<Uint8Array>;
  /** The same for the error output. In a terminal, it is part of `stdout`. */
  readonly stderr: AsyncIterable<Uint8Array>;
  /** Only with the parameter `stdin: true`. */
  readonly stdin: ByteWriter;
  /** Tells the command the size of its terminal; only with `tty: true`. @throws {RangeError} for an impossible size. */
  resize(size: TerminalSize): void;
  /**
   * The exit code, after all output. Fails with `session_failed` if the runtime cannot tell it, as the outputs do, and with
   * `session_closed` after `close()`. It may be left unused.
   */
  readonly exitCode: Promise<number>;
  /** Ends the session at once. On containerd 2 the command is killed; elsewhere it may go on. */
  close(): void;
  /** What a session with `session: "keep"` has besides; undefined for others. */
  readonly kept: KeptSessionHandle | undefined;
}

/** A session that outlives its connections. */
export interface KeptSessionHandle {
  /** For `resumeSession`, `endSession` and `listSessions`. */
  readonly id: string;
  /** Output that the gateway no longer had when `resumeSession` went on, in bytes. 0 for a new session. */
  readonly lostBytes: number;
  /** How long the gateway keeps the session without a connection, in seconds. */
  readonly lingerSeconds: number;
  /**
   * Leaves the session without ending it: within `lingerSeconds`, `resumeSession` goes on with it. Everything of this session
   * ends as after `close()`.
   */
  detach(): void;
}

const channel = { stdin: 0, stdout: 1, stderr: 2, status: 3, resize: 4, halfClose: 255 } as const;

/** An open session. */
export interface OpenCommand {
  readonly socket: ChannelSocket;
  readonly hasInput: boolean;
  /** For a session whose status does not have the exit code. */
  readonly exitCode?: (() => Promise<number>) | undefined;
  /** Absent if the session is not kept. */
  readonly kept?: KeptChannels;
}

/** Kubernetes' Status: what the runtime says at the end. */
interface Status {
  readonly status?: string;
  readonly message?: string;
  readonly reason?: string;
  readonly details?: { readonly causes?: readonly { readonly reason?: string; readonly message?: string }[] };
}

/** Opens the session. @throws {CrestError} */
export async function openCommand(
  open: (handlers: ChannelHandlers) => Promise<OpenCommand>,
): Promise<CommandSession> {
  let socket: ChannelSocket | undefined;
  const balance = (): void => socket?.balance([stdout, stderr]);
  const stdout = new ByteQueue(balance);
  const stderr = new ByteQueue(balance);
  const outputs = [stdout, stderr];
  let isOver = false;
  let settle: (code: number | Promise<number>) => void = () => undefined;
  let fail: (error: unknown) => void = () => undefined;
  const exitCode = new Promise<number>((resolve, reject) => {
    settle = resolve;
    fail = reject;
  });
  // It may be left unused.
  exitCode.catch(() => undefined);

  const opening = open({
    message(number, payload) {
      if (number === channel.status && payload.length > 0) {
        isOver = true;
        try {
          const code = exitCodeIn(payload);
          for (const output of outputs) output.end();
          settle(opening.then((opened) => (code === 0 ? (opened.exitCode?.() ?? code) : code)));
        } catch (error) {
          // Some of the output may be missing.
          for (const output of outputs) output.fail(error);
          fail(error);
        }
      }
      if (number === channel.stdout) stdout.push(payload);
      else if (number === channel.stderr) stderr.push(payload);
      balance();
    },
    closed(error = new CrestError("connection_lost", "The session ended without the command's status")) {
      const isClosed = error instanceof CrestError && error.code === "session_closed";
      for (const output of outputs) isClosed ? output.end() : output.fail(error);
      fail(error);
    },
  });
  const { hasInput, kept, ...opened } = await opening;
  socket = opened.socket;
  balance();
  const { write, send, close } = socket;
  async function input(send: () => Promise<void>): Promise<void> {
    if (!hasInput) throw new TypeError("The session has no input: open it with stdin: true");
    if (isOver) throw new CrestError("session_closed", "Cannot write: the command has ended");
    await send();
  }
  return {
    stdout,
    stderr,
    stdin: {
      write: (data) => unwatched(input(() => write(channel.stdin, data))),
      end: () => unwatched(input(() => send(channel.halfClose, Uint8Array.of(channel.stdin)))),
    },
    resize({ width, height }) {
      for (const length of [width, height])
        if (!Number.isInteger(length) || length < 1 || length > 0xffff)
          throw new RangeError(`A terminal has 1 to 65535 columns and rows, got ${width} and ${height}`);
      void unwatched(
        send(channel.resize, new TextEncoder().encode(JSON.stringify({ Width: width, Height: height }))),
      );
    },
    exitCode,
    close: () => close(),
    kept: kept && {
      id: kept.facts.id,
      lostBytes: kept.lostBytes,
      lingerSeconds: kept.facts.lingerSeconds,
      detach: kept.detach,
    },
  };
}

/** @throws {CrestError} session_failed: if it has no exit code. */
function exitCodeIn(payload: Uint8Array): number {
  const status = statusIn(new TextDecoder().decode(payload));
  if (status.status === "Success") return 0;
  const code = status.details?.causes?.find(({ reason }) => reason === "ExitCode")?.message;
  if (status.reason === "NonZeroExitCode" && code !== undefined && /^\d+$/.test(code)) return Number(code);
  throw new CrestError("session_failed", status.message ?? "The runtime ended the session without a reason");
}

function statusIn(text: string): Status {
  try {
    return JSON.parse(text);
  } catch {
    return { message: text };
  }
}

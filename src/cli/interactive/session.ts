/** A session at the terminal: input, output, size, raw mode, and how it ends. */
import type { CommandSession, TerminalSize } from "../../client/index.ts";
import { StartError } from "../../errors.ts";
import { type Output, type Terminal, write } from "../terminal.ts";
import { sendInput } from "./input.ts";
import { enterRawMode } from "./raw-mode.ts";

export interface SessionOptions {
  /** Whether input is sent. */
  readonly input: boolean;
  /** Whether the command has a terminal. */
  readonly tty: boolean;
  /** Keys that leave the session. Default: none do. */
  readonly detachKeys?: Uint8Array | undefined;
  /** Leaves the session, when they are pressed. */
  readonly detach?: (() => void) | undefined;
}

export type SessionEnd = { readonly exitCode: number } | { readonly isDetached: true };

/**
 * Connects the session with the terminal until it ends.
 *
 * @throws {CrestError} if it fails. @throws {StartError} if the input cannot be read.
 */
export async function connectTerminal(
  session: CommandSession,
  { stdin, stdout, stderr, signal }: Terminal,
  { input, tty, detachKeys, detach }: SessionOptions,
): Promise<SessionEnd> {
  let isDetached = false;
  let inputError: Error | undefined;
  const resize = (): void => {
    const size = sizeOf(stdout, stderr);
    if (size !== undefined) session.resize(size);
  };
  const leaveRawMode = tty && input ? enterRawMode(stdin, signal, { continued: resize }) : () => undefined;
  const stopInput = input
    ? sendInput(stdin, session.stdin, {
        detachKeys,
        detached() {
          isDetached = true;
          detach?.();
        },
        failed(error) {
          inputError = error;
          session.close();
        },
      })
    : () => undefined;
  try {
    if (tty) {
      resize();
      stdout.on("resize", resize);
    }
    await Promise.all([copy(session.stdout, stdout), copy(session.stderr, stderr)]);
    if (isDetached) return { isDetached };
    return { exitCode: await session.exitCode };
  } catch (error) {
    if (isDetached) return { isDetached };
    throw inputError === undefined
      ? error
      : new StartError(`Cannot read the input: ${inputError.message}`, { cause: inputError });
  } finally {
    stopInput();
    stdout.off("resize", resize);
    leaveRawMode();
    session.close();
  }
}

async function copy(from: AsyncIterable<Uint8Array>, to: Output): Promise<void> {
  for await (const bytes of from) await write(to, bytes);
}

/** The size of the terminal, if an output is one. */
export function sizeOf(...outputs: readonly Output[]): TerminalSize | undefined {
  for (const { columns = 0, rows = 0 } of outputs)
    if (columns > 0 && rows > 0) return { width: columns, height: rows };
  return undefined;
}

/**
 * Refuses `-t` where there is no terminal.
 *
 * @param without The same command line without a terminal.
 * @throws {StartError}
 */
export function requireTerminal(
  { stdin, stdout }: Pick<Terminal, "stdin" | "stdout">,
  { input, without }: { readonly input: boolean; readonly without: string },
): void {
  if (input && stdin.isTTY !== true)
    throw new StartError(`-t: the input is a pipe or a file, not a terminal, write ${without}`);
  if (!input && stdout.isTTY !== true)
    throw new StartError(`-t: the output is a pipe or a file, not a terminal, write ${without}`);
}

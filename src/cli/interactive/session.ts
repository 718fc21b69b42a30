/** A session at the terminal: input, output, size, raw mode, and how it ends. */
import type { CommandSession, CommandSessionOptions, TerminalSize } from "../../client/index.ts";
import { StartError } from "../../errors.ts";
import { type Output, type Terminal, write } from "../terminal.ts";
import { createConnectionNote } from "./connection-note.ts";
import { sendInput } from "./input.ts";
import { enterRawMode } from "./raw-mode.ts";

export interface SessionOptions {
  /** Whether input is sent. */
  readonly input: boolean;
  /** Whether the command has a terminal. */
  readonly tty: boolean;
  /** Keys that leave the session, where they are typed in a terminal. Default: none do. */
  readonly detachKeys?: Uint8Array | undefined;
  /** What they do. Default: the gateway keeps the session, if it can. */
  readonly detach?: ((session: CommandSession) => void) | undefined;
  /** Called before the output is written. */
  readonly begin?: ((session: CommandSession) => Promise<void>) | undefined;
  /** Writes what comes from `stdout`, until it ends. Default: as it is. */
  readonly copyOutput?: ((session: CommandSession) => Promise<void>) | undefined;
}

export type SessionEnd =
  | { readonly exitCode: number }
  /** The user has left it, and it goes on. */
  | { readonly left: CommandSession };

/**
 * Opens a session and connects it with the terminal until it ends.
 *
 * @param open Opens it. It is given what a lost connection needs.
 * @throws {CrestError} if it fails. @throws {StartError} if the input cannot be read.
 */
export async function connectTerminal(
  open: (options: CommandSessionOptions) => Promise<CommandSession>,
  terminal: Terminal,
  options: SessionOptions,
): Promise<SessionEnd> {
  const { stdin, stdout, stderr, signal } = terminal;
  const { input, tty } = options;
  // Without a terminal, any bytes may come.
  const isTyped = input && tty && stdin.isTTY === true;
  const detachKeys = isTyped && options.detachKeys?.length ? options.detachKeys : undefined;
  const connection = createConnectionNote(terminal, {
    onScreen: tty,
    hint: detachKeys === undefined ? undefined : "the detach keys leave it",
  });
  const session = await open({
    signal,
    onReconnect: connection.lost,
    onReconnected() {
      if (connection.back()) redraw(session, sizeOf(stdout, stderr));
    },
  });
  const { kept } = session;
  const leave =
    options.detach ?? (kept !== undefined && kept.lingerSeconds > 0 ? () => kept.detach() : undefined);
  let isLeft = false;
  let inputError: Error | undefined;
  const resize = (): void => {
    const size = sizeOf(stdout, stderr);
    if (size !== undefined) session.resize(size);
  };
  const leaveRawMode = tty && input ? enterRawMode(stdin, signal, { continued: resize }) : () => undefined;
  const startInput = (): (() => void) =>
    sendInput(stdin, session.stdin, {
      detachKeys: leave === undefined ? undefined : detachKeys,
      detached() {
        isLeft = true;
        leave?.(session);
      },
      failed(error) {
        inputError = error;
        session.close();
      },
    });
  const stopInput = input ? startInput() : () => undefined;
  try {
    if (tty) {
      resize();
      stdout.on("resize", resize);
    }
    await options.begin?.(session);
    const { copyOutput = () => copy(session.stdout, stdout) } = options;
    await Promise.all([copyOutput(session), copy(session.stderr, stderr)]);
    if (isLeft) return { left: session };
    return { exitCode: await session.exitCode };
  } catch (error) {
    if (isLeft) return { left: session };
    // The cursor is where the command left it.
    if (isTyped) stderr.write("\r\n");
    throw inputError === undefined
      ? error
      : new StartError(`Cannot read the input: ${inputError.message}`, { cause: inputError });
  } finally {
    connection.end();
    stopInput();
    stdout.off("resize", resize);
    leaveRawMode();
    session.close();
  }
}

/** A program draws its screen again when the size changes. */
export function redraw(session: CommandSession, size: TerminalSize | undefined): void {
  if (size === undefined) return;
  const { width, height } = size;
  session.resize({ width, height: height > 1 ? height - 1 : 2 });
  session.resize(size);
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

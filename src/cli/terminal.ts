/** What a command reads and writes: the streams of the process, or those of a test. */
import { once } from "node:events";
import type { Readable, Writable } from "node:stream";
import { styleText } from "node:util";
import { printable } from "../printable.ts";

export type Style = Parameters<typeof styleText>[0];

/** What is used of a stream that a terminal may be behind. */
export type Output = Writable & {
  readonly isTTY?: boolean;
  readonly columns?: number | undefined;
  readonly rows?: number | undefined;
  hasColors?(): boolean;
};

/** `process.stdin`, or a stream of a test. */
export type Input = Readable & {
  readonly isTTY?: boolean;
  readonly isRaw?: boolean;
  setRawMode?(mode: boolean): unknown;
};

export interface Terminal {
  readonly stdin: Input;
  readonly stdout: Output;
  readonly stderr: Output;
  /** Aborted by Ctrl-C, SIGTERM or SIGHUP, and when an output fails or loses its reader, with an `Interrupted`. */
  readonly signal: AbortSignal;
}

/** Why a command stops before its end. */
export class Interrupted extends Error {
  readonly exitCode: number;

  constructor(message: string, exitCode: number) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** Writes, and waits until there is room for more. Rejects if the output fails meanwhile. */
export async function write(output: Writable, data: string | Uint8Array): Promise<void> {
  if (!output.write(data)) await once(output, "drain");
}

/** Colours the text where the output shows colours: not in a pipe, nor with `NO_COLOR`. */
export function styled(output: Output, style: Style, text: string): string {
  const isShown = output.isTTY === true && output.hasColors?.() === true;
  // Otherwise Node looks at the process's own stdout.
  return isShown ? styleText(style, text, { validateStream: false }) : text;
}

/** Tells the user something beside the result. */
export const note = (stderr: Output, text: string): Promise<void> =>
  write(stderr, `${styled(stderr, "yellow", "crest:")} ${printable(text)}\n`);

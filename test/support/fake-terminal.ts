/** The streams of a command in a test, in the place of a terminal or of pipes. */
import { PassThrough, Writable } from "node:stream";
import type { Output, Terminal } from "../../src/cli/terminal.ts";

export interface FakeTerminalOptions {
  /** Columns of the terminal. Default: there is none, but pipes. */
  readonly columns?: number;
  /** Lines of the terminal. Default: 24. */
  readonly rows?: number;
  /** Whether the terminal shows colours. Default: false. */
  readonly hasColours?: boolean;
  /** What is typed, or comes from a pipe. */
  readonly input?: string;
  readonly signal?: AbortSignal;
}

export interface FakeTerminal extends Terminal {
  readonly stdin: PassThrough & { isTTY: boolean; isRaw: boolean; setRawMode(mode: boolean): void };
  readonly stdout: FakeOutput;
  readonly stderr: FakeOutput;
}

export type FakeOutput = Output & {
  /** All that was written so far. */
  text(): string;
  columns: number | undefined;
  rows: number | undefined;
};

export function fakeTerminal({
  columns,
  rows = 24,
  hasColours = false,
  input,
  signal = new AbortController().signal,
}: FakeTerminalOptions = {}): FakeTerminal {
  const isTTY = columns !== undefined;
  const stdin = Object.assign(new PassThrough(), {
    isTTY,
    isRaw: false,
    setRawMode(mode: boolean) {
      stdin.isRaw = mode;
    },
  });
  if (input !== undefined) stdin.end(input);
  const output = (): FakeOutput => {
    const parts: Buffer[] = [];
    const stream = new Writable({
      write(part: Buffer, _encoding, done) {
        parts.push(part);
        done();
      },
    });
    return Object.assign(stream, {
      isTTY,
      columns,
      rows: isTTY ? rows : undefined,
      hasColors: () => hasColours,
      text: () => Buffer.concat(parts).toString(),
    });
  };
  return { stdin, stdout: output(), stderr: output(), signal };
}

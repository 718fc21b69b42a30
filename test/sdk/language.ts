import type { Argv } from "../e2e/support/command.ts";

/** A program that a language needs, and the Debian packages that bring it. */
export interface Tool {
  /** Ends with status 0 where the tool is there. */
  readonly probe: Argv;
  readonly packages: readonly string[];
}

/** How a client is made of the document, and the tour run with it. Each step is repeatable. */
export interface Language {
  /** What makes the client, with its version. */
  readonly generator: string;
  readonly tools: readonly Tool[];
  /** Fetches the generator and what the program needs; nothing when they are there. */
  install(): Promise<void>;
  /** Writes the client, with the generator's defaults. */
  generate(): Promise<void>;
  /** File or folder with the client's code. */
  readonly client: string;
  /** Compiles the client and the tour, or checks their types where nothing is compiled. */
  compile(): Promise<void>;
  /** The tour. */
  readonly program: Argv;
}

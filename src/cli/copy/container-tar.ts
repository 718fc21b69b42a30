/** `tar` in a container, over a session. */
import { type ByteWriter, type Client, CrestError } from "../../client/index.ts";
import { StartError } from "../../errors.ts";

/** Of its error output, for the message. */
const maxErrorLength = 2000;
const exitCodesWithoutProgram: ReadonlySet<number> = new Set([126, 127]);

export interface ContainerTar {
  readonly stdin: ByteWriter;
  readonly stdout: AsyncIterable<Uint8Array>;
  /** After all output. @throws {StartError} if tar failed, with what it said. */
  ended(): Promise<void>;
  /** Ends it at once. */
  close(): void;
}

export interface TarRunner {
  /** Runs `tar ARGUMENTS`. @throws {CrestError} @throws {StartError} if the container has none. */
  run(args: readonly string[], options?: { readonly stdin?: boolean }): Promise<ContainerTar>;
}

export function tarIn(crest: Client, container: string, signal: AbortSignal): TarRunner {
  const explain = (error: unknown): unknown => {
    const isMissing =
      error instanceof CrestError &&
      (error.code === "command_not_found" ||
        (error.code === "session_failed" && /not found|no such file/i.test(error.message)));
    return isMissing ? missing(container, error) : error;
  };
  return {
    async run(args, { stdin = false } = {}) {
      const command = ["tar", ...args];
      const session = await crest
        .exec({ containerId: container, command, stdin: stdin || undefined }, { signal })
        .catch((error: unknown) => {
          throw explain(error);
        });
      const said = textOf(session.stderr);
      return {
        stdin: session.stdin,
        stdout: explained(session.stdout, explain),
        async ended() {
          const failed = (reason: string, cause?: unknown): StartError =>
            new StartError(`tar in the container "${container}" failed: ${reason}`, { cause });
          let code: number;
          try {
            code = await session.exitCode;
          } catch (error) {
            // The runtime may lose the exit code of a tar that ended before its input did.
            const text = (await said).trim();
            throw text === "" ? explain(error) : failed(text, error);
          }
          if (code === 0) return;
          if (exitCodesWithoutProgram.has(code)) throw missing(container);
          throw failed((await said).trim() || `it ended with exit code ${code}`);
        },
        close: () => session.close(),
      };
    },
  };
}

/** There is no tar in the container. */
export class MissingTar extends StartError {}

const missing = (container: string, cause?: unknown): StartError =>
  new MissingTar(`The container "${container}" has no tar, which cp needs: install one in its image`, {
    cause,
  });

async function* explained(
  bytes: AsyncIterable<Uint8Array>,
  explain: (error: unknown) => unknown,
): AsyncGenerator<Uint8Array, void> {
  try {
    for await (const part of bytes) yield part;
  } catch (error) {
    throw explain(error);
  }
}

async function textOf(bytes: AsyncIterable<Uint8Array>): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  try {
    for await (const part of bytes)
      if (text.length < maxErrorLength) text += decoder.decode(part, { stream: true });
  } catch {
    // The session tells why it ended.
  }
  return text.slice(0, maxErrorLength);
}

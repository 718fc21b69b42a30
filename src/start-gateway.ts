/** A gateway inside another program. */
import { parseCommandLine } from "./config.ts";
import { StartError } from "./errors.ts";
import { runGateway } from "./gateway.ts";

export interface StartOptions {
  /** Takes what `crest` prints to its terminal, a line or more at a time; default: nobody. */
  readonly say?: (text: string) => void;
  /** Takes the log, a line of JSON for each failure; default: nobody. */
  readonly log?: (line: string) => void;
}

export interface RunningGateway {
  /** Where it listens: `http://127.0.0.1:8585`, or `unix:/path`. */
  readonly address: string;
  /** The file with the token that callers send. */
  readonly tokenFile: string;
  /** Settles when it has ended: with 0 after `close`, with 1 when its private containerd ended by itself. */
  readonly ended: Promise<number>;
  /** Lets answers under way end, and stops what it started; settles when that is done. May be called again. */
  close(): Promise<void>;
}

/**
 * Starts what `crest serve` or `crest up` starts. `flags` are theirs: `["--allow-read", "--listen=127.0.0.1:0"]`.
 * The environment is not read, no signal is listened to, and the process is never ended.
 *
 * @returns The gateway, once it listens. Its runtime may still be away: `/readyz` says so, and requests are answered
 *   with 503 until it answers.
 * @throws {StartError} when a flag does not read or it cannot start; nothing is left running then.
 */
export async function startGateway(
  command: "serve" | "up",
  flags: readonly string[] = [],
  { say = ignore, log = ignore }: StartOptions = {},
): Promise<RunningGateway> {
  const parsed = parseCommandLine([command, ...flags], {});
  if (!("config" in parsed)) throw new StartError(`${flags.join(" ")}: starts no gateway, leave it out`);
  let stop: (reason: string) => void = ignore;
  const stopRequested = new Promise<string>((resolve) => {
    stop = resolve;
  });
  let ended: Promise<number> = Promise.resolve(0);
  const address = await new Promise<string>((ready, failed) => {
    ended = runGateway(parsed, { say, log, stopRequested, stopAgain: never, ready });
    ended.catch(failed);
  });
  return {
    address,
    tokenFile: parsed.config.tokenFile,
    ended,
    async close() {
      stop("close");
      await ended;
    },
  };
}

const ignore = (): void => undefined;
const never = new Promise<never>(ignore);

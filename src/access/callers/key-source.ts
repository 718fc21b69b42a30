/** The public keys of an issuer of JSON Web Tokens (JWKS): from a file, or from a URL. */
import { StartError } from "../../errors.ts";
import { readTrustedFile } from "../../files/trusted-file.ts";
import { reasonOf } from "../../files/trusted-path.ts";
import { fileState } from "./file-state.ts";

/** A set of keys, as the issuer publishes it. */
export interface KeySet {
  readonly keys: readonly object[];
}

export interface KeySource {
  /**
   * The current keys: the same object until they change.
   *
   * @throws {Error} when there are none.
   */
  keys(): Promise<KeySet>;
  /** The keys, read again unless that was done a moment ago. For a token whose key is not there. @throws {Error} */
  newerKeys(): Promise<KeySet>;
}

/** What is larger is no set of keys. */
const maxBytes = 1024 * 1024;

/** @throws {Error} without the text, which may be anything. */
function parseKeySet(text: string): KeySet {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new Error("it is not JSON", { cause: error });
  }
  const keys = (value as Partial<KeySet> | null)?.keys;
  if (Array.isArray(keys) && keys.every((key) => typeof key === "object" && key !== null))
    return value as KeySet;
  throw new Error('it is no key set: write {"keys": [...]}');
}

/** Reads the file again when it changes. @throws {StartError} if it cannot be used now. */
export function fileKeySource(path: string, report: (message: string) => void): KeySource {
  let seen = fileState(path);
  let current: KeySet;
  try {
    current = read(path);
  } catch (error) {
    throw new StartError(`--jwt-jwks=${path}: cannot be read: ${reasonOf(error)}`, { cause: error });
  }
  let refused = "";
  const keys = async (): Promise<KeySet> => {
    const state = fileState(path);
    if (state !== undefined && state === seen) return current;
    seen = state;
    try {
      current = read(path);
      refused = "";
    } catch (error) {
      if (String(error) !== refused) report(`Keeping the keys of ${path} as they were: ${reasonOf(error)}`);
      refused = String(error);
    }
    return current;
  };
  return { keys, newerKeys: keys };
}

const read = (path: string): KeySet => parseKeySet(readTrustedFile(path).toString("utf8"));

/** Times in milliseconds. */
export interface UrlTimes {
  /** How long keys are used without asking again. Default: 10 minutes. */
  readonly freshMs?: number;
  /** How long they are used if the issuer does not answer. Default: 1 hour. */
  readonly staleMs?: number;
  /** Least time between two requests, because anyone can send tokens with unknown keys. Default: 30 s. */
  readonly cooldownMs?: number;
  /** The same after a request that failed. Default: 5 s. */
  readonly retryMs?: number;
  /** Default: 5 s. */
  readonly timeoutMs?: number;
}

/** Asks for the keys when they are needed, and not more often than the times say. */
export function urlKeySource(
  url: string,
  report: (message: string) => void,
  {
    freshMs = 600_000,
    staleMs = 3_600_000,
    cooldownMs = 30_000,
    retryMs = 5000,
    timeoutMs = 5000,
  }: UrlTimes = {},
): KeySource {
  let current: KeySet | undefined;
  let failure = new Error("not asked yet");
  /** When the keys were read, and when they were last asked for, as `performance.now()` tells it. */
  let readAtMs = Number.NEGATIVE_INFINITY;
  let askedAtMs = Number.NEGATIVE_INFINITY;
  let hasFailed = false;
  let asking: Promise<void> | undefined;

  async function ask(): Promise<void> {
    askedAtMs = performance.now();
    try {
      const found = parseKeySet(await fetchText(url, timeoutMs));
      readAtMs = performance.now();
      hasFailed = false;
      if (JSON.stringify(found) !== JSON.stringify(current)) current = found;
    } catch (error) {
      failure = error as Error;
      hasFailed = true;
      report(`Cannot read the keys at ${url}: ${reasonOfFetch(error)}`);
    }
  }

  async function refresh(): Promise<void> {
    if (asking === undefined && performance.now() - askedAtMs < (hasFailed ? retryMs : cooldownMs)) return;
    asking ??= ask().finally(() => {
      asking = undefined;
    });
    await asking;
  }

  function usable(): KeySet {
    if (current === undefined || performance.now() - readAtMs > staleMs) throw failure;
    return current;
  }

  return {
    async keys() {
      if (performance.now() - readAtMs > freshMs) await refresh();
      return usable();
    },
    async newerKeys() {
      await refresh();
      return usable();
    },
  };
}

/** Follows no redirects: only the configured address says whose keys count. */
async function fetchText(url: string, timeoutMs: number): Promise<string> {
  const answer = await fetch(url, {
    headers: { accept: "application/jwk-set+json, application/json" },
    redirect: "error",
    signal: AbortSignal.timeout(timeoutMs),
  });
  if (!answer.ok || answer.body === null) {
    await answer.body?.cancel();
    throw new Error(`it answers ${answer.status}`);
  }
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const part of answer.body) {
    parts.push(part);
    bytes += part.length;
    if (bytes > maxBytes) throw new Error(`it has over ${maxBytes} bytes`);
  }
  return Buffer.concat(parts).toString("utf8");
}

function reasonOfFetch(error: unknown): string {
  const { cause, message } = error as Error;
  const code = (cause as NodeJS.ErrnoException | undefined)?.code;
  return code === undefined ? message : `${message}: ${code}`;
}

/**
 * Requests with an `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header) are done once, and repeated ones get the
 * same answer: a client that lost an answer can ask again.
 *
 * Successes are remembered, and outcomes that nobody knows, because a second attempt could do it twice. Another failure
 * has done nothing and is forgotten: the same key tries again. The work goes on when its client leaves, since that is when
 * the client comes back. All of it is in memory: after a restart, the names of pods and containers still protect.
 */
import { createHash } from "node:crypto";
import type { FastifyRequest } from "fastify";
import type { Caller } from "../access/authorize.ts";
import { CallCancelled } from "../cri/channel.ts";
import { GatewayError } from "../errors.ts";
import { idempotencyLimits } from "../routes/idempotency-limits.ts";
import { invalid } from "./bind.ts";
import { ParsedBody } from "./bodies.ts";

/** A request that is to be done once. */
export interface KeyedRequest {
  /** Whose keys these are. */
  readonly owner: string;
  readonly key: string;
  /** Of everything that a repetition must have in common. */
  readonly fingerprint: string;
}

export interface Once<A> {
  readonly answer: A;
  /** Whether another request has done the work. */
  readonly isReplay: boolean;
}

export interface Idempotency {
  /**
   * Does `work`, or gives the answer of an earlier request with the same key, for which it may have to wait. `bytesOf`: how
   * much memory an answer takes. An answer must hold nothing of its request.
   *
   * @throws {GatewayError} idempotency_key_reused: if the key belongs to another request; too_many_requests.
   */
  once<A>(request: KeyedRequest, work: () => Promise<A>, bytesOf: (answer: A) => number): Promise<Once<A>>;
}

export interface IdempotencyOptions {
  /** Milliseconds since any fixed point, never going back. Default: `performance.now`. */
  readonly now?: () => number;
  readonly limits?: { readonly [L in keyof typeof idempotencyLimits]?: number };
}

interface Entry {
  readonly fingerprint: string;
  readonly outcome: Promise<unknown>;
  /** Undefined while it is under way. */
  settledAtMs: number | undefined;
  bytes: number;
}

/** The keys of a caller. Settled ones are in the order in which they settled. */
class Keys {
  readonly settled = new Map<string, Entry>();
  readonly pending = new Map<string, Entry>();
  bytes = 0;

  forgetOldest(): void {
    const [oldest] = this.settled;
    if (oldest === undefined) return;
    this.settled.delete(oldest[0]);
    this.bytes -= oldest[1].bytes;
  }

  get oldestAtMs(): number | undefined {
    const [oldest] = this.settled.values();
    return oldest?.settledAtMs;
  }
}

/** What an entry takes besides its answer: the key and the fingerprint. */
const entryBytes = 512;

export function createIdempotency({
  now = () => performance.now(),
  limits = {},
}: IdempotencyOptions = {}): Idempotency {
  const { maxKeys, maxPending, maxBytes, maxTotalBytes, maxAgeMs } = { ...idempotencyLimits, ...limits };
  const callers = new Map<string, Keys>();

  /** Frees what is too old, and of the caller with the most what is too much. */
  function tidy(): void {
    let total = 0;
    for (const [owner, keys] of callers) {
      while ((keys.oldestAtMs ?? Number.POSITIVE_INFINITY) < now() - maxAgeMs) keys.forgetOldest();
      while (keys.settled.size > maxKeys || keys.bytes > maxBytes) keys.forgetOldest();
      if (keys.settled.size + keys.pending.size === 0) callers.delete(owner);
      total += keys.bytes;
    }
    while (total > maxTotalBytes) {
      const [first, ...others] = callers.values();
      if (first === undefined) return;
      const most = others.reduce((one, other) => (other.bytes > one.bytes ? other : one), first);
      const before = most.bytes;
      most.forgetOldest();
      total -= before - most.bytes;
    }
  }

  function begin<A>(
    { key, fingerprint }: KeyedRequest,
    keys: Keys,
    { work, bytesOf }: { readonly work: () => Promise<A>; readonly bytesOf: (answer: A) => number },
  ): Promise<A> {
    if (keys.pending.size >= maxPending) throw tooManyPending(maxPending);
    const outcome = work();
    const entry: Entry = { fingerprint, outcome, settledAtMs: undefined, bytes: entryBytes };
    keys.pending.set(key, entry);
    const keep = (bytes: number): void => {
      keys.pending.delete(key);
      entry.settledAtMs = now();
      entry.bytes = bytes + entryBytes;
      keys.settled.set(key, entry);
      keys.bytes += entry.bytes;
      tidy();
    };
    outcome.then(
      (answer) => keep(bytesOf(answer)),
      (error: unknown) => {
        if (error instanceof GatewayError && error.code === "outcome_unknown") keep(0);
        else keys.pending.delete(key);
      },
    );
    return outcome;
  }

  return {
    async once(request, work, bytesOf) {
      const { owner, key, fingerprint } = request;
      for (;;) {
        tidy();
        const keys = callers.get(owner) ?? new Keys();
        callers.set(owner, keys);
        const known = keys.settled.get(key) ?? keys.pending.get(key);
        if (known === undefined)
          return { answer: await begin(request, keys, { work, bytesOf }), isReplay: false };
        if (known.fingerprint !== fingerprint) throw reused(key);
        try {
          return { answer: (await known.outcome) as Awaited<ReturnType<typeof work>>, isReplay: true };
        } catch (error) {
          // What the other one gave up, this one still wants.
          if (!(error instanceof CallCancelled)) throw error;
        }
      }
    },
  };
}

const reused = (key: string): GatewayError =>
  new GatewayError(
    "idempotency_key_reused",
    `Idempotency-Key ${JSON.stringify(key)} belongs to a request with another body or path: send a new key for a new request`,
  );

const tooManyPending = (max: number): GatewayError =>
  new GatewayError(
    "too_many_requests",
    `${max} requests with an Idempotency-Key are under way: wait for one to end`,
    {
      headers: { "retry-after": "1" },
    },
  );

/** A token, or a string of structured fields (RFC 9651) as the draft has it; both are the same key. */
const keyPattern = /^(?:"([\x20\x21\x23-\x5b\x5d-\x7e]{1,255})"|([\x21\x23-\x7e]{1,255}))$/;

/** The key of a request; undefined if it has none. @throws {GatewayError} invalid_request */
export function idempotencyKeyOf({ headers }: FastifyRequest): string | undefined {
  const given = headers["idempotency-key"];
  if (given === undefined) return undefined;
  const [, quoted, plain] = (typeof given === "string" ? keyPattern.exec(given) : undefined) ?? [];
  const key = quoted ?? plain;
  if (key !== undefined) return key;
  throw invalid([
    {
      parameter: "Idempotency-Key",
      detail: "must be given once, as 1 to 255 printable ASCII characters, such as a random UUID",
    },
  ]);
}

/** Describes a request to the memory. Bodies are kept as digests: they may hold secrets. */
export function keyedRequest(request: FastifyRequest, caller: Caller, key: string): KeyedRequest {
  const body = request.body as Uint8Array | ParsedBody | undefined;
  const hash = createHash("sha256").update(JSON.stringify([request.method, request.url]));
  if (body instanceof ParsedBody) hash.update(`yaml${JSON.stringify(body.value)}`);
  else if (body !== undefined) hash.update(body);
  return {
    owner: JSON.stringify([caller.by ?? null, caller.name]),
    key,
    fingerprint: hash.digest("base64"),
  };
}

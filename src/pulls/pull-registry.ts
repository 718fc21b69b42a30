/**
 * The pulls of this gateway. One pull per reference and credentials: the first caller starts it, others join. When the
 * last caller leaves, the pull is cancelled, unless one of them detached it.
 *
 * This is not only to save traffic. When two callers pull the same image on their own and the first leaves, CRI-O fails
 * the second, because it merges pulls under the first caller's context, and containerd 1.6 sometimes does.
 */
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { CallCancelled, type Runtime } from "../cri/channel.ts";
import { decodeReply } from "../cri/codec.ts";
import { GatewayError } from "../errors.ts";
import { secretsIn, withoutSecrets } from "../runtimes/secrets.ts";
import { createProgress, type Progress, type ProgressView } from "./progress.ts";
import { createPullKeys, type PullMessage } from "./pull-key.ts";

export interface PullRequest {
  readonly message: PullMessage;
  /** The message as protobuf. */
  readonly wire: Uint8Array;
  /** The name of the caller. */
  readonly caller: string;
  /** Its reference, normalized: what callers must be allowed to pull. */
  readonly reference: string;
  /** Whether callers who write the reference differently, with the same normalized form, mean the same image. */
  readonly isUnambiguous: boolean;
  /** The pull continues after all callers have left. */
  readonly detach: boolean;
  readonly deadlineMs: number;
  /**
   * Counts a pull that begins now for its caller. Those who join it are not counted. Default: it is not counted.
   *
   * @throws {GatewayError} too_many_requests
   */
  readonly take?: (() => { release(): void }) | undefined;
}

/** A pull, in progress or ended. */
export interface Pull {
  readonly id: string;
  /** The reference as the first caller wrote it. */
  readonly image: string;
  /** The reference, normalized. */
  readonly reference: string;
  readonly startedAt: Date;
  /** Absent while it is in progress. */
  readonly endedAt: Date | undefined;
  /** Requests that wait for it. */
  readonly callers: number;
  readonly detached: boolean;
  /** The names of the callers that asked for it. */
  readonly askedBy: ReadonlySet<string>;
  /** Why it failed, without secrets; absent unless it failed or was cancelled. */
  readonly error: unknown;
  /** The encoded reply; absent unless it succeeded. */
  readonly reply: Buffer | undefined;
  readonly progress: ProgressView;
  /** Grows with each change, except that of the time. */
  readonly version: number;
  /**
   * Calls `listener` once, when the pull ends, however it ends; immediately if it has ended. Returns a function that
   * removes the listener.
   */
  whenEnded(listener: () => void): () => void;
}

/** One caller's part in a pull. */
export interface Visit {
  readonly pull: Pull;
  /**
   * The encoded reply. All callers share it.
   *
   * @throws {GatewayError} As `Runtime.call`, without secrets; `pull_cancelled`.
   * @throws {CallCancelled} After `leave`.
   */
  readonly reply: Promise<Buffer>;
  /** The caller is gone. Has no effect once the pull has ended. */
  leave(): void;
}

export interface PullRegistry {
  /** Starts a pull, or joins the one in progress. @throws {GatewayError} `overloaded`, `too_many_requests` */
  join(request: PullRequest): Visit;
  /** The pulls in progress and those that ended recently, the newest first. */
  list(): readonly Pull[];
  find(id: string): Pull | undefined;
  /** How many are in progress. */
  readonly running: number;
  /** Cancels a pull for all its callers. Has no effect if it has ended or does not exist. */
  cancel(id: string): void;
  /** Cancels all pulls, and refuses new ones with `shutting_down`. */
  close(): void;
}

/** Reports the progress of a pull that begins now. */
export type Observe = (reference: string, progress: Progress) => Observation;

export interface Observation {
  /** Looks once more at a pull that has succeeded, for a short time, and ends. Never rejects. */
  last(imageRef: string | undefined): Promise<void>;
  stop(): void;
}

const nothingObserved: Observation = { last: async () => undefined, stop: () => undefined };

export interface PullRegistryOptions {
  readonly runtime: Runtime;
  /** Default: nothing is known about progress. */
  readonly observe?: Observe | undefined;
  /** Called with each pull that has ended. */
  readonly ended?: ((pull: Pull) => void) | undefined;
  /** Maximum number of pulls in progress. Default: `maxRunningPulls`. */
  readonly maxRunning?: number;
  /** Maximum number of ended pulls that are listed. Default: 100. */
  readonly maxEnded?: number;
  /** How long an ended pull is listed, in milliseconds. Default: 10 minutes. */
  readonly endedMs?: number;
  /** Milliseconds before an interrupted pull is repeated. Default: 500, since the runtime may still clean up. */
  readonly retryPauseMs?: number;
  /** Returns milliseconds that never go back. Default: `performance.now`. */
  readonly now?: () => number;
}

/** The default maximum of pulls in progress. */
export const maxRunningPulls = 256;

interface Entry extends Pull {
  readonly number: number;
  readonly key: string;
  readonly settled: Promise<Buffer>;
  readonly visits: Set<object>;
  readonly askedBy: Set<string>;
  detached: boolean;
  /** Ends it for everyone. */
  abort(reason: GatewayError): void;
}

export function createPullRegistry({
  runtime,
  observe = () => nothingObserved,
  ended: onEnded,
  maxRunning = maxRunningPulls,
  maxEnded = 100,
  endedMs = 600_000,
  retryPauseMs = 500,
  now = () => performance.now(),
}: PullRegistryOptions): PullRegistry {
  const keyOf = createPullKeys();
  /** By key: what callers can join. */
  const joinable = new Map<string, Entry>();
  /** In progress, by id; also cancelled ones that the runtime has not let go of. */
  const running = new Map<string, Entry>();
  /** By id, the first to end first. Copies without the request, which has credentials. */
  const ended = new Map<string, EndedPull>();
  let count = 0;
  let isClosed = false;

  function forgetOld(): void {
    for (const [id, { atMs }] of ended) {
      if (ended.size <= maxEnded && now() - atMs < endedMs) break;
      ended.delete(id);
    }
  }

  function settle(entry: Entry): void {
    if (joinable.get(entry.key) === entry) joinable.delete(entry.key);
    running.delete(entry.id);
    ended.set(entry.id, copyOf(entry, now()));
    forgetOld();
    onEnded?.(entry);
  }

  function start(key: string, request: PullRequest): Entry {
    if (running.size >= maxRunning)
      throw new GatewayError("overloaded", `Cannot pull: ${maxRunning} pulls are in progress`);
    const held = request.take?.();
    count++;
    const entry = startPull({ number: count, key, request, runtime, observe, retryPauseMs, now });
    joinable.set(key, entry);
    running.set(entry.id, entry);
    entry.whenEnded(() => {
      held?.release();
      settle(entry);
    });
    return entry;
  }

  function find(id: string): Entry | EndedPull | undefined {
    forgetOld();
    return running.get(id) ?? ended.get(id);
  }

  /** Later callers start a new pull, even before the runtime has let go of this one. */
  function abort(entry: Entry, reason: GatewayError): void {
    if (joinable.get(entry.key) === entry) joinable.delete(entry.key);
    entry.abort(reason);
  }

  return {
    join(request) {
      if (isClosed) throw closing();
      const { message, reference, isUnambiguous } = request;
      const key = keyOf(message, isUnambiguous ? reference : (message.image?.image ?? ""));
      const entry = joinable.get(key) ?? start(key, request);
      entry.detached ||= request.detach;
      entry.askedBy.add(request.caller);
      const visit = {};
      entry.visits.add(visit);
      let leave = (): void => undefined;
      const left = new Promise<never>((_resolve, reject) => {
        leave = () => {
          if (!entry.visits.delete(visit) || entry.endedAt !== undefined) return;
          reject(new CallCancelled("this caller has left the pull"));
          if (entry.visits.size === 0 && !entry.detached) abort(entry, cancelled("its last caller left"));
        };
      });
      const reply = Promise.race([entry.settled, left]);
      // Nobody waits for the reply of a caller that has left.
      reply.catch(() => undefined);
      return { pull: entry, reply, leave: () => leave() };
    },
    list() {
      forgetOld();
      return [...ended.values(), ...running.values()].sort((a, b) => b.number - a.number);
    },
    find,
    get running() {
      return running.size;
    },
    cancel(id) {
      const entry = running.get(id);
      if (entry !== undefined) abort(entry, cancelled("on request"));
    },
    close() {
      isClosed = true;
      for (const entry of running.values()) abort(entry, closing());
    },
  };
}

interface EndedPull extends Pull {
  readonly number: number;
  /** When it ended, by the registry's clock. */
  readonly atMs: number;
}

function copyOf(entry: Entry, atMs: number): EndedPull {
  const { number, id, image, reference, startedAt, endedAt, detached, error, reply, progress, version } =
    entry;
  return {
    ...{ number, id, image, reference, startedAt, endedAt, detached, error, reply, progress, version },
    askedBy: entry.askedBy,
    ...{ atMs, callers: 0, whenEnded: called },
  };
}

const called = (listener: () => void): (() => void) => {
  listener();
  return () => undefined;
};

function imageRefIn(reply: Buffer): string | undefined {
  try {
    return decodeReply("ImageService/PullImage", reply).imageRef;
  } catch {
    // Each caller gets this error when it reads the reply.
    return undefined;
  }
}

const cancelled = (why: string): GatewayError =>
  new GatewayError("pull_cancelled", `The pull was cancelled: ${why}`);

const closing = (): GatewayError => new GatewayError("shutting_down", "The gateway is shutting down");

interface Starting extends Required<Pick<PullRegistryOptions, "runtime" | "retryPauseMs" | "now">> {
  readonly number: number;
  readonly key: string;
  readonly request: PullRequest;
  readonly observe: Observe;
}

function startPull({ number, key, request, runtime, observe, retryPauseMs, now }: Starting): Entry {
  const { message, reference, detach } = request;
  const visits = new Set<object>();
  const progress = createProgress(now);
  const state: { endedAt?: Date; error?: unknown; reply?: Buffer; detached: boolean } = { detached: detach };
  const cancels = new Set<() => void>();
  const listeners = new Set<() => void>();
  let aborted: GatewayError | undefined;

  const observation = observe(reference, progress);
  const secrets = secretsIn("ImageService/PullImage", message);
  const settled = pull();
  // Its callers have promises of their own.
  settled.catch(() => undefined);

  function end(phase: "done" | "failed" | "cancelled"): void {
    observation.stop();
    progress.finish(phase);
    state.endedAt = new Date();
    visits.clear();
    cancels.clear();
    for (const listener of listeners) listener();
    listeners.clear();
  }

  async function pull(): Promise<Buffer> {
    try {
      const reply = await callTwice();
      await observation.last(imageRefIn(reply));
      state.reply = reply;
      end("done");
      return reply;
    } catch (failure) {
      // Each caller masks the secrets of its own request, but may have written the credentials differently.
      state.error = aborted ?? withoutSecrets(failure, secrets);
      end(aborted === undefined ? "failed" : "cancelled");
      throw state.error;
    }
  }

  /** Repeats a pull once that the runtime interrupted although nobody here cancelled it. */
  async function callTwice(): Promise<Buffer> {
    const { wire, deadlineMs } = request;
    const deadlineAtMs = now() + deadlineMs;
    try {
      return await callOnce(wire, deadlineMs);
    } catch (error) {
      if (aborted !== undefined || !(error instanceof GatewayError) || error.code !== "pull_interrupted")
        throw error;
      const pause = new AbortController();
      cancels.add(() => pause.abort());
      await sleep(retryPauseMs, undefined, { signal: pause.signal }).catch(() => undefined);
      if (aborted !== undefined) throw aborted;
      return await callOnce(wire, Math.max(0, deadlineAtMs - now()));
    }
  }

  function callOnce(wire: Uint8Array, deadlineMs: number): Promise<Buffer> {
    const onCancel = (cancel: () => void): void => {
      cancels.add(cancel);
      // Cancelled while the call was being prepared.
      if (aborted !== undefined) cancel();
    };
    return runtime.call("ImageService/PullImage", wire, { deadlineMs, onCancel });
  }

  return {
    number,
    id: randomUUID(),
    key,
    image: message.image?.image ?? "",
    reference,
    startedAt: new Date(),
    settled,
    visits,
    askedBy: new Set(),
    whenEnded(listener) {
      if (state.endedAt !== undefined) return called(listener);
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    get endedAt() {
      return state.endedAt;
    },
    get error() {
      return state.error;
    },
    get reply() {
      return state.reply;
    },
    get detached() {
      return state.detached;
    },
    set detached(value) {
      state.detached = value;
    },
    get callers() {
      return visits.size;
    },
    get progress() {
      return progress.view();
    },
    get version() {
      return progress.version;
    },
    abort(reason) {
      aborted ??= reason;
      for (const cancel of cancels) cancel();
    },
  };
}

/**
 * The door to the runtime: one call, bytes in and bytes out, over a Unix socket.
 *
 * Everything above speaks `Runtime`, so that a faster transport can take grpc-js's place.
 */
import { setTimeout as sleep } from "node:timers/promises";
import {
  Client,
  type ClientReadableStream,
  type ClientUnaryCall,
  connectivityState,
  credentials,
  Metadata,
  type ServiceError,
  status,
} from "@grpc/grpc-js";
import type { ErrorCode } from "../errors.ts";
import { methods, type Rpc } from "../gen/methods.ts";
import { limitHeaders, unsharedConnections } from "./header-limit.ts";
import { type Attempt, createRetry } from "./retry.ts";
import { rpcRules } from "./rpc-rules.ts";
import { fromStatus, isStarting } from "./status.ts";

export interface CallOptions {
  /** Milliseconds from now until `deadline_exceeded`; default: the RPC's own (`methods.ts`). `Infinity`: none. */
  readonly deadlineMs?: number;
  /** Fails at once when the runtime is away, for who asks just that. Default: its return is waited for. */
  readonly atOnce?: boolean;
  /**
   * Called once with a function that cancels this call. A plain callback rather than an AbortSignal,
   * which would double the cost of a small read.
   */
  readonly onCancel?: (cancel: () => void) => void;
  /** Seconds that containers get to end before an RPC stops them that has no such field; default 0. */
  readonly graceSeconds?: number | undefined;
  /** Leaves out what is done for a caller's sake (`caller-interceptors.ts`): for a question about the runtime itself. */
  readonly asIs?: boolean;
  /**
   * Called for each pod or container that a list had to leave out because it could not be read. Lists of pods and
   * containers and of their stats can go on without one: see `whole-lists.ts` and `stats/runtime.ts`.
   */
  readonly onFailedMember?: ((member: FailedMember) => void) | undefined;
}

/** A pod or a container that a list could not read, and why. */
export interface FailedMember {
  readonly id: string;
  readonly code: ErrorCode;
  readonly detail: string;
}

/** What goes with a call of a method that is not CRI's. */
export interface NativeOptions extends Pick<CallOptions, "deadlineMs" | "onCancel"> {
  /** gRPC metadata by name. */
  readonly metadata?: { readonly [name: string]: string };
}

export interface Runtime {
  /**
   * Calls a unary RPC. `request` is the encoded message; the answer is the encoded reply, which the
   * caller owns.
   *
   * While the runtime is away, as when it restarts, these calls wait for its return inside their deadline: reads,
   * mutations that CRI documents as idempotent, and every call that was not sent yet.
   *
   * @throws {GatewayError} by the error table; `outcome_unknown` when a call that must not be repeated was sent
   *   and its answer was lost. A cancelled call rejects with `CallCancelled`.
   */
  call(rpc: Rpc, request: Uint8Array, options?: CallOptions): Promise<Buffer>;
  /**
   * Calls a streaming RPC; each item is one encoded message. Paced by its reader; leaving the loop
   * cancels it. Without a deadline unless one is given.
   */
  stream(rpc: Rpc, request: Uint8Array, options?: CallOptions): AsyncIterable<Buffer>;
  /**
   * Calls a streaming method of the runtime's own API, where it serves one on the socket of RuntimeService:
   * `/containerd.services.containers.v1.Containers/ListStream`. It is not repeated.
   *
   * @throws {ServiceError} the gRPC status as it is, or `CallCancelled`.
   */
  streamNative(path: string, request: Uint8Array, options?: NativeOptions): AsyncIterable<Buffer>;
  /**
   * What the runtime said to an RPC over the present connection: something, or that it does not have it. Behind
   * the next connection there may be a newer one.
   */
  seen(rpc: Rpc): "answered" | "unimplemented" | undefined;
  /** Notes that the runtime has an RPC by name only: it answers that it cannot do it. */
  markUnimplemented(rpc: Rpc): void;
  /**
   * Calls `dropped` once, when the present connection to RuntimeService has ended: what was learnt of the
   * runtime over it may be wrong now. At once when there is none.
   */
  whenDropped(dropped: () => void): void;
  /** The endpoints that are spoken to, for messages. */
  readonly endpoint: string;
  readonly imageEndpoint: string;
  close(): void;
}

/** The caller left before the runtime answered: nobody is there to be told. */
export class CallCancelled extends Error {
  override readonly name = "CallCancelled";
}

export interface ConnectOptions {
  /** `unix:///path` or a plain path. */
  readonly runtimeEndpoint: string;
  /** Where ImageService is, when it is elsewhere. Default: the runtime's endpoint. */
  readonly imageEndpoint?: string;
  /** Replaces every RPC's own deadline, in milliseconds. For tests. */
  readonly deadlineMs?: number;
  /** Milliseconds from the beginning of an outage within which calls wait for its end; default 5 s. */
  readonly outageMs?: number;
}

/**
 * Replies of a real runtime end at 16 MiB (containerd, cri-dockerd) or 80 MiB (CRI-O), where grpc-js
 * would refuse 4 MiB: 5,000 containers are 5 MB.
 */
export const maxMessageBytes = 128 * 1024 * 1024;
/** A daemon with many containers takes seconds to know them all again. */
const outageMs = 5000;
/**
 * Milliseconds, 24 days: beyond, a call has no deadline. A command's timeout may be any 64-bit number, and
 * for one too far ahead grpc-js throws where nobody can catch it, which would end the gateway.
 */
const farthestMs = 2 ** 31 - 1;
const onTheWay: ReadonlySet<status> = new Set([
  status.UNAVAILABLE,
  status.UNIMPLEMENTED,
  status.CANCELLED,
  status.DEADLINE_EXCEEDED,
]);

/** A runtime counts its deadline from a moment of its own: it may give up this much before we do. */
const deadlineSlackMs = 100;

const asIs = (bytes: Uint8Array): Buffer =>
  Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** Opens the channel; connecting itself happens at the first call, and again after the runtime restarted. */
export function connect(options: ConnectOptions): Runtime {
  const endpoint = socketPath(options.runtimeEndpoint);
  const imageEndpoint = socketPath(options.imageEndpoint ?? options.runtimeEndpoint);
  const runtimeSide = open(endpoint, options);
  const imageSide = imageEndpoint === endpoint ? runtimeSide : open(imageEndpoint, options);

  const sideOf = (rpc: Rpc): Side => (rpc.startsWith("ImageService/") ? imageSide : runtimeSide);

  /** Remembers that the runtime has an RPC, or not. What went wrong on the way says neither. */
  function note(rpc: Rpc, error?: ServiceError): void {
    const lacks = error?.code === status.UNIMPLEMENTED;
    if (error !== undefined && (isStarting(error) || (onTheWay.has(error.code) && !lacks))) return;
    sideOf(rpc).remember(rpc, lacks ? "unimplemented" : "answered");
  }

  /** Settles when it is time for the next attempt. @throws {GatewayError} the failure, when there is none. */
  async function untilNext(
    rpc: Rpc,
    request: Uint8Array,
    { deadline, atOnce, ...attempt }: Failed,
  ): Promise<void> {
    note(rpc, attempt.failure);
    const pause = atOnce ? undefined : sideOf(rpc).nextDelayMs(attempt);
    if (pause === undefined || Date.now() + pause >= deadline) {
      throw fromStatus(rpc, atDeadline(attempt.failure, deadline), request);
    }
    await sleep(pause);
  }

  return {
    endpoint,
    imageEndpoint,
    async *stream(rpc, request, { deadlineMs, atOnce, onCancel } = {}) {
      const { client, answered } = sideOf(rpc);
      const deadline = deadlineOf(deadlineMs ?? Number.POSITIVE_INFINITY);
      let cancelled = false;
      let current: ClientReadableStream<Buffer> | undefined;
      onCancel?.(() => {
        cancelled = true;
        current?.cancel();
      });
      for (let attempt = 1; ; attempt++) {
        if (cancelled) throw cancellation(rpc);
        const { path } = methods[rpc];
        const call = client.makeServerStreamRequest(path, asIs, asIs, request, new Metadata(), { deadline });
        current = call;
        let repeatable = true;
        try {
          for await (const message of call) {
            repeatable = false;
            answered();
            note(rpc);
            yield message as Buffer;
          }
          answered();
          note(rpc);
          return;
        } catch (error) {
          if (cancelled) throw cancellation(rpc, error);
          await untilNext(rpc, request, {
            failure: error as ServiceError,
            attempt,
            repeatable,
            deadline,
            atOnce,
          });
        } finally {
          call.cancel();
        }
      }
    },
    async *streamNative(path, request, { metadata = {}, deadlineMs, onCancel } = {}) {
      const headers = new Metadata();
      for (const [name, value] of Object.entries(metadata)) headers.set(name, value);
      const deadline = deadlineOf(deadlineMs ?? Number.POSITIVE_INFINITY);
      const { client } = runtimeSide;
      const call = client.makeServerStreamRequest(path, asIs, asIs, request, headers, { deadline });
      let cancelled = false;
      onCancel?.(() => {
        cancelled = true;
        call.cancel();
      });
      try {
        for await (const message of call) yield message as Buffer;
      } catch (error) {
        throw cancelled ? cancellation(path, error) : error;
      } finally {
        call.cancel();
      }
    },
    async call(rpc, request, { deadlineMs, atOnce, onCancel } = {}) {
      const { client, answered } = sideOf(rpc);
      const rule = rpcRules[rpc];
      const repeatable = rule.retry === true;
      const deadline = deadlineOf(options.deadlineMs ?? deadlineMs ?? rule.deadlineMs);
      let cancelled = false;
      let current: ClientUnaryCall | undefined;
      onCancel?.(() => {
        cancelled = true;
        current?.cancel();
      });
      for (let attempt = 1; ; attempt++) {
        if (cancelled) throw cancellation(rpc);
        try {
          const reply = await new Promise<Buffer>((resolve, reject) => {
            current = withoutStack(() =>
              client.makeUnaryRequest(
                methods[rpc].path,
                asIs,
                asIs,
                request,
                new Metadata(),
                { deadline },
                (error, reply) => (reply === undefined ? reject(error) : resolve(reply)),
              ),
            );
          });
          answered();
          note(rpc);
          return reply;
        } catch (error) {
          if (cancelled) throw cancellation(rpc, error);
          await untilNext(rpc, request, {
            failure: error as ServiceError,
            attempt,
            repeatable,
            deadline,
            atOnce,
          });
        }
      }
    },
    seen: (rpc) => sideOf(rpc).seen.get(rpc),
    markUnimplemented: (rpc) => sideOf(rpc).remember(rpc, "unimplemented"),
    whenDropped: runtimeSide.whenDropped,
    close() {
      runtimeSide.client.close();
      imageSide.client.close();
    },
  };
}

/**
 * A failure at the end of the call's time as what it is. A Go server whose handler is past its deadline resets the
 * stream with CANCEL instead of answering, and nobody here has cancelled the call.
 */
function atDeadline(failure: ServiceError, deadline: number): ServiceError {
  if (failure.code !== status.CANCELLED || Date.now() + deadlineSlackMs < deadline) return failure;
  return Object.assign(new Error("Deadline exceeded", { cause: failure }), {
    code: status.DEADLINE_EXCEEDED,
    details: `Deadline exceeded: the runtime gave the call up (${failure.details})`,
    metadata: failure.metadata,
  });
}

/** An attempt at a call that failed, and how long more may be made. */
interface Failed extends Omit<Attempt, "connected"> {
  /** As grpc-js has it. */
  readonly deadline: number;
  readonly atOnce: boolean | undefined;
}

const cancellation = (method: string, cause?: unknown): CallCancelled =>
  new CallCancelled(`${method}: cancelled by the caller`, cause === undefined ? undefined : { cause });

/** An endpoint, and what is known of it. */
interface Side {
  readonly client: Client;
  /** Over the present connection. */
  readonly seen: ReadonlyMap<Rpc, "answered" | "unimplemented">;
  /** Fills `seen`, until the connection is dropped. */
  remember(rpc: Rpc, what: "answered" | "unimplemented"): void;
  /** As `Runtime.whenDropped`, for this connection. A function that waits already is not added again. */
  whenDropped(dropped: () => void): void;
  nextDelayMs(attempt: Omit<Attempt, "connected">): number | undefined;
  answered(): void;
}

function open(path: string, { outageMs: waitMs = outageMs }: ConnectOptions): Side {
  const client = new Client(`unix:${path}`, credentials.createInsecure(), {
    "grpc.max_receive_message_length": maxMessageBytes,
    "grpc.max_send_message_length": maxMessageBytes,
    // A list of 1,000 arrives in one go; with HTTP/2's own 64 KiB the runtime stops 16 times to be let go on.
    "grpc-node.flow_control_window": 1024 * 1024,
    // Back soon after the runtime is: there is no network between, and an attempt costs next to nothing.
    "grpc.initial_reconnect_backoff_ms": 100,
    "grpc.max_reconnect_backoff_ms": 250,
    ...unsharedConnections,
  });
  limitHeaders(client);
  const outage = createRetry(waitMs);
  const seen = new Map<Rpc, "answered" | "unimplemented">();
  const forget = (): void => seen.clear();
  const whenDropped = createDropWatch(client);
  return {
    client,
    seen,
    remember(rpc, what) {
      if (seen.get(rpc) === what) return;
      seen.set(rpc, what);
      whenDropped(forget);
    },
    whenDropped,
    nextDelayMs: (attempt) => outage.nextDelayMs({ ...attempt, connected: isConnected(client) }),
    answered: outage.end,
  };
}

const isConnected = (client: Client): boolean =>
  client.getChannel().getConnectivityState(false) === connectivityState.READY;

/** Watches the connection once, however many wait for its end: a watcher in grpc-js stays until it fires. */
function createDropWatch(client: Client): (dropped: () => void) => void {
  const waiting = new Set<() => void>();
  return (dropped) => {
    if (!isConnected(client)) {
      dropped();
      return;
    }
    waiting.add(dropped);
    if (waiting.size > 1) return;
    client.getChannel().watchConnectivityState(connectivityState.READY, Number.POSITIVE_INFINITY, () => {
      const all = [...waiting];
      waiting.clear();
      for (const one of all) one();
    });
  };
}

/** When a call that begins now must have ended, as grpc-js has it. */
function deadlineOf(limitMs: number): number {
  return limitMs > farthestMs ? Number.POSITIVE_INFINITY : Date.now() + limitMs;
}

/**
 * Runs `call` with errors that do not record where they were made. grpc-js makes one for every call, in
 * case it fails: a tenth of what the call costs, and the errors of here name their RPC.
 */
function withoutStack<T>(call: () => T): T {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  try {
    return call();
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
}

/** `unix:///run/x.sock`, `unix:/run/x.sock` and `/run/x.sock` -> `/run/x.sock`. */
export function socketPath(endpoint: string): string {
  return endpoint.replace(/^unix:(\/\/)?/, "");
}

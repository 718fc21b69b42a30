/**
 * The connection to the runtime: one call, bytes in and bytes out, over a Unix socket.
 *
 * Everything above depends only on `Runtime`, so a faster transport can replace grpc-js.
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
import { fromNativeStatus, fromStatus, isStarting } from "./status.ts";

export interface CallOptions {
  /** Milliseconds until the call fails with `deadline_exceeded`. Default: see `rpc-rules.ts`. `Infinity`: none. */
  readonly deadlineMs?: number;
  /** Fail immediately if the runtime is unavailable. Default: wait for it to return. */
  readonly atOnce?: boolean;
  /**
   * Called once with a function that cancels this call. A callback rather than an AbortSignal, which would double the
   * cost of a small read.
   */
  readonly onCancel?: (cancel: () => void) => void;
  /** Grace period in seconds for containers stopped by an RPC that has no timeout field; default 0. */
  readonly graceSeconds?: number | undefined;
  /** Bypasses `caller-interceptors.ts`: for calls about the runtime itself. */
  readonly asIs?: boolean;
  /**
   * Called for each pod or container that a list omits because it could not be read. Lists of pods and containers, and
   * of their stats, can continue without one: see `whole-lists.ts` and `stats/runtime.ts`.
   */
  readonly onFailedMember?: ((member: FailedMember) => void) | undefined;
  /** For whom the call is made. Where calls wait for each other, accounts take turns. Default: the gateway itself. */
  readonly account?: string | undefined;
  /** gRPC metadata to send. Default: none. */
  readonly metadata?: { readonly [name: string]: string } | undefined;
}

/** A pod or container that a list could not read, and why. */
export interface FailedMember {
  readonly id: string;
  readonly code: ErrorCode;
  readonly detail: string;
}

/** Options for a call to a method outside CRI. */
export interface NativeOptions extends Pick<CallOptions, "deadlineMs" | "onCancel"> {
  readonly metadata?: { readonly [name: string]: string };
}

export interface Runtime {
  /**
   * Calls a unary RPC. `request` is the encoded message. Resolves to the encoded reply, which the caller owns.
   *
   * While the runtime is unavailable, for example during a restart, a call waits for it within its deadline if it is a
   * read or a mutation that CRI documents as idempotent, or if it was not sent yet.
   *
   * @throws {GatewayError} By the error table; `outcome_unknown`: when a call that must not be repeated was sent and
   *   its reply was lost.
   * @throws {CallCancelled} When the caller cancelled.
   */
  call(rpc: Rpc, request: Uint8Array, options?: CallOptions): Promise<Buffer>;
  /**
   * Calls a streaming RPC; each item is one encoded message. The reader sets the pace, and leaving the loop cancels the
   * call. There is no deadline by default.
   */
  stream(rpc: Rpc, request: Uint8Array, options?: CallOptions): AsyncIterable<Buffer>;
  /**
   * Calls a unary method of the runtime's own API, if it serves one on the RuntimeService socket, such as
   * `/containerd.services.tasks.v1.Tasks/Metrics`. Never retries. Default deadline: 10 s.
   *
   * @throws {GatewayError} By the gRPC status; `not_implemented` if the runtime has no such method.
   * @throws {CallCancelled} When the caller cancelled.
   */
  callNative(path: string, request: Uint8Array, options?: NativeOptions): Promise<Buffer>;
  /**
   * Calls a streaming method of the runtime's own API, such as
   * `/containerd.services.containers.v1.Containers/ListStream`. Never retries. The reader sets the pace, and leaving the
   * loop cancels the call. There is no deadline by default. Throws like `callNative`.
   */
  streamNative(path: string, request: Uint8Array, options?: NativeOptions): AsyncIterable<Buffer>;
  /**
   * Whether the runtime has answered an RPC over the current connection, or reported it as unimplemented. The next
   * connection may lead to a newer runtime.
   */
  seen(rpc: Rpc): "answered" | "unimplemented" | undefined;
  /** Records that the runtime has an RPC in name only: it answers that it cannot do it. */
  markUnimplemented(rpc: Rpc): void;
  /**
   * Calls `dropped` once, when the current connection to RuntimeService ends, or immediately if there is none. Anything
   * learned about the runtime over that connection may now be wrong.
   */
  whenDropped(dropped: () => void): void;
  /** Socket paths, for messages. */
  readonly endpoint: string;
  readonly imageEndpoint: string;
  close(): void;
}

/** The caller left before the runtime replied, so nobody needs a response. */
export class CallCancelled extends Error {
  override readonly name = "CallCancelled";
}

export interface ConnectOptions {
  /** `unix:///path` or a plain path. */
  readonly runtimeEndpoint: string;
  /** Where ImageService listens. Default: the runtime's endpoint. */
  readonly imageEndpoint?: string;
  /** Overrides the deadline of every RPC, in milliseconds. For tests. */
  readonly deadlineMs?: number;
  /** Milliseconds from the start of an outage during which calls wait for it to end; default 5 s. */
  readonly outageMs?: number;
}

/**
 * Replies of real runtimes are limited to 16 MiB (containerd, cri-dockerd) or 80 MiB (CRI-O). The default of grpc-js is
 * 4 MiB, but 5,000 containers take 5 MB.
 */
export const maxMessageBytes = 128 * 1024 * 1024;
/** A daemon with many containers takes seconds to load them after a restart. */
const outageMs = 5000;
/**
 * Milliseconds, 24 days: a longer call gets no deadline. A command's timeout may be any 64-bit number, and if it is too
 * far ahead grpc-js throws where nothing can catch it, which would crash the gateway.
 */
const farthestMs = 2 ** 31 - 1;
const onTheWay: ReadonlySet<status> = new Set([
  status.UNAVAILABLE,
  status.UNIMPLEMENTED,
  status.CANCELLED,
  status.DEADLINE_EXCEEDED,
]);

/** For methods of the runtime's own API, which answer from memory or read a few files. */
const nativeDeadlineMs = 10_000;

/** The runtime starts counting its deadline at another moment, so it may give up this much before we do. */
const deadlineSlackMs = 100;

const asIs = (bytes: Uint8Array): Buffer =>
  Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** Opens the channel. It connects at the first call, and reconnects after the runtime restarts. */
export function connect(options: ConnectOptions): Runtime {
  const endpoint = socketPath(options.runtimeEndpoint);
  const imageEndpoint = socketPath(options.imageEndpoint ?? options.runtimeEndpoint);
  const runtimeSide = open(endpoint, options);
  const imageSide = imageEndpoint === endpoint ? runtimeSide : open(imageEndpoint, options);

  const sideOf = (rpc: Rpc): Side => (rpc.startsWith("ImageService/") ? imageSide : runtimeSide);

  /** Records whether the runtime has an RPC that failed. A transport failure proves neither. */
  function noteFailure(rpc: Rpc, error: ServiceError): void {
    const lacks = error.code === status.UNIMPLEMENTED;
    if (isStarting(error) || (onTheWay.has(error.code) && !lacks)) return;
    sideOf(rpc).remember(rpc, lacks ? "unimplemented" : "answered");
  }

  /** Resolves when the next attempt is due. @throws {GatewayError} The failure, when there is no next attempt. */
  async function untilNext(
    rpc: Rpc,
    request: Uint8Array,
    { deadline, atOnce, ...attempt }: Failed,
  ): Promise<void> {
    noteFailure(rpc, attempt.failure);
    const pause = atOnce ? undefined : sideOf(rpc).nextDelayMs(attempt);
    if (pause === undefined || Date.now() + pause >= deadline) {
      throw fromStatus(rpc, atDeadline(attempt.failure, deadline), request);
    }
    await sleep(pause);
  }

  return {
    endpoint,
    imageEndpoint,
    async *stream(rpc, request, { deadlineMs, atOnce, onCancel, metadata } = {}) {
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
        const call = client.makeServerStreamRequest(path, asIs, asIs, request, metadataOf(metadata), {
          deadline,
        });
        current = call;
        let repeatable = true;
        try {
          for await (const message of call) {
            repeatable = false;
            answered(rpc);
            yield message as Buffer;
          }
          answered(rpc);
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
    async *streamNative(path, request, { metadata, deadlineMs, onCancel } = {}) {
      const deadline = deadlineOf(deadlineMs ?? Number.POSITIVE_INFINITY);
      const { client } = runtimeSide;
      const headers = metadataOf(metadata);
      const call = client.makeServerStreamRequest(path, asIs, asIs, request, headers, { deadline });
      let cancelled = false;
      onCancel?.(() => {
        cancelled = true;
        call.cancel();
      });
      try {
        for await (const message of call) yield message as Buffer;
      } catch (error) {
        throw cancelled ? cancellation(path, error) : fromNativeStatus(path, error as ServiceError);
      } finally {
        call.cancel();
      }
    },
    async callNative(path, request, { metadata, deadlineMs = nativeDeadlineMs, onCancel } = {}) {
      const headers = metadataOf(metadata);
      const deadline = deadlineOf(deadlineMs);
      let cancelled = false;
      try {
        return await new Promise<Buffer>((resolve, reject) => {
          const { client } = runtimeSide;
          const call = client.makeUnaryRequest(
            path,
            asIs,
            asIs,
            request,
            headers,
            { deadline },
            (error, reply) => (reply === undefined ? reject(error) : resolve(reply)),
          );
          onCancel?.(() => {
            cancelled = true;
            call.cancel();
          });
        });
      } catch (error) {
        throw cancelled ? cancellation(path, error) : fromNativeStatus(path, error as ServiceError);
      }
    },
    async call(rpc, request, { deadlineMs, atOnce, onCancel, metadata } = {}) {
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
                metadataOf(metadata),
                { deadline },
                (error, reply) => (reply === undefined ? reject(error) : resolve(reply)),
              ),
            );
          });
          answered(rpc);
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

function metadataOf(values: CallOptions["metadata"]): Metadata {
  const metadata = new Metadata();
  for (const name in values) metadata.set(name, values[name] ?? "");
  return metadata;
}

/**
 * Turns a failure at the end of the call's time into `DEADLINE_EXCEEDED`. A Go server whose handler is past its
 * deadline resets the stream with CANCEL instead of replying, although we have not cancelled the call.
 */
function atDeadline(failure: ServiceError, deadline: number): ServiceError {
  if (failure.code !== status.CANCELLED || Date.now() + deadlineSlackMs < deadline) return failure;
  return Object.assign(new Error("Deadline exceeded", { cause: failure }), {
    code: status.DEADLINE_EXCEEDED,
    details: `Deadline exceeded: the runtime gave up the call (${failure.details})`,
    metadata: failure.metadata,
  });
}

/** A failed attempt, and the limits on further ones. */
interface Failed extends Omit<Attempt, "connected"> {
  /** In the form that grpc-js takes. */
  readonly deadline: number;
  readonly atOnce: boolean | undefined;
}

const cancellation = (method: string, cause?: unknown): CallCancelled =>
  new CallCancelled(`${method}: cancelled by the caller`, cause === undefined ? undefined : { cause });

/** An endpoint, and what is known about it. */
interface Side {
  readonly client: Client;
  /** Over the current connection. */
  readonly seen: ReadonlyMap<Rpc, "answered" | "unimplemented">;
  /** Fills `seen`, until the connection drops. */
  remember(rpc: Rpc, what: "answered" | "unimplemented"): void;
  /** As `Runtime.whenDropped`, for this connection. Adding a function that is already waiting has no effect. */
  whenDropped(dropped: () => void): void;
  nextDelayMs(attempt: Omit<Attempt, "connected">): number | undefined;
  /** Call it when the runtime has answered. */
  answered(rpc: Rpc): void;
}

function open(path: string, { outageMs: waitMs = outageMs }: ConnectOptions): Side {
  const client = new Client(`unix:${path}`, credentials.createInsecure(), {
    "grpc.max_receive_message_length": maxMessageBytes,
    "grpc.max_send_message_length": maxMessageBytes,
    // A list of 1,000 then arrives in one go. HTTP/2's default of 64 KiB makes the runtime pause 16 times.
    "grpc-node.flow_control_window": 1024 * 1024,
    // Reconnect soon after the runtime returns: the socket is local, and an attempt costs next to nothing.
    "grpc.initial_reconnect_backoff_ms": 100,
    "grpc.max_reconnect_backoff_ms": 250,
    ...unsharedConnections,
  });
  limitHeaders(client);
  const outage = createRetry(waitMs);
  const seen = new Map<Rpc, "answered" | "unimplemented">();
  const forget = (): void => seen.clear();
  const whenDropped = createDropWatch(client);
  function remember(rpc: Rpc, what: "answered" | "unimplemented"): void {
    if (seen.get(rpc) === what) return;
    seen.set(rpc, what);
    whenDropped(forget);
  }
  return {
    client,
    seen,
    remember,
    whenDropped,
    nextDelayMs: (attempt) => outage.nextDelayMs({ ...attempt, connected: isConnected(client) }),
    answered(rpc) {
      outage.end();
      remember(rpc, "answered");
    },
  };
}

const isConnected = (client: Client): boolean =>
  client.getChannel().getConnectivityState(false) === connectivityState.READY;

/** Shares one watcher per connection among all callbacks, because a watcher in grpc-js stays until it fires. */
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

/** The deadline of a call that starts now, in the form that grpc-js takes. */
function deadlineOf(limitMs: number): number {
  return limitMs > farthestMs ? Number.POSITIVE_INFINITY : Date.now() + limitMs;
}

/**
 * Runs `call` without recording stack traces. grpc-js creates an error for every call in case it fails, which is a
 * tenth of the call's cost. Our own errors name their RPC.
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

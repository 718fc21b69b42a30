/**
 * The door to the runtime: one call, bytes in and bytes out, over a Unix socket.
 *
 * Everything above speaks `Runtime`, so that a faster transport can take grpc-js's place.
 */
import {
  Client,
  type ClientUnaryCall,
  connectivityState,
  credentials,
  Metadata,
  type ServiceError,
  status,
} from "@grpc/grpc-js";
import { methods, type Rpc } from "../gen/methods.ts";
import { callRules } from "./methods.ts";
import { fromStatus, isStarting } from "./status.ts";

export interface CallOptions {
  /** Milliseconds from now until `deadline_exceeded`; default: the RPC's own (`methods.ts`). `Infinity`: none. */
  readonly deadlineMs?: number;
  /**
   * Called once with a function that cancels this call. A plain callback rather than an AbortSignal,
   * which would double the cost of a small read.
   */
  readonly onCancel?: (cancel: () => void) => void;
}

export interface Runtime {
  /**
   * Calls a unary RPC. `request` is the encoded message; the answer is the encoded reply, which the
   * caller owns.
   *
   * Reads, and mutations that CRI documents as idempotent, are tried up to three times while the
   * runtime is unavailable, inside the deadline.
   *
   * @throws {GatewayError} by the error table; a cancelled call rejects with `CallCancelled`.
   */
  call(rpc: Rpc, request: Uint8Array, options?: CallOptions): Promise<Buffer>;
  /**
   * Calls a streaming RPC; each item is one encoded message. Paced by its reader; leaving the loop
   * cancels it. Without a deadline unless one is given.
   */
  stream(rpc: Rpc, request: Uint8Array, options?: CallOptions): AsyncIterable<Buffer>;
  /** What this runtime said to an RPC so far: something, or that it does not have it. */
  seen(rpc: Rpc): "answered" | "unimplemented" | undefined;
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
}

/**
 * Replies of a real runtime end at 16 MiB (containerd, cri-dockerd) or 80 MiB (CRI-O), where grpc-js
 * would refuse 4 MiB: 5,000 containers are 5 MB.
 */
const maxMessageBytes = 128 * 1024 * 1024;
const attempts = 3;
/** Before the first attempt to connect again, give or take a fifth. */
const reconnectMs = 100;
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

const asIs = (bytes: Uint8Array): Buffer =>
  Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** Opens the channel; connecting itself happens at the first call, and again after the runtime restarted. */
export function connect(options: ConnectOptions): Runtime {
  const endpoint = socketPath(options.runtimeEndpoint);
  const imageEndpoint = socketPath(options.imageEndpoint ?? options.runtimeEndpoint);
  const runtimeClient = open(endpoint);
  const imageClient = imageEndpoint === endpoint ? runtimeClient : open(imageEndpoint);

  const seen = new Map<Rpc, "answered" | "unimplemented">();
  /** Remembers that the runtime has an RPC, or not. What went wrong on the way says neither. */
  function note(rpc: Rpc, error?: ServiceError): void {
    if (error?.code === status.UNIMPLEMENTED && !isStarting(error)) seen.set(rpc, "unimplemented");
    else if (error === undefined || !onTheWay.has(error.code)) seen.set(rpc, "answered");
  }

  const clientOf = (rpc: Rpc): Client => (rpc.startsWith("ImageService/") ? imageClient : runtimeClient);

  return {
    endpoint,
    imageEndpoint,
    async *stream(rpc, request, { deadlineMs, onCancel } = {}) {
      const limit = deadlineMs === undefined ? {} : { deadline: Date.now() + deadlineMs };
      const call = clientOf(rpc).makeServerStreamRequest(
        methods[rpc].path,
        asIs,
        asIs,
        request,
        new Metadata(),
        limit,
      );
      let cancelled = false;
      onCancel?.(() => {
        cancelled = true;
        call.cancel();
      });
      try {
        for await (const message of call) {
          note(rpc);
          yield message as Buffer;
        }
        note(rpc);
      } catch (error) {
        note(rpc, error as ServiceError);
        if (cancelled) throw new CallCancelled(`${rpc}: cancelled by the caller`, { cause: error });
        throw fromStatus(rpc, error as ServiceError);
      } finally {
        call.cancel();
      }
    },
    async call(rpc, request, { deadlineMs, onCancel } = {}) {
      const rule = callRules[rpc];
      const limitMs = options.deadlineMs ?? deadlineMs ?? rule.deadlineMs;
      const deadline = limitMs > farthestMs ? Number.POSITIVE_INFINITY : Date.now() + limitMs;
      let cancelled = false;
      let current: ClientUnaryCall | undefined;
      onCancel?.(() => {
        cancelled = true;
        current?.cancel();
      });
      for (let attempt = 1; ; attempt++) {
        if (cancelled) throw new CallCancelled(`${rpc}: cancelled by the caller`);
        try {
          const reply = await new Promise<Buffer>((resolve, reject) => {
            current = withoutStack(() =>
              clientOf(rpc).makeUnaryRequest(
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
          note(rpc);
          return reply;
        } catch (error) {
          const failure = error as ServiceError;
          if (cancelled) throw new CallCancelled(`${rpc}: cancelled by the caller`, { cause: error });
          note(rpc, failure);
          const again = rule.retry && failure.code === status.UNAVAILABLE && attempt < attempts;
          // The last attempt comes behind grpc-js's own pause before it connects again, within which it fails at once.
          const pauseMs = reconnectMs * attempt * (1 + Math.random());
          if (!again || Date.now() + pauseMs >= deadline) throw fromStatus(rpc, failure);
          await new Promise((resolve) => setTimeout(resolve, pauseMs));
        }
      }
    },
    seen: (rpc) => seen.get(rpc),
    whenDropped(dropped) {
      const channel = runtimeClient.getChannel();
      if (channel.getConnectivityState(false) !== connectivityState.READY) dropped();
      else channel.watchConnectivityState(connectivityState.READY, Number.POSITIVE_INFINITY, () => dropped());
    },
    close() {
      runtimeClient.close();
      imageClient.close();
    },
  };
}

function open(path: string): Client {
  return new Client(`unix:${path}`, credentials.createInsecure(), {
    "grpc.max_receive_message_length": maxMessageBytes,
    "grpc.max_send_message_length": maxMessageBytes,
    // A list of 1,000 arrives in one go; with HTTP/2's own 64 KiB the runtime stops 16 times to be let go on.
    "grpc-node.flow_control_window": 1024 * 1024,
    // Back soon after the runtime restarted: 1.1 s after a 12 s outage, instead of 3.0 s.
    "grpc.initial_reconnect_backoff_ms": reconnectMs,
    "grpc.max_reconnect_backoff_ms": 1000,
  });
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

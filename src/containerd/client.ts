/**
 * containerd's own services, which are not CRI: content, snapshots, tasks and events, on the socket and the connection
 * of the RuntimeService. Other runtimes answer `not_implemented`.
 */
import { CallCancelled, type NativeOptions, type Runtime } from "../cri/channel.ts";
import { GatewayError } from "../errors.ts";
import type { Messages } from "../gen/containerd/messages.ts";
import { type Methods, methods } from "../gen/containerd/methods.ts";
import { type ContainerdRpc, decodeContainerd, encodeContainerd } from "./codec.ts";

/** The methods that answer once, and those that answer a stream. */
export type UnaryRpc = {
  [R in ContainerdRpc]: Methods[R]["stream"] extends false ? R : never;
}[ContainerdRpc];
export type StreamRpc = Exclude<ContainerdRpc, UnaryRpc>;

export interface ContainerdCallOptions {
  /** Cancels the call. */
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds until the call fails with `deadline_exceeded`. Default: 10 s; for a stream: none. */
  readonly deadlineMs?: number;
}

export interface ContainerdClient {
  /**
   * Calls a method of containerd in the namespace of CRI, without retries. Members of `request` that are absent have
   * their default.
   *
   * @throws {GatewayError} `not_implemented` if the runtime is not containerd, else by the gRPC status: `not_found`,
   *   `runtime_unavailable`, `deadline_exceeded` and so on.
   * @throws {CallCancelled} When `signal` aborts.
   */
  call<R extends UnaryRpc>(
    rpc: R,
    request: Partial<Methods[R]["request"]>,
    options?: ContainerdCallOptions,
  ): Promise<Methods[R]["response"]>;
  /**
   * The same for a method that answers a stream. The reader sets the pace: what it does not read waits in containerd.
   * Leaving the loop cancels the call. Throws like `call`.
   */
  stream<R extends StreamRpc>(
    rpc: R,
    request: Partial<Methods[R]["request"]>,
    options?: ContainerdCallOptions,
  ): AsyncIterable<Methods[R]["response"]>;
}

/** The namespace in which containerd's CRI plugin keeps everything. */
export const criNamespace = "k8s.io";

const metadata = { "containerd-namespace": criNamespace };

/** A client on the connection of `runtime`: it needs no closing of its own. */
export function createContainerdClient(
  runtime: Pick<Runtime, "callNative" | "streamNative">,
): ContainerdClient {
  return {
    async call(rpc, request, { signal, deadlineMs } = {}) {
      const { path, response } = methods[rpc];
      const cancellation = linkCancellation(rpc, signal);
      const options = { ...optionsOf(deadlineMs), onCancel: cancellation.onCancel };
      try {
        return replyOf(
          rpc,
          decodeContainerd(response, await runtime.callNative(path, encodeContainerd(rpc, request), options)),
        );
      } catch (error) {
        throw explain(rpc, error);
      } finally {
        cancellation.release();
      }
    },
    async *stream(rpc, request, { signal, deadlineMs } = {}) {
      const { path, response } = methods[rpc];
      const cancellation = linkCancellation(rpc, signal);
      const options = { ...optionsOf(deadlineMs), onCancel: cancellation.onCancel };
      try {
        for await (const message of runtime.streamNative(path, encodeContainerd(rpc, request), options))
          yield replyOf(rpc, decodeContainerd(response, message));
      } catch (error) {
        throw explain(rpc, error);
      } finally {
        cancellation.release();
      }
    },
  };
}

/** The generated tables ensure that a method's reply is of its type; TypeScript cannot follow them. */
function replyOf<R extends ContainerdRpc>(_rpc: R, reply: Messages[keyof Messages]): Methods[R]["response"] {
  return reply as Methods[R]["response"];
}

const optionsOf = (deadlineMs: number | undefined): NativeOptions => ({
  metadata,
  ...(deadlineMs === undefined ? {} : { deadlineMs }),
});

/** Passes the abort of a signal on to a call. */
interface Cancellation {
  readonly onCancel: (cancel: () => void) => void;
  /** Stops listening to the signal. */
  release(): void;
}

/** @throws {CallCancelled} If the signal has aborted already. */
function linkCancellation(rpc: ContainerdRpc, signal: AbortSignal | undefined): Cancellation {
  if (signal?.aborted) throw new CallCancelled(`${rpc}: cancelled by the caller`);
  let cancelCall: (() => void) | undefined;
  const abort = (): void => cancelCall?.();
  signal?.addEventListener("abort", abort, { once: true });
  return {
    onCancel(cancel) {
      cancelCall = cancel;
    },
    release: () => signal?.removeEventListener("abort", abort),
  };
}

/** Says what is missing where a runtime does not have containerd's services. */
function explain(rpc: ContainerdRpc, error: unknown): unknown {
  if (!(error instanceof GatewayError) || error.code !== "not_implemented") return error;
  return new GatewayError(
    "not_implemented",
    `${rpc} is a method of containerd, and this runtime is not containerd or does not serve it: ${error.words}`,
    { cause: error, grpcCode: error.grpcCode },
  );
}

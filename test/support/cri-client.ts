/** A plain gRPC client for a CRI socket. Converts proto JSON with protobuf-es, not with the product's codec. */
import type { JsonObject } from "@bufbuild/protobuf";
import {
  type CallOptions,
  Client,
  type ClientReadableStream,
  credentials,
  Metadata,
  type ServiceError,
} from "@grpc/grpc-js";
import type { RpcName } from "./fake-runtime/rpc-names.ts";
import { type CriMethod, criSchema, decodeMessage, encodeMessage } from "./fake-runtime/schema.ts";

export interface CriCallOptions {
  /** No timeout by default. */
  readonly timeoutMs?: number;
  readonly metadata?: { readonly [name: string]: string };
  /** Cancels the call. */
  readonly signal?: AbortSignal;
}

export interface CriClient {
  /**
   * Makes a unary call. `Reply` is the type that the caller expects; nothing checks it.
   *
   * @throws {ServiceError} of grpc-js, with `code` and `details`.
   */
  call<Reply = JsonObject>(rpc: RpcName, request?: object, options?: CriCallOptions): Promise<Reply>;
  /** Makes a streaming call. Leaving the loop cancels it. */
  stream<Reply = JsonObject>(rpc: RpcName, request?: object, options?: CriCallOptions): AsyncIterable<Reply>;
  close(): void;
}

/** Creates a client for a Unix socket. It connects on the first call. */
export function createCriClient(socketPath: string): CriClient {
  const client = new Client(`unix:${socketPath}`, credentials.createInsecure(), {
    "grpc.max_receive_message_length": -1,
    "grpc.max_send_message_length": -1,
    "grpc.initial_reconnect_backoff_ms": 50,
    "grpc.max_reconnect_backoff_ms": 200,
  });
  return {
    call<Reply>(rpc: RpcName, request: object = {}, options: CriCallOptions = {}) {
      const method = methodOfRpc(rpc);
      return new Promise<Reply>((resolve, reject) => {
        const call = client.makeUnaryRequest(
          method.path,
          serializer(method),
          deserializer(method),
          request,
          metadataOf(options),
          callOptions(options),
          (error: ServiceError | null, reply?: JsonObject) =>
            error === null ? resolve(reply as Reply) : reject(error),
        );
        options.signal?.addEventListener("abort", () => call.cancel());
      });
    },
    async *stream<Reply>(rpc: RpcName, request: object = {}, options: CriCallOptions = {}) {
      const method = methodOfRpc(rpc);
      const call: ClientReadableStream<JsonObject> & AsyncIterable<Reply> = client.makeServerStreamRequest(
        method.path,
        serializer(method),
        deserializer(method),
        request,
        metadataOf(options),
        callOptions(options),
      );
      options.signal?.addEventListener("abort", () => call.cancel());
      try {
        yield* call;
      } finally {
        call.cancel();
      }
    },
    close: () => client.close(),
  };
}

function methodOfRpc(rpc: RpcName): CriMethod {
  const method = criSchema().methods.get(rpc);
  if (method === undefined) throw new Error(`Cannot call an unknown RPC: ${rpc}`);
  return method;
}

function serializer({ input }: CriMethod) {
  return (request: object) => Buffer.from(encodeMessage(input, request));
}

function deserializer({ output }: CriMethod) {
  return (bytes: Buffer) => decodeMessage(output, bytes);
}

function metadataOf(options: CriCallOptions): Metadata {
  const metadata = new Metadata();
  for (const [name, value] of Object.entries(options.metadata ?? {})) metadata.set(name, value);
  return metadata;
}

function callOptions({ timeoutMs }: CriCallOptions): CallOptions {
  return timeoutMs === undefined ? {} : { deadline: Date.now() + timeoutMs };
}

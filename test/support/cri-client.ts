/** A plain gRPC client of a CRI socket: proto JSON in and out, by protobuf-es and not by the product's codec. */
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
  /** None by default. */
  readonly timeoutMs?: number;
  readonly metadata?: { readonly [name: string]: string };
  /** Cancels the call. */
  readonly signal?: AbortSignal;
}

export interface CriClient {
  /**
   * A unary call. `Reply` is the caller's word for what comes: nothing checks it.
   *
   * @throws {ServiceError} of grpc-js: `code` and `details`.
   */
  call<Reply = JsonObject>(rpc: RpcName, request?: object, options?: CriCallOptions): Promise<Reply>;
  /** A streaming call; leaving the loop cancels it. */
  stream<Reply = JsonObject>(rpc: RpcName, request?: object, options?: CriCallOptions): AsyncIterable<Reply>;
  close(): void;
}

/** Connects to a Unix socket when the first call needs it. */
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

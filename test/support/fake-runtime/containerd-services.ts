/**
 * containerd's own API besides CRI: serves any method of proto/containerd with an answer of the test, as containerd
 * does: on the same socket, and only for calls that name a namespace.
 *
 * Encodes and decodes with protobuf-es, so that two implementations read the same bytes.
 */
import type { DescMethod, JsonObject } from "@bufbuild/protobuf";
import { status } from "@grpc/grpc-js";
import { asFault, GrpcFault } from "./fault.ts";
import type { Exchange, GrpcServer } from "./grpc-server.ts";
import { decodeMessage, encodeMessage, protoRegistry } from "./schema.ts";

/** The methods of proto/containerd, with the package that each service has there. */
const packages = {
  "Containers/Get": "containers",
  "Content/Info": "content",
  "Content/List": "content",
  "Content/ListStatuses": "content",
  "Content/Read": "content",
  "Events/Subscribe": "events",
  "Snapshots/List": "snapshots",
  "Snapshots/Stat": "snapshots",
  "Snapshots/Usage": "snapshots",
  "Tasks/Metrics": "tasks",
} as const;

export type ContainerdRpc = keyof typeof packages;

/**
 * Answers a call: one reply, or several of a stream. Replies are drafts (see `toProtoJson`). Throwing a GrpcFault
 * rejects the call. `exchange.signal` aborts when the client leaves.
 */
export type ContainerdAnswer = (
  request: JsonObject,
  exchange: Exchange,
) => object | Promise<object> | Iterable<object> | AsyncIterable<object>;

/** Serves `rpc` with `answer`. */
export function serveContainerd(server: GrpcServer, rpc: ContainerdRpc, answer: ContainerdAnswer): void {
  const [service = "", name = ""] = rpc.split("/");
  const typeName = `containerd.services.${packages[rpc]}.v1.${service}`;
  const method = protoRegistry()
    .getService(typeName)
    ?.methods.find((one) => one.name === name);
  if (method === undefined) throw new Error(`Cannot serve ${rpc}: proto/containerd does not have it`);
  const isStream = method.methodKind === "server_streaming";
  server.serve(`/${typeName}/${name}`, isStream ? "stream" : "unary", (exchange) => {
    void answerOne(method, answer, exchange);
  });
}

async function answerOne(method: DescMethod, answer: ContainerdAnswer, exchange: Exchange): Promise<void> {
  try {
    const [namespace] = exchange.metadata["containerd-namespace"] ?? [];
    if (namespace === undefined) throw new GrpcFault(status.FAILED_PRECONDITION, "namespace is required");
    const replies = await answer(decodeMessage(method.input, exchange.request), exchange);
    if (isMany(replies)) {
      for await (const reply of replies) {
        await exchange.send(encodeMessage(method.output, reply));
        if (exchange.signal.aborted) return;
      }
    } else await exchange.send(encodeMessage(method.output, replies));
    if (!exchange.signal.aborted) exchange.finish();
  } catch (error) {
    if (!exchange.signal.aborted) exchange.finish(asFault(error));
  }
}

const isMany = (value: object): value is Iterable<object> | AsyncIterable<object> =>
  Symbol.iterator in value || Symbol.asyncIterator in value;

/** Packs a message of proto/containerd into an Any, for events and metrics. `message`: `containerd.events.TaskExit`. */
export function packAny(message: string, draft: object, typeUrl = message): object {
  const descriptor = protoRegistry().getMessage(message);
  if (descriptor === undefined) throw new Error(`Cannot pack ${message}: proto/containerd does not have it`);
  return { typeUrl, value: encodeMessage(descriptor, draft) };
}

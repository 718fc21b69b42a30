/** The containerd API besides CRI on the same socket, as far as the gateway uses it. */
import { BinaryReader, BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { status } from "@grpc/grpc-js";
import { GrpcFault } from "./fault.ts";
import type { Exchange } from "./grpc-server.ts";
import type { World } from "./world.ts";

export const listStreamPath = "/containerd.services.containers.v1.Containers/ListStream";

/** Streams the records of pods (`kind==sandbox`) or containers, one per message, regardless of size. */
export async function listStream({ state }: World, exchange: Exchange): Promise<void> {
  const [namespace] = exchange.metadata["containerd-namespace"] ?? [];
  if (namespace !== "k8s.io") {
    exchange.finish(new GrpcFault(status.FAILED_PRECONDITION, "namespace is required"));
    return;
  }
  const kind = /^labels\."io\.cri-containerd\.kind"==(sandbox|container)$/.exec(
    filterOf(exchange.request),
  )?.[1];
  const records = kind === "sandbox" ? [...state.pods] : kind === "container" ? [...state.containers] : [];
  for (const [id, { config }] of records) {
    const annotations = Buffer.from(JSON.stringify(config.annotations ?? {}));
    const container = new BinaryWriter()
      .tag(1, WireType.LengthDelimited)
      .string(id)
      // The record includes the whole configuration of the pod.
      .tag(9, WireType.LengthDelimited)
      .bytes(annotations)
      .finish();
    await exchange.send(new BinaryWriter().tag(1, WireType.LengthDelimited).bytes(container).finish());
  }
  exchange.finish();
}

/** Reads the only filter of a ListContainersRequest. */
function filterOf(request: Uint8Array): string {
  const reader = new BinaryReader(request);
  const [field, wireType] = reader.tag();
  return field === 1 && wireType === WireType.LengthDelimited ? reader.string() : "";
}

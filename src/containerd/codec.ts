/** The messages of containerd's own API: connects the generated tables with the wire layer, as `cri/codec.ts` for CRI. */
import { descriptors } from "../gen/containerd/descriptors.ts";
import type { MessageName, Messages } from "../gen/containerd/messages.ts";
import { type Methods, methods } from "../gen/containerd/methods.ts";
import { writers } from "../gen/containerd/writers.ts";
import { createEncoder } from "../wire/encode.ts";
import { toJsonText } from "../wire/write-json.ts";

/** A method of containerd's own API: service and method. */
export type ContainerdRpc = keyof Methods;

const encode = createEncoder(descriptors);

/** Encodes a request. @throws {InvalidValue} If `value` does not fit the message. */
export function encodeContainerd<R extends ContainerdRpc>(
  rpc: R,
  value: Partial<Methods[R]["request"]>,
): Buffer {
  return encode(methods[rpc].request, value);
}

/**
 * Decodes a message. Fields that Crest does not know are dropped; 64-bit integers become decimal strings and bytes
 * become base64.
 *
 * @throws {Malformed} If it is not protobuf.
 */
export function decodeContainerd<M extends MessageName>(message: M, wire: Uint8Array): Messages[M] {
  return JSON.parse(toJsonText(writers[message], wire)) as Messages[M];
}

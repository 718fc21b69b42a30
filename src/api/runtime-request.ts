/** The request of one RPC as an object and as bytes, each made from the other when it is first needed. */
import { decodeRequest, encodeRequest } from "../cri/codec.ts";
import type { Rpc } from "../gen/methods.ts";

export interface RequestMessage {
  readonly [field: string]: unknown;
}

/**
 * Stages change the object; it is encoded once, when the call is made. A request that no stage changes goes out as
 * the bytes that its validation made, and is never decoded.
 */
export class RuntimeRequest {
  readonly rpc: Rpc;
  #wire: Buffer | undefined;
  #message: RequestMessage | undefined;

  /** `message`: what `wire` says, in canonical names, where that is known already. */
  constructor(rpc: Rpc, wire: Buffer, message?: RequestMessage) {
    this.rpc = rpc;
    this.#wire = wire;
    this.#message = message;
  }

  /** The message in canonical names. */
  get message(): RequestMessage {
    this.#message ??= { ...decodeRequest(this.rpc, this.#wire ?? Buffer.alloc(0)) };
    return this.#message;
  }

  set message(message: RequestMessage) {
    this.#message = message;
    this.#wire = undefined;
  }

  /** The message as protobuf. @throws {InvalidValue} when a stage put in what the runtime could not use. */
  get wire(): Buffer {
    this.#wire ??= encodeRequest(this.rpc, this.#message ?? {});
    return this.#wire;
  }
}

/** An RPC's request as an object and as bytes. Each is made from the other on first use. */
import { decodeRequest, encodeRequest } from "../cri/codec.ts";
import type { Rpc } from "../gen/methods.ts";

export interface RequestMessage {
  readonly [field: string]: unknown;
}

/**
 * Stages change the object, which is encoded once, for the call. A request that no stage changes is sent as the bytes
 * from its validation, and is never decoded.
 */
export class RuntimeRequest {
  readonly rpc: Rpc;
  #wire: Buffer | undefined;
  #message: RequestMessage | undefined;

  /** `message` is the content of `wire` in canonical names, if already known. */
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

  /** The message as protobuf. @throws {InvalidValue} if a stage set a value that cannot be encoded. */
  get wire(): Buffer {
    this.#wire ??= encodeRequest(this.rpc, this.#message ?? {});
    return this.#wire;
  }
}

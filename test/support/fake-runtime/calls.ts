import type { JsonObject } from "@bufbuild/protobuf";
import type { status } from "@grpc/grpc-js";
import type { RpcName } from "./rpc-names.ts";

/** One call as the fake saw it. */
export interface RecordedCall {
  readonly rpc: RpcName;
  /** Canonical proto JSON: camelCase, 64-bit numbers as strings, defaults left out, bytes as base64. */
  readonly request: JsonObject;
  readonly at: Date;
  readonly deadline: Date | undefined;
  /** By lower-case name. */
  readonly metadata: { readonly [name: string]: readonly (string | Buffer)[] };
  /** The client gave up before the answer: it cancelled, its deadline passed or its connection broke. */
  cancelled: boolean;
  /** What was answered; `undefined` while the call is under way, and when nobody waits for it any more. */
  code: status | undefined;
}

/** A request that killed the fake daemon. */
export interface RecordedCrash {
  readonly rpc: RpcName;
  readonly request: JsonObject;
  readonly reason: string;
  readonly at: Date;
}

import type { JsonObject } from "@bufbuild/protobuf";
import type { status } from "@grpc/grpc-js";
import type { RpcName } from "./rpc-names.ts";

/** One call as the fake received it. */
export interface RecordedCall {
  readonly rpc: RpcName;
  /** Canonical proto JSON: camelCase, 64-bit numbers as strings, defaults omitted, bytes as base64. */
  readonly request: JsonObject;
  readonly at: Date;
  readonly deadline: Date | undefined;
  /** By lower-case name. */
  readonly metadata: { readonly [name: string]: readonly (string | Buffer)[] };
  /** True if the client gave up before the response: it cancelled, its deadline passed or its connection broke. */
  cancelled: boolean;
  /** The status of the response. `undefined` while the call is pending, and if the client gave up. */
  code: status | undefined;
}

/** A request that killed the fake daemon. */
export interface RecordedCrash {
  readonly rpc: RpcName;
  readonly request: JsonObject;
  readonly reason: string;
  readonly at: Date;
}

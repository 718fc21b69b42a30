import { status } from "@grpc/grpc-js";

/** An answer that is an error: a handler throws it, the client gets the code and the text. */
export class GrpcFault extends Error {
  override readonly name = "GrpcFault";
  readonly code: status;
  readonly details: string;

  /** @param details The text as the runtime words it; may be empty, as Docker's sometimes is. */
  constructor(code: status, details: string) {
    super(`${status[code]}: ${details}`);
    this.code = code;
    this.details = details;
  }
}

export function notFound(details: string): GrpcFault {
  return new GrpcFault(status.NOT_FOUND, details);
}

/** UNKNOWN: what Go's gRPC makes of an error that nobody gave a code. */
export function unknown(details: string): GrpcFault {
  return new GrpcFault(status.UNKNOWN, details);
}

export function invalidArgument(details: string): GrpcFault {
  return new GrpcFault(status.INVALID_ARGUMENT, details);
}

/** A request that kills the daemon: no answer, every connection drops, then it comes back. */
export class DaemonCrash extends Error {
  override readonly name = "DaemonCrash";
}

import { status } from "@grpc/grpc-js";

/** An error response: a handler throws it, and the client receives the code and the text. */
export class GrpcFault extends Error {
  override readonly name = "GrpcFault";
  readonly code: status;
  readonly details: string;

  /** @param details The text in the runtime's words. May be empty, as it sometimes is with Docker. */
  constructor(code: status, details: string) {
    super(`${status[code]}: ${details}`);
    this.code = code;
    this.details = details;
  }
}

export function notFound(details: string): GrpcFault {
  return new GrpcFault(status.NOT_FOUND, details);
}

/** UNKNOWN, which Go's gRPC uses for errors without a code. */
export function unknown(details: string): GrpcFault {
  return new GrpcFault(status.UNKNOWN, details);
}

export function invalidArgument(details: string): GrpcFault {
  return new GrpcFault(status.INVALID_ARGUMENT, details);
}

/** A request crashes the daemon: no response, all connections drop, then it restarts. */
export class DaemonCrash extends Error {
  override readonly name = "DaemonCrash";
}

/** The fault to reject a call with. Anything but a fault is a bug of the fake or the test. */
export function asFault(error: unknown): GrpcFault {
  if (error instanceof GrpcFault) return error;
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return new GrpcFault(status.INTERNAL, `fake runtime: ${text}`);
}

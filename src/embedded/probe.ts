/**
 * Asks a starting runtime whether it serves: CRI lists, with an empty request.
 *
 * One gRPC call over HTTP/2 by hand (gRPC over HTTP/2 specification): no message is encoded and none
 * is decoded, so that neither the CRI's types nor its channel are needed before there is a runtime.
 */

import { connect as connectHttp2, constants } from "node:http2";
import { connect } from "node:net";

/** A list of CRI v1 whose request may be empty. */
export type ListRpc = "RuntimeService/ListPodSandbox" | "ImageService/ListImages";

/** What gRPC says when a service is not there: containerd could not load its CRI plugin. */
export class NotServedError extends Error {
  override readonly name = "NotServedError";
}

const unimplemented = "12";

/**
 * The bytes of the runtime's answer (a length-prefixed protobuf message; 5 bytes when it is empty).
 *
 * @throws {NotServedError} when the runtime answers but has no such service.
 * @throws {Error} when it does not answer yet, or with another status.
 */
export function probe(socket: string, rpc: ListRpc): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const session = connectHttp2("http://localhost", { createConnection: () => connect(socket) });
    const fail = (error: Error) => {
      session.destroy();
      reject(error);
    };
    session.on("error", fail);
    session.setTimeout(5_000, () => fail(new Error("no answer in 5 s")));
    const call = session.request({
      [constants.HTTP2_HEADER_METHOD]: "POST",
      [constants.HTTP2_HEADER_PATH]: `/runtime.v1.${rpc}`,
      [constants.HTTP2_HEADER_CONTENT_TYPE]: "application/grpc",
      [constants.HTTP2_HEADER_TE]: "trailers",
    });
    const chunks: Buffer[] = [];
    let status: string | undefined;
    let message: string | undefined;
    const readStatus = (headers: { readonly [name: string]: unknown }) => {
      status = headers["grpc-status"]?.toString() ?? status;
      message = headers["grpc-message"]?.toString() ?? message;
    };
    // An error without an answer has its status in the headers ("Trailers-Only").
    call.on("response", readStatus);
    call.on("trailers", readStatus);
    call.on("data", (chunk: Buffer) => chunks.push(chunk));
    call.on("error", fail);
    call.on("end", () => {
      session.close();
      if (status === "0") resolve(Buffer.concat(chunks));
      else if (status === unimplemented) fail(new NotServedError(message));
      else fail(new Error(`gRPC status ${status}: ${message}`));
    });
    // The request: not compressed, of no bytes.
    call.end(Buffer.alloc(5));
  });
}

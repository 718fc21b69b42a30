/**
 * The process that reads from the runtime itself, with grpc-js over one connection: what a gateway is
 * held against. Replies stay bytes, as nobody who reads over HTTP decodes here either.
 *
 * Arguments: the runtime's socket.
 */
import { Client, credentials } from "@grpc/grpc-js";
import { criSchema, encodeMessage } from "../../support/fake-runtime/schema.ts";
import { answer } from "../process/control.ts";
import { closedLoop } from "./closed-loop.ts";

const [, , socket] = process.argv;
const client = new Client(`unix:${socket}`, credentials.createInsecure(), {
  "grpc.max_receive_message_length": -1,
});
const asIs = (bytes: Buffer): Buffer => bytes;

answer("readGrpc", async ({ rpc, ids, clients, durationMs }) => {
  const message = criSchema().message(`${rpc}Request`);
  const requests = ids.map((id) =>
    Buffer.from(encodeMessage(message, rpc === "ListContainers" ? { filter: { id } } : { containerId: id })),
  );
  const path = `/runtime.v1.RuntimeService/${rpc}`;
  const call = (request: Buffer): Promise<void> =>
    new Promise((resolve, reject) => {
      client.makeUnaryRequest(path, asIs, asIs, request, (error) => (error ? reject(error) : resolve()));
    });
  return closedLoop({ clients, durationMs }, async (worker, turn) => {
    const request = requests[(worker + turn * clients) % requests.length];
    if (request) await call(request);
  });
});

/**
 * The gateway that one would write first: fastify, @grpc/proto-loader, and the decoded object as the
 * answer. No authentication, no limits, no order.
 *
 * Arguments: the runtime's socket.
 */
import "../process/control.ts";
import { join } from "node:path";
import { type Client, credentials, loadPackageDefinition, type ServiceError } from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import Fastify from "fastify";
import { repositoryRoot } from "../../support/repository.ts";
import { loaderOptions } from "./proto-loader.ts";

type Method = (request: object, done: (error: ServiceError | null, reply: object) => void) => void;
type Service = new (
  ...options: ConstructorParameters<typeof Client>
) => Client & {
  readonly ListContainers: Method;
  readonly ContainerStatus: Method;
};

const [, , socket] = process.argv;
const definition = loadSync(join(repositoryRoot(), "proto/runtime/v1/api.proto"), loaderOptions);
const { runtime } = loadPackageDefinition(definition) as unknown as {
  readonly runtime: { readonly v1: { readonly RuntimeService: Service } };
};
const client = new runtime.v1.RuntimeService(`unix:${socket}`, credentials.createInsecure(), {
  "grpc.max_receive_message_length": -1,
});

function call(method: "ListContainers" | "ContainerStatus", request: object): Promise<object> {
  return new Promise((resolve, reject) => {
    client[method](request, (error, reply) => (error ? reject(error) : resolve(reply)));
  });
}

const app = Fastify();
app.get<{ Querystring: { id?: string } }>("/v1/containers", async ({ query: { id } }, reply) =>
  reply.send(await call("ListContainers", id === undefined ? {} : { filter: { id } })),
);
app.get<{ Params: { id: string } }>("/v1/containers/:id", async ({ params: { id } }, reply) =>
  reply.send(await call("ContainerStatus", { containerId: id })),
);
await app.listen({ host: "127.0.0.1", port: 0 });

/** What any gateway of this kind needs: fastify that listens, and a grpc-js client. */
import "../process/control.ts";
import { Client, credentials } from "@grpc/grpc-js";
import Fastify from "fastify";

const [, , socket] = process.argv;
const client = new Client(`unix:${socket}`, credentials.createInsecure());
const app = Fastify();
app.get("/", async () => ({ target: client.getChannel().getTarget() }));
await app.listen({ host: "127.0.0.1", port: 0 });

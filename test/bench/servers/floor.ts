/** The floor: a node:http server that sends the same JSON, written before anyone asked. */
import { createServer } from "node:http";
import { writeReply } from "../../../src/cri/codec.ts";
import { createBufferPool } from "../../../src/wire/buffer-pool.ts";
import { criSchema, encodeMessage } from "../../support/fake-runtime/schema.ts";
import { containerStatus, containers } from "../population.ts";
import { answer } from "../process/control.ts";

const pool = createBufferPool();

function textOf(method: "ListContainers" | "ContainerStatus", reply: object): Buffer {
  const wire = encodeMessage(criSchema().message(`${method}Response`), reply);
  const { bytes, release } = writeReply(`RuntimeService/${method}`, wire, pool);
  const copy = Buffer.from(bytes);
  release();
  return copy;
}

const listOf = (count: number): Buffer => textOf("ListContainers", { containers: containers(count) });

const status = textOf("ContainerStatus", { status: containerStatus() });
let list = listOf(1);

const server = createServer((request, response) => {
  const text = request.url?.startsWith("/v1/containers/") ? status : list;
  response.writeHead(200, { "content-type": "application/json", "content-length": text.length });
  response.end(text);
});
server.listen(0, "127.0.0.1");

answer("hold", (count) => {
  list = listOf(count);
  return undefined;
});

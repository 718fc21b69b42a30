import { once } from "node:events";
import { createServer } from "node:http";
import { test } from "node:test";
import { keepHalfOpen } from "../../../../src/server/node/half-open.ts";
import { listen, request } from "./bare-server.ts";

test("keepHalfOpen() lets a client that has ended its side have its response", async (t) => {
  const server = createServer(async ({ socket }, response) => {
    await once(socket, "end");
    response.end("a late response");
  });
  keepHalfOpen(server);
  const open = await listen(t, server);
  const client = await open();
  client.socket.end(request("GET /"));
  await client.until(/^HTTP\/1\.1 200 .*a late response/s);
});

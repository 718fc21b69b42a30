import { createServer } from "node:http";
import { test } from "node:test";
import { ignoreExpectations } from "../../../../src/server/node/expectations.ts";
import { listen, request } from "./bare-server.ts";

test("ignoreExpectations() answers a request with an unknown Expect as one without", async (t) => {
  const server = createServer((_request, response) => response.end("a response"));
  ignoreExpectations(server);
  const open = await listen(t, server);
  await (await open(request("GET /", "Expect: a-miracle"))).until(/^HTTP\/1\.1 200 .*a response/s);
});

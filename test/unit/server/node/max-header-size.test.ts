import { createServer } from "node:http";
import { test } from "node:test";
import { limitHeaders } from "../../../../src/server/node/max-header-size.ts";
import { listen, request } from "./bare-server.ts";

test("limitHeaders() gives each connection the limit of when it was opened", async (t) => {
  let limitBytes = 64 * 1024;
  const server = createServer((_request, response) => response.end("a response"));
  limitHeaders(server, () => limitBytes);
  const open = await listen(t, server);
  // Longer than Node's default of 16 KiB.
  const long = request("GET /", `X-Long: ${"a".repeat(32 * 1024)}`);
  const early = await open(long);
  await early.until(/^HTTP\/1\.1 200 /);
  limitBytes = 1024;
  await (await open(request("GET /", `X-Long: ${"a".repeat(4 * 1024)}`))).until(/^HTTP\/1\.1 431 /);
  early.socket.write(long);
  await early.until(/a response.*a response/s);
});

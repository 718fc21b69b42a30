import { createServer } from "node:http";
import { test } from "node:test";
import { isHttp } from "../../../../src/server/node/other-protocols.ts";
import { listen, request } from "./bare-server.ts";

test("isHttp() has a request of RTSP refused like one that the parser refuses", async (t) => {
  const server = createServer((incoming, response) => {
    if (isHttp(server, incoming)) response.end("a response");
  });
  server.on("clientError", (_error, socket) => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n"));
  const open = await listen(t, server);
  await (await open(request("GET /"))).until(/^HTTP\/1\.1 200 .*a response/s);
  await (await open("SETUP / RTSP/1.0\r\nHost: a\r\n\r\n")).until(/^HTTP\/1\.1 400 /);
});

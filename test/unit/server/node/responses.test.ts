import assert from "node:assert/strict";
import { createServer, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { closeQueued, detachResponse } from "../../../../src/server/node/responses.ts";
import { eventually } from "../../../support/eventually.ts";
import { listen, request } from "./bare-server.ts";

test("closeQueued() has every response of a closed connection emit close", async (t) => {
  const closed = new Set<string>();
  const responses: ServerResponse[] = [];
  const server = createServer(({ url = "", socket }, response) => {
    responses.push(response);
    response.once("close", () => closed.add(url));
    socket.once("close", () => closeQueued(response));
  });
  const open = await listen(t, server);
  const { socket } = await open(["/1", "/2", "/3"].map((path) => request(`GET ${path}`)).join(""));
  await eventually(() => responses.length === 3);
  socket.resetAndDestroy();
  await eventually(() => closed.size === 3);
  assert.ok(responses.every(({ destroyed }) => destroyed));
});

test("detachResponse() lets go of a response while its connection lives on", async (t) => {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  const connections: Socket[] = [];
  const responses: WeakRef<ServerResponse>[] = [];
  const server = createServer();
  server.on("upgrade", (message, stream) => {
    const socket = stream as Socket;
    // As the plugin for WebSockets does.
    const response = new ServerResponse(message);
    response.assignSocket(socket);
    responses.push(new WeakRef(response));
    detachResponse(response, socket);
    connections.push(socket);
  });
  const open = await listen(t, server);
  await open(request("GET /", "Connection: Upgrade", "Upgrade: x"));
  await eventually(() => {
    collect();
    return responses.length === 1 && responses[0]?.deref() === undefined;
  });
  assert.equal(connections[0]?.destroyed, false);
});

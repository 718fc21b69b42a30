import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import { type TestContext, test } from "node:test";
import { serveHalfClosed } from "../../../src/server/half-closed.ts";
import { noteResponse } from "../../../src/server/pending-responses.ts";
import { eventually } from "../../support/eventually.ts";
import { type Client, listen, request } from "./node/bare-server.ts";

const idleMs = 200;

/** A client that has ended its side after its request, and the response that has not begun. */
async function halfClosed(
  t: TestContext,
  version = "1.1",
): Promise<{ readonly client: Client; readonly response: ServerResponse }> {
  const server = createServer(({ socket }, response) => noteResponse(socket, response));
  serveHalfClosed(server, { idleMs });
  const open = await listen(t, server);
  const asked = once(server, "request");
  const client = await open();
  client.socket.end(request("GET /").replace("1.1", version));
  const [{ socket }, response] = await asked;
  await eventually(() => socket.readableEnded);
  return { client, response };
}

for (const version of ["1.1", "1.0"]) {
  test(`serveHalfClosed() ends an idle response over HTTP/${version} whose client may have left`, async (t) => {
    const { client, response } = await halfClosed(t, version);
    response.write("the first item");
    await client.until(/the first item/);
    // Its side is ended already, so this tells the server nothing.
    client.socket.destroy();
    await once(response, "close");
    assert.equal(response.writableFinished, false);
  });
}

test("serveHalfClosed() lets a response go on while something is written", async (t) => {
  const { client, response } = await halfClosed(t);
  for (let item = 0; item < 10; item++) {
    response.write(`item ${item}.`);
    await client.until(new RegExp(`item ${item}\\.`));
    await new Promise((resolve) => setTimeout(resolve, idleMs / 4));
  }
  response.end("the last item");
  await client.until(/the last item/);
});

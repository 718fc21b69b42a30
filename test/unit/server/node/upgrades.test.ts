import assert from "node:assert/strict";
import { createServer } from "node:http";
import { test } from "node:test";
import { isUpgraded, upgradeOnly } from "../../../../src/server/node/upgrades.ts";
import { listen, request } from "./bare-server.ts";

const upgradeTo = (protocol: string): string =>
  request("GET /", "Connection: Upgrade", `Upgrade: ${protocol}`);

test("upgradeOnly() upgrades what is accepted, and lets other upgrades be requests", async (t) => {
  const asked: string[] = [];
  const IncomingMessage = upgradeOnly(({ headers }) => {
    asked.push(headers.upgrade ?? "");
    return headers.upgrade === "known";
  });
  const seen: boolean[] = [];
  const server = createServer({ IncomingMessage }, (message, response) => {
    seen.push(isUpgraded(message));
    response.end("a response");
  });
  server.on("upgrade", (message, socket) => {
    seen.push(isUpgraded(message));
    socket.end("HTTP/1.1 101 Switching Protocols\r\n\r\n");
  });
  server.on("connect", (_message, socket) => socket.end("HTTP/1.1 405 No\r\n\r\n"));
  const open = await listen(t, server);
  const other = await open(upgradeTo("h2c"));
  await other.until(/^HTTP\/1\.1 200 .*a response/s);
  other.socket.write(upgradeTo("h2c"));
  await other.until(/a response.*a response/s);
  await (await open(upgradeTo("known"))).until(/^HTTP\/1\.1 101 /);
  await (await open(request("GET /"))).until(/^HTTP\/1\.1 200 /);
  await (await open("CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n")).until(/^HTTP\/1\.1 405 /);
  assert.deepEqual(asked, ["h2c", "h2c", "known"], "asked once each, and only for upgrades");
  assert.deepEqual(seen, [false, false, true, false]);
});

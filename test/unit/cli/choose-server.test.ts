import assert from "node:assert/strict";
import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { chooseServer } from "../../../src/cli/server/choose-server.ts";
import { recordLocalGateway } from "../../../src/local-gateway.ts";
import { tempDir } from "../../support/temp-dir.ts";

test("without a name it is the gateway that uses the data folder", async (t) => {
  const folder = await tempDir(t);
  const tokenFile = join(folder, "token");
  writeFileSync(tokenFile, "secret\n", { mode: 0o600 });
  const around = { env: { CREST_DATA_DIR: folder }, uid: 0, cwd: "/" };
  assert.throws(() => chooseServer({}, around), /^StartError: No gateway is running with the data folder/);

  const forget = await recordLocalGateway(folder, { address: "http://127.0.0.1:18585", tokenFile });
  const { address, token } = chooseServer({}, around);
  assert.deepEqual([address, token], ["http://127.0.0.1:18585", "secret"]);

  const other = chooseServer({}, { ...around, env: { ...around.env, CREST_TOKEN: "other" } });
  assert.equal(other.token, "other");
  await forget();
  assert.throws(() => chooseServer({}, around), /No gateway is running/);
});

test("a record that others may write is not read", async (t) => {
  const folder = await tempDir(t);
  await recordLocalGateway(folder, { address: "http://127.0.0.1:18585", tokenFile: "/dev/null" });
  chmodSync(join(folder, "gateway.json"), 0o666);
  assert.throws(
    () => chooseServer({}, { env: { CREST_DATA_DIR: folder }, uid: 0, cwd: "/" }),
    /^StartError: Cannot read which gateway uses/,
  );
});

test("a server is a URL or a Unix socket, and needs a token", async (t) => {
  const folder = await tempDir(t);
  writeFileSync(join(folder, "token"), "secret\n", { mode: 0o600 });
  const around = { env: {}, uid: 0, cwd: folder };
  const token = { "token-file": "token" };
  const socket = chooseServer({ server: "unix:run/crest.sock", ...token }, around);
  assert.deepEqual(
    [socket.url, socket.transport.socketPath],
    ["http://localhost", join(folder, "run/crest.sock")],
  );
  assert.equal(
    chooseServer({ server: "unix:///run/crest.sock", ...token }, around).address,
    "unix:/run/crest.sock",
  );
  assert.equal(
    chooseServer({ ...token }, { ...around, env: { CREST_SERVER: "https://node1:8585/" } }).address,
    "https://node1:8585",
  );
  assert.throws(
    () => chooseServer({ server: "node1:8585", ...token }, around),
    /--server=node1:8585: write a URL, http:\/\/node1:8585 or/,
  );
  assert.throws(
    () => chooseServer({ server: "http://node1:8585" }, around),
    /No token for http:\/\/node1:8585/,
  );
  assert.throws(
    () => chooseServer({ server: "http://node1", "token-file": "absent" }, around),
    /Cannot read the token/,
  );
});

test("a token in the clear is told of, except on this machine", async (t) => {
  const folder = await tempDir(t);
  writeFileSync(join(folder, "token"), "secret\n", { mode: 0o600 });
  const warningOf = (server: string): string | undefined =>
    chooseServer({ server, "token-file": "token" }, { env: {}, uid: 0, cwd: folder }).warning;
  for (const server of [
    "http://localhost:1",
    "http://127.1.2.3",
    "http://[::1]:1",
    "https://node1",
    "unix:x",
  ])
    assert.equal(warningOf(server), undefined, server);
  for (const server of [
    "http://node1:8585",
    "http://10.0.0.7",
    "http://localhost.example",
    "http://127.example",
  ])
    assert.match(warningOf(server) ?? "", /^the token travels in the clear to http:/, server);
});

test("a token that no server can have is refused without being repeated", async (t) => {
  const folder = await tempDir(t);
  const around = { env: {}, uid: 0, cwd: folder };
  for (const text of ["", "two words", "s\u00e9cret", "x".repeat(65_536)]) {
    writeFileSync(join(folder, "token"), text, { mode: 0o600 });
    assert.throws(
      () => chooseServer({ server: "http://127.0.0.1", "token-file": "token" }, around),
      (error: Error) => error.name === "StartError" && (text === "" || !error.message.includes(text)),
    );
  }
});

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
    [socket.url, socket.transport],
    ["http://localhost", { socketPath: join(folder, "run/crest.sock") }],
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
    /--server=node1:8585: write a URL/,
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

import assert from "node:assert/strict";
import { existsSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { eventually } from "../support/eventually.ts";
import { freePort } from "../support/free-port.ts";
import { rawRequest } from "../support/raw-request.ts";
import { tempDir, withTempDir } from "../support/temp-dir.ts";

test("eventually() gives what the condition returns once it holds", async () => {
  let asked = 0;
  assert.equal(await eventually(() => (++asked === 3 ? "yes" : undefined)), "yes");
  assert.equal(asked, 3);
  await eventually(() => {
    assert.ok(++asked > 5);
    return true;
  });
  assert.equal(asked, 6);
});

test("eventually() gives up with the last failure as the cause", async () => {
  const waiting = eventually(() => assert.equal(1, 2, "still one"), { timeoutMs: 30 });
  await assert.rejects(waiting, (error: Error) => {
    assert.match(error.message, /does not hold after 30 ms: still one/);
    assert.ok(error.cause instanceof assert.AssertionError);
    return true;
  });
  await assert.rejects(
    eventually(() => false, { timeoutMs: 1 }),
    /does not hold/,
  );
});

test("withTempDir() removes the folder, also after a failure", async () => {
  let kept = "";
  await withTempDir(async (folder) => {
    kept = folder;
    writeFileSync(join(folder, "file"), "x");
  });
  assert.equal(existsSync(kept), false);
  const failing = withTempDir(async (folder) => {
    kept = folder;
    throw new Error("on purpose");
  });
  await assert.rejects(failing, /on purpose/);
  assert.equal(existsSync(kept), false);
});

test("tempDir() removes the folder when the test ends", async (t) => {
  let folder = "";
  await t.test("inner", async (inner) => {
    folder = await tempDir(inner);
    assert.ok(existsSync(folder));
  });
  assert.equal(existsSync(folder), false);
});

test("rawRequest() sends bytes and gives all that comes back, over a port and over a Unix socket", async (t) => {
  const folder = await tempDir(t);
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.once("data", (bytes) => socket.end(Buffer.concat([Buffer.from("got "), bytes])));
  });
  t.after(() => server.close());
  const port = await freePort();
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  assert.equal((await rawRequest(port, "a\r\n")).toString(), "got a\r\n");

  const other = createServer((socket) => socket.write("hello "));
  t.after(() => other.close());
  const path = join(folder, "socket");
  await new Promise<void>((resolve) => other.listen(path, resolve));
  const seen = await rawRequest(path, Uint8Array.of(0xff), { until: (bytes) => bytes.includes("hello") });
  assert.equal(seen.toString(), "hello ");
  await assert.rejects(rawRequest(path, "x", { timeoutMs: 50 }), /after 50 ms there is "hello "/);
});

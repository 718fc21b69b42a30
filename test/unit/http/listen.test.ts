import assert from "node:assert/strict";
import { mkdirSync, openSync, readFileSync, renameSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { StartError } from "../../../src/errors.ts";
import { listenOn, stopListening } from "../../../src/http/listen.ts";
import { tempDir } from "../../support/temp-dir.ts";

const plain = { hasTls: false };

function aServer(t: TestContext): Server {
  const server = createServer();
  t.after(() => stopListening(server));
  return server;
}

const refused = (where: string, why: string) =>
  new StartError(`Cannot listen on ${where}: ${why}, choose another with --listen`);

test("listenOn() takes nothing away but sockets that nobody answers", async (t) => {
  const folder = await tempDir(t);
  const file = join(folder, "notes.txt");
  writeFileSync(file, "precious");
  mkdirSync(join(folder, "folder"));
  symlinkSync(file, join(folder, "link"));
  for (const name of ["notes.txt", "folder", "link"]) {
    const path = join(folder, name);
    const listening = listenOn(aServer(t), { path }, plain);
    await assert.rejects(listening, refused(path, "there is something that is no socket"));
  }
  assert.equal(readFileSync(file, "utf8"), "precious");
});

test("listenOn() takes the place of a socket that is dead, not of one that is answered", async (t) => {
  const path = join(await tempDir(t), "socket");
  // A server that is closed removes its socket: this one has lost sight of it.
  const killed = aServer(t);
  await listenOn(killed, { path: `${path}.moved` }, plain);
  renameSync(`${path}.moved`, path);
  await assert.rejects(listenOn(aServer(t), { path }, plain), refused(path, "something else listens there"));
  await stopListening(killed);
  assert.ok(statSync(path).isSocket());
  assert.equal(await listenOn(aServer(t), { path }, plain), `unix:${path}`);
});

test("listenOn() says that the folder of a socket is missing", async (t) => {
  const path = join(await tempDir(t), "none", "socket");
  const listening = listenOn(aServer(t), { path }, plain);
  await assert.rejects(listening, refused(path, "its folder does not exist"));
});

test("sockets are their owner's only, and the process keeps its umask", async (t) => {
  const folder = await tempDir(t);
  const before = process.umask();
  const paths = ["one", "two", "three"].map((name) => join(folder, name));
  await Promise.all(paths.map((path) => listenOn(aServer(t), { path }, plain)));
  assert.equal(process.umask(), before);
  for (const path of paths) assert.equal(statSync(path).mode & 0o777, 0o600);
});

test("a descriptor that is no socket is refused in a sentence", async (t) => {
  const file = openSync("/dev/null", "r");
  await assert.rejects(listenOn(aServer(t), { fd: file }, plain), {
    name: "StartError",
    message: new RegExp(
      `^Cannot listen on fd:${file}: no socket was passed as this descriptor \\(E[A-Z]+\\)`,
    ),
  });
});

test("a port that is taken is refused with the address", async (t) => {
  const address = await listenOn(aServer(t), { host: "127.0.0.1", port: 0 }, plain);
  const port = Number(new URL(address).port);
  const listening = listenOn(aServer(t), { host: "127.0.0.1", port }, plain);
  await assert.rejects(listening, refused(`127.0.0.1:${port}`, "something else listens there"));
});

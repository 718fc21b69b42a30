import assert from "node:assert/strict";
import { once } from "node:events";
import {
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer, type Server } from "node:http";
import { connect } from "node:net";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { Worker } from "node:worker_threads";
import { unixPathLimitBytes } from "../../../src/config/addresses.ts";
import { StartError } from "../../../src/errors.ts";
import { listenOn, stopListening } from "../../../src/server/listen.ts";
import { eventually } from "../../support/eventually.ts";
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
    await assert.rejects(listening, refused(path, "a file that is not a socket is in the way"));
  }
  assert.equal(readFileSync(file, "utf8"), "precious");
});

test("listenOn() takes the place of a socket that is dead, not of one that is answered", async (t) => {
  const path = join(await tempDir(t), "socket");
  // A server that is closed removes its socket: this one has lost sight of it.
  const killed = aServer(t);
  await listenOn(killed, { path: `${path}.moved` }, plain);
  renameSync(`${path}.moved`, path);
  await assert.rejects(listenOn(aServer(t), { path }, plain), refused(path, "the address is in use"));
  await stopListening(killed);
  assert.ok(statSync(path).isSocket());
  assert.equal(await listenOn(aServer(t), { path }, plain), `unix:${path}`);
});

test("listenOn() says that the folder of a socket is missing", async (t) => {
  const path = join(await tempDir(t), "none", "socket");
  const listening = listenOn(aServer(t), { path }, plain);
  await assert.rejects(listening, refused(path, "its folder does not exist"));
});

test("listenOn() makes sockets for their owner only, without touching the process's umask", async (t) => {
  const folder = await tempDir(t);
  const path = join(folder, "socket");
  const umask = process.umask(0);
  t.after(() => process.umask(umask));
  const set = t.mock.method(process, "umask");
  const modes: number[] = [];
  // Looks at the socket while listenOn() works, from the first moment at which it is in its place.
  const looking = setImmediate(function look() {
    if (existsSync(path)) modes.push(statSync(path).mode & 0o777);
    else setImmediate(look);
  });
  t.after(() => clearImmediate(looking));
  await listenOn(aServer(t), { path }, plain);
  await eventually(() => modes.length === 1);
  assert.deepEqual(modes, [0o600]);
  assert.equal(set.mock.callCount(), 0);
  assert.deepEqual(readdirSync(folder), ["socket"]);
});

test("listenOn() takes a path of 107 bytes, the longest of a Unix socket", async (t) => {
  const folder = await tempDir(t);
  const path = join(folder, "s".repeat(unixPathLimitBytes - folder.length - 1));
  const server = aServer(t);
  assert.equal(await listenOn(server, { path }, plain), `unix:${path}`);
  await once(connect(path), "connect").then(() => server.closeAllConnections());
});

test("stopListening() removes the socket, and leaves one that has taken its place", async (t) => {
  const path = join(await tempDir(t), "socket");
  const server = aServer(t);
  await listenOn(server, { path }, plain);
  await stopListening(server);
  assert.equal(existsSync(path), false);

  const earlier = aServer(t);
  await listenOn(earlier, { path }, plain);
  renameSync(path, `${path}.moved`);
  await listenOn(aServer(t), { path }, plain);
  await stopListening(earlier);
  assert.ok(statSync(path).isSocket());
});

test("listenOn() works in a worker thread", async (t) => {
  const path = join(await tempDir(t), "socket");
  const module = new URL(`../../../src/server/listen${import.meta.url.slice(-3)}`, import.meta.url);
  const worker = new Worker(
    `import { createServer } from "node:http";
    import { workerData, parentPort } from "node:worker_threads";
    const { listenOn, stopListening } = await import(workerData.module);
    const server = createServer();
    parentPort.postMessage(await listenOn(server, { path: workerData.path }, { hasTls: false }));
    await stopListening(server);`,
    { eval: true, workerData: { module: module.href, path } },
  );
  const [address] = await once(worker, "message");
  assert.equal(address, `unix:${path}`);
  await once(worker, "exit");
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
  await assert.rejects(listening, refused(`127.0.0.1:${port}`, "the address is in use"));
});

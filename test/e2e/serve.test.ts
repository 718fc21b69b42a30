/** How `crest serve` comes to its runtime, its address and its token. */
import assert from "node:assert/strict";
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { after, test } from "node:test";
import { createDaemon } from "../../src/embedded/daemon.ts";
import { pathsOf } from "../../src/embedded/paths.ts";
import { eventually } from "../support/eventually.ts";
import { bodyOf, createApi, problemOf } from "./support/api.ts";
import { newFolder, readyLine, removeFolder, startGateway } from "./support/gateway.ts";
import { reasonToSkip } from "./support/machine.ts";
import { crestCommand, type Ended, type Program, runToEnd, start } from "./support/program.ts";
import { useRuntime } from "./support/suite.ts";

const skip = await reasonToSkip();

const { dataDir, runtime: embedded } = useRuntime(skip);
/** Token, sockets and data of the gateways. */
const folder = newFolder();
const programs: Program[] = [];
after(async () => {
  for (const program of programs) await stop(program).catch(() => undefined);
  await removeFolder(folder);
});

async function stop(program: Program): Promise<Ended> {
  program.killGroup("SIGTERM");
  return await program.ended;
}

const inFront = () => `--runtime-endpoint=${embedded().socket}`;
const modeOf = (path: string) => (statSync(path).mode & 0o777).toString(8);

/** Asserts that a start was refused in one sentence, and answers it. */
function refusalOf({ code, stdout, stderr }: Ended): string {
  assert.deepEqual([code, stdout], [1, ""], stderr);
  assert.match(stderr, /^crest: \S/);
  assert.doesNotMatch(stderr, /^\s+at /m);
  return stderr;
}

test("a Unix socket is its owner's only, wants the token too, and is gone afterwards", { skip }, async () => {
  const socket = join(folder, "crest.sock");
  const crest = await startGateway("serve", { listen: `unix:${socket}`, args: [inFront(), "--allow-read"] });
  try {
    assert.equal(crest.address, `unix:${socket}`);
    assert.ok(statSync(socket).isSocket());
    assert.equal(modeOf(socket), "600");
    bodyOf(await crest.get("/v1/version"));
    const stranger = createApi(crest.address, "wrong");
    problemOf(await stranger.get("/v1/version"), 401, "unauthenticated");
    stranger.close();

    // The lines that it printed, as they would be pasted.
    const lines = crest.process
      .stdout()
      .split("\n")
      .filter((line) => line.startsWith("  curl "));
    assert.equal(lines.length, 3);
    for (const line of lines) {
      assert.match(line, /--unix-socket/);
      const { code, stdout, stderr } = await runToEnd(["bash", "-c", `${line.trim()} --silent --fail`]);
      assert.equal(code, 0, `${line}: ${stderr}`);
      assert.match(stdout, /containerd|busybox|"items":/);
    }
  } finally {
    await crest.close();
  }
  assert.ok(!existsSync(socket));
});

test("a socket file that nobody answers is replaced, one that is answered is not taken", {
  skip,
}, async () => {
  const listen = `unix:${join(folder, "again.sock")}`;
  const first = await startGateway("serve", { listen, args: [inFront()] });
  first.process.kill("SIGKILL");
  await first.process.exit;
  assert.ok(existsSync(join(folder, "again.sock")));
  const second = await startGateway("serve", { listen, args: [inFront()] });
  try {
    const third = await runToEnd(
      crestCommand("serve", inFront(), `--listen=${listen}`, `--data-dir=${folder}`),
    );
    assert.match(refusalOf(third), /Cannot listen on .*again\.sock: the address is in use/);
    assert.equal((await second.get("/livez")).status, 200);
  } finally {
    await Promise.all([first.close(), second.close()]);
  }
});

test("the token is made for its owner only, in a folder that is its owner's only", { skip }, async () => {
  const made = join(folder, "made", "deeper");
  const crest = await startGateway("serve", { dataDir: made, args: [inFront()] });
  assert.deepEqual([modeOf(join(made, "token")), modeOf(made)], ["600", "700"]);
  assert.match(readFileSync(join(made, "token"), "utf8"), /^[A-Za-z0-9_-]{43}\n$/);
  await crest.close();
});

test("a token of one's own is taken, and stays what it is", { skip }, async () => {
  const path = join(folder, "own-token");
  writeFileSync(path, "a-token-of-my-own\n", { mode: 0o600 });
  const program = start(
    crestCommand(
      "serve",
      inFront(),
      `--data-dir=${folder}`,
      "--listen=127.0.0.1:0",
      `--token-file=${path}`,
      "-A",
    ),
  );
  programs.push(program);
  const [, address = ""] = await program.until(readyLine);
  const api = createApi(address, "a-token-of-my-own");
  bodyOf(await api.get("/v1/version"));
  api.close();
  assert.equal((await stop(program)).code, 0);
  assert.equal(readFileSync(path, "utf8"), "a-token-of-my-own\n");
});

test("a token file that others may read, that is empty or too short stops the start", { skip }, async () => {
  const long = "long-enough-for-a-token\n";
  const attempts = [
    ...[0o644, 0o640, 0o604].map((mode) => ({
      text: long,
      mode,
      says: `has mode ${mode.toString(8)}, so others can read it`,
    })),
    { text: "", mode: 0o600, says: "is empty, as earlier versions left it on a full disk: run rm" },
    ...["short\n", "two tokens in one file\n"].map((text) => ({
      ...{ text, mode: 0o600 },
      says: "must hold one token of at least 16 printable characters",
    })),
  ];
  const refusals = attempts.map(async ({ text, mode, says }, index) => {
    const path = join(folder, `bad-token-${index}`);
    writeFileSync(path, text);
    chmodSync(path, mode);
    const flags = [inFront(), `--data-dir=${folder}`, "--listen=127.0.0.1:0", `--token-file=${path}`];
    const refusal = refusalOf(await runToEnd(crestCommand("serve", ...flags)));
    assert.ok(refusal.startsWith(`crest: The token file ${path} ${says}`), refusal);
  });
  await Promise.all(refusals);
});

test("a token file that cannot be read or made is one sentence", { skip }, async () => {
  const isFolder = join(folder, "is-a-folder");
  mkdirSync(isFolder, { mode: 0o700 });
  for (const [path, refusal] of [
    [isFolder, `Cannot read the token file ${isFolder}: EISDIR`],
    [
      "/dev/null/token",
      "Cannot create the token file /dev/null/token: ENOTDIR, choose another with --token-file or --data-dir",
    ],
    [
      "/dev/null/none/token",
      "Cannot create the token file /dev/null/none/token: ENOTDIR, choose another with --token-file or --data-dir",
    ],
  ] as const) {
    const flags = [inFront(), `--data-dir=${folder}`, "--listen=127.0.0.1:0", `--token-file=${path}`];
    assert.equal(refusalOf(await runToEnd(crestCommand("serve", ...flags))), `crest: ${refusal}\n`);
  }
});

test("a socket that its user may not open is said to be one, and who may", { skip }, async () => {
  const mine = newFolder();
  chmodSync(mine, 0o755);
  const socket = join(mine, "runtime.sock");
  const listener = createServer();
  await new Promise<void>((resolve) => listener.listen(socket, resolve));
  chmodSync(socket, 0o660);
  const data = join(mine, "data");
  mkdirSync(data, { mode: 0o700 });
  chownSync(data, 65534, 65534);
  const crest = crestCommand(
    ...["serve", `--runtime-endpoint=${socket}`, `--data-dir=${data}`, "--listen=127.0.0.1:0"],
  );
  const program = start(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", ...crest]);
  programs.push(program);
  await program.until(
    / {2}runtime {2}\S+ cannot be opened, permission denied: run Crest as root or in group 0$/m,
  );
  assert.equal((await stop(program)).code, 0);
  await new Promise((resolve) => listener.close(resolve));
  await removeFolder(mine);
});

/** `crest serve` without an endpoint, on a machine whose /run holds what `script` puts there. */
function discovering(script: string): Program {
  const inside = `mount -t tmpfs none /run && ${script} && exec "$@"`;
  const crest = crestCommand("serve", `--data-dir=${folder}`, "--listen=127.0.0.1:0", "--allow-read");
  const program = start(["unshare", "--mount", "--propagation=private", "sh", "-c", inside, "sh", ...crest]);
  programs.push(program);
  return program;
}

test("the first socket that answers is the runtime, in the order of the well-known ones", {
  skip,
}, async () => {
  const link = (path: string) => `mkdir -p "$(dirname ${path})" && ln -s ${embedded().socket} ${path}`;
  const crio = discovering(link("/run/crio/crio.sock"));
  await crio.until(/ {2}runtime {2}containerd \S+ at \/run\/crio\/crio\.sock\n/);
  assert.equal((await stop(crio)).code, 0);
  const both = discovering(`${link("/run/crio/crio.sock")} && ${link("/run/containerd/containerd.sock")}`);
  await both.until(/ {2}runtime {2}containerd \S+ at \/run\/containerd\/containerd\.sock\n/);
  assert.equal((await stop(both)).code, 0);
});

test("when none answers, the refusal lists what was tried and why each failed", { skip }, async () => {
  const script = "mkdir -p /run/containerd /run/crio && touch /run/containerd/containerd.sock";
  const refusal = refusalOf(await discovering(script).ended);
  assert.match(refusal, /No container runtime answers on this node/);
  const tried = refusal.split("\n").filter((line) => line.startsWith("  "));
  assert.deepEqual(tried, [
    "  /run/containerd/containerd.sock: is not a socket",
    "  /run/crio/crio.sock: does not exist",
    "  /var/run/cri-dockerd.sock: does not exist",
    "  /run/k3s/containerd/containerd.sock: does not exist",
    "  /var/snap/microk8s/common/run/containerd.sock: does not exist",
  ]);
  assert.match(refusal, /--runtime-endpoint/);
});

test("a runtime that was named and is not there yet is waited for", { skip }, async () => {
  const socket = join(folder, "later.sock");
  const program = start(
    crestCommand(
      ...["serve", `--runtime-endpoint=${socket}`, "--allow-read"],
      ...[`--data-dir=${folder}`, "--listen=127.0.0.1:0"],
    ),
  );
  programs.push(program);
  const waiting = /^Crest listens at (\S+), but its runtime does not answer yet\n {2}runtime {2}(.*)$/m;
  const [, address = "", trouble] = await program.until(waiting);
  assert.equal(
    trouble,
    `${socket} does not exist: start the runtime, or name its socket with --runtime-endpoint`,
  );
  const api = createApi(address, readFileSync(join(folder, "token"), "utf8").trim());
  assert.equal((await api.get("/livez")).status, 200);
  assert.equal((await api.get("/readyz")).status, 503);
  problemOf(await api.get("/v1/version"), 503, "runtime_unavailable");
  assert.doesNotMatch(program.stdout(), readyLine);
  symlinkSync(embedded().socket, socket);
  assert.equal((await program.until(readyLine))[1], address);
  assert.equal((await api.get("/readyz")).status, 200);
  bodyOf(await api.get("/v1/version"));
  api.close();
  assert.equal((await stop(program)).code, 0);
});

// The last one: its daemon is another one than the others'.
test("callers do not notice that the runtime's daemon restarts, readiness does", { skip }, async () => {
  const crest = await startGateway("serve", { args: [inFront(), "-A"] });
  try {
    const first = bodyOf(
      await crest.post<{ podSandboxId: string }>("/v1/pods", { metadata: { name: "first" } }),
      201,
    );
    process.kill(embedded().pid, "SIGKILL");
    await embedded().exited;
    const pods = crest.get<{ items: readonly { id: string }[] }>("/v1/pods");
    const images = crest.get("/v1/images");
    const run = crest.post("/v1/pods", { metadata: { name: "second" } });
    assert.equal((await crest.get("/readyz")).status, 503);
    await createDaemon(pathsOf(dataDir));
    assert.ok(bodyOf(await pods).items.some(({ id }) => id === first.podSandboxId));
    bodyOf(await images);
    bodyOf(await run, 201);
    await eventually(async () => (await crest.get("/readyz")).status === 200);
  } finally {
    await crest.close();
  }
});

/** The process: what `crest` prints, refuses, starts and leaves behind. */
import assert from "node:assert/strict";
import { mkdirSync, readFileSync, symlinkSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { after, test } from "node:test";
import { listProcesses, type ProcessInfo } from "../../src/embedded/processes.ts";
import type { ListPodSandboxResponse } from "../../src/gen/messages.ts";
import { version } from "../../src/version.ts";
import { eventually } from "../support/eventually.ts";
import { freePort } from "../support/free-port.ts";
import { type Api, bodyOf, createApi } from "./support/api.ts";
import { newFolder, readyLine, removeFolder } from "./support/gateway.ts";
import { reasonToSkip } from "./support/machine.ts";
import { runContainer, runPod } from "./support/pods.ts";
import {
  crestCommand,
  type Ended,
  type Program,
  type ProgramOptions,
  runToEnd,
  start,
} from "./support/program.ts";
import { allKinds, kindsOf, marksOf, tracesOf } from "./support/traces.ts";

const skip = await reasonToSkip();

const folders: string[] = [];
const programs: Program[] = [];
const apis: Api[] = [];
after(async () => {
  for (const api of apis) api.close();
  for (const program of programs) {
    program.killGroup("SIGTERM");
    await program.ended;
  }
  for (const folder of folders) await removeFolder(folder);
});

function folderForTest(): string {
  const folder = newFolder();
  folders.push(folder);
  return folder;
}

const upOn = (dataDir: string, listen = "127.0.0.1:0") =>
  crestCommand("up", `--data-dir=${dataDir}`, `--listen=${listen}`);

interface Up {
  readonly program: Program;
  readonly address: string;
  readonly api: Api;
}

/** `crest up` in a terminal of its own, once it serves. */
async function up(dataDir: string): Promise<Up> {
  const program = start(upOn(dataDir));
  const [, address = ""] = await program.until(readyLine);
  programs.push(program);
  const api = createApi(address, readFileSync(join(dataDir, "token"), "utf8").trim());
  apis.push(api);
  return { program, address, api };
}

/** A pod with a host port and a running container, and what marks it on the machine. */
async function populate({ api }: Up, dataDir: string): Promise<readonly string[]> {
  const hostPort = await freePort();
  const pod = await runPod(api, { portMappings: [{ containerPort: 80, hostPort }] });
  const container = await runContainer(api, pod);
  const marks = marksOf(dataDir, [pod.id, container.id]);
  assert.deepEqual(kindsOf(tracesOf(marks)), allKinds);
  return marks;
}

/** Ends it as `signal` does, and asserts that it ended in order. */
async function endBy({ program }: Up, signal: NodeJS.Signals): Promise<Ended> {
  program.killGroup(signal);
  const ended = await program.ended;
  programs.splice(programs.indexOf(program), 1);
  assert.deepEqual([ended.code, ended.signal], [0, null], ended.stderr);
  assert.ok(ended.stdout.includes(`${signal}: stopping\n`), ended.stdout);
  return ended;
}

/** The containerd of a data folder, if it runs: no longer the shell that became it. */
function containerdOf(dataDir: string): ProcessInfo | undefined {
  return listProcesses().find(
    ({ argv }) => argv[0] === "containerd" && argv[2] === join(dataDir, "containerd.toml"),
  );
}

/** Asserts that a start was refused: nothing on stdout, one message without a stack trace. */
function refusalOf({ code, stdout, stderr }: Ended): string {
  assert.deepEqual([code, stdout], [1, ""], stderr);
  assert.match(stderr, /^crest: \S/);
  assert.doesNotMatch(stderr, /^\s+at |node:internal/m);
  return stderr;
}

test("crest up says where it is and where the token is, and its lines work when pasted", {
  skip,
}, async () => {
  const dataDir = folderForTest();
  const { program, address } = await up(dataDir);
  await program.until(/Ctrl-C stops it/);
  assert.match(address, /^http:\/\/127\.0\.0\.1:\d+$/);
  const printed = program.stdout();
  assert.match(printed, /^Starting containerd \d+\.\d+\.\d+\nImporting busybox:\S+ and pause:1\n/);
  assert.match(printed, new RegExp(`^  token    ${join(dataDir, "token")}$`, "m"));
  assert.match(
    printed,
    new RegExp(`^  runtime  containerd \\S+ at ${join(dataDir, "containerd.sock")}$`, "m"),
  );
  assert.match(printed, /^ {2}grants {3}EVERYTHING: /m);

  const commands = printed.split("\n").filter((line) => /^ {2}CREST_DATA_DIR=\S+ \S+main\.js /.test(line));
  assert.equal(commands.length, 3, printed);
  for (const line of commands) {
    const { code, stdout, stderr } = await runToEnd(["bash", "-c", line]);
    assert.equal(code, 0, `${line}\n${stderr}`);
    assert.match(stdout, /\S/);
  }
  const [, named] = /run -d --name=(\S+) /.exec(printed) ?? [];
  const remove = `${commands[0]?.replace(/ version$/, "")} rmp -f ${named}`;
  assert.equal((await runToEnd(["bash", "-c", remove])).code, 0, remove);

  const lines = printed.split("\n").filter((line) => line.startsWith("  curl "));
  const outputs: unknown[] = [];
  for (const line of lines) {
    const { code, stdout, stderr } = await runToEnd(["bash", "-c", line]);
    assert.equal(code, 0, `${line}\n${stderr}`);
    outputs.push(JSON.parse(stdout));
  }
  const [ofVersion, ofImages, ofPod] = outputs as [object, { images: object[] }, { podSandboxId: string }];
  assert.equal(outputs.length, 3);
  assert.ok("runtimeVersion" in ofVersion);
  assert.equal(ofImages.images.length, 2);
  assert.match(ofPod.podSandboxId, /^[0-9a-f]{64}$/);
});

test("Ctrl-C removes running pods and leaves no process, mount, namespace, link, rule or cgroup", {
  skip,
}, async () => {
  const dataDir = folderForTest();
  const crest = await up(dataDir);
  const marks = await populate(crest, dataDir);
  crest.program.killGroup("SIGINT");
  // Impatience changes nothing.
  const { stdout } = await endBy(crest, "SIGINT");
  assert.match(stdout, /Removing pods\n$/);
  assert.deepEqual(tracesOf(marks), []);

  const again = start(upOn(dataDir));
  programs.push(again);
  await again.until(readyLine);
  assert.doesNotMatch(
    again.stdout(),
    /Importing|Cleaning up/,
    "images stay, and there is nothing to clean up",
  );
});

test("a terminal that is closed ends it as Ctrl-C does", { skip }, async () => {
  const dataDir = folderForTest();
  const crest = await up(dataDir);
  const marks = await populate(crest, dataDir);
  await endBy(crest, "SIGHUP");
  assert.deepEqual(tracesOf(marks), []);
});

test("a reader of its output that goes away does not end it", { skip }, async () => {
  const dataDir = folderForTest();
  const port = await freePort();
  const piped = start(["bash", "-c", '"$@" | head -n 1', "bash", ...upOn(dataDir, `127.0.0.1:${port}`)]);
  await piped.until(/^Starting containerd/);
  const api = createApi(`http://127.0.0.1:${port}`, "none");
  apis.push(api);
  await eventually(async () => (await api.get("/livez")).status === 200, { timeoutMs: 30_000 });
  const crests = listProcesses().filter(
    ({ argv }) => argv.includes(`--data-dir=${dataDir}`) && argv[2] === "up",
  );
  assert.equal(crests.length, 1);
  process.kill(crests[0]?.pid ?? 0, "SIGTERM");
  await piped.ended;
  assert.deepEqual(tracesOf([dataDir]), []);
});

test("Ctrl-C while it starts is obeyed once there is something to stop, and leaves nothing", {
  skip,
}, async () => {
  const dataDir = folderForTest();
  const program = start(upOn(dataDir));
  await eventually(() => containerdOf(dataDir), { timeoutMs: 30_000 });
  program.killGroup("SIGINT");
  const { code, stdout, stderr } = await program.ended;
  assert.equal(code, 0, stderr);
  assert.match(stdout, /SIGINT: stopping\n$/);
  assert.deepEqual(tracesOf([dataDir]), []);
});

test("what a killed gateway left is cleaned up by the next one on its folder", { skip }, async () => {
  const dataDir = folderForTest();
  const killed = await up(dataDir);
  const marks = await populate(killed, dataDir);
  killed.program.killGroup("SIGKILL");
  await killed.program.ended;
  programs.splice(programs.indexOf(killed.program), 1);
  assert.deepEqual(kindsOf(tracesOf(marks)), allKinds, "the runtime and its pods outlive a kill");

  const next = await up(dataDir);
  assert.match(next.program.stdout(), /^Cleaning up after a gateway that was killed\n/);
  assert.deepEqual(bodyOf(await next.api.get<ListPodSandboxResponse>("/v1/pods")).items, []);
  const idMarks = marks.filter((mark) => /^[0-9a-f]{64}$/.test(mark));
  assert.deepEqual(tracesOf(idMarks), []);
  await runPod(next.api);
  await endBy(next, "SIGINT");
  assert.deepEqual(tracesOf(marks), []);
});

test("a second gateway on the same folder is refused with the pid of the first", { skip }, async () => {
  const dataDir = folderForTest();
  const crest = await up(dataDir);
  const refusal = refusalOf(await runToEnd(upOn(dataDir)));
  assert.ok(
    refusal.startsWith(`crest: The data folder is in use by process ${crest.program.pid}: `),
    refusal,
  );
  await runPod(crest.api);
  await endBy(crest, "SIGTERM");
});

test("a private runtime that is killed comes back with its pods, and Ctrl-C leaves nothing", {
  skip,
}, async () => {
  const dataDir = folderForTest();
  const crest = await up(dataDir);
  const marks = await populate(crest, dataDir);
  const pid = containerdOf(dataDir)?.pid ?? 0;
  process.kill(pid, "SIGKILL");
  await eventually(() => ![undefined, pid].includes(containerdOf(dataDir)?.pid), { timeoutMs: 30_000 });
  await crest.program.until(/^containerd serves again, and its pods are as they were$/m);
  const { items } = bodyOf(await crest.api.get<ListPodSandboxResponse>("/v1/pods"));
  assert.deepEqual(
    items.map(({ id, state }) => [marks.includes(id), state]),
    [[true, "SANDBOX_READY"]],
  );
  const { stdout } = await endBy(crest, "SIGINT");
  assert.match(stdout, /^containerd was ended by SIGKILL; it is started again$/m);
  assert.deepEqual(tracesOf(marks), []);
});

test("a port that is taken is one sentence, and leaves no runtime behind", { skip }, async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const port = typeof address === "object" ? address?.port : 0;
  const dataDir = folderForTest();
  const { code, stderr } = await runToEnd(upOn(dataDir, `127.0.0.1:${port}`));
  server.close();
  assert.equal(code, 1);
  const sentence = `Cannot listen on 127.0.0.1:${port}: the address is in use, choose another with --listen`;
  assert.equal(stderr, `crest: ${sentence}\n`);
  assert.deepEqual(tracesOf([dataDir]), []);
});

/** As a user who is not root, who yet may read the program wherever it lies. */
function asNobody(argv: readonly string[], options: ProgramOptions = {}): Promise<Ended> {
  const user = ["--reuid=65534", "--regid=65534", "--clear-groups"];
  const rights = ["--inh-caps=+dac_override", "--ambient-caps=+dac_override"];
  return runToEnd(["setpriv", ...user, ...rights, ...argv], options);
}

test("without root crest up is refused in one sentence", { skip }, async () => {
  const home = folderForTest();
  for (const argv of [upOn(home), crestCommand("up"), crestCommand("up", "--install")]) {
    const refusal = refusalOf(await asNobody(argv, { env: { HOME: home, XDG_STATE_HOME: undefined } }));
    assert.equal(refusal, "crest: The embedded containerd needs root, but this is user 65534\n");
  }
});

const command = "apt-get install -y --no-install-recommends";

test("what is missing is told with the exact command that installs it", { skip }, async () => {
  const bin = folderForTest();
  const dataDir = join(bin, "data");
  mkdirSync(join(bin, "bin"));
  const { stdout } = await runToEnd([
    "bash",
    "-c",
    "type -P runc iptables iptables-save iptables-restore ip umount",
  ]);
  for (const path of stdout.trim().split("\n"))
    symlinkSync(path, join(bin, "bin", path.slice(path.lastIndexOf("/") + 1)));
  const env = { PATH: join(bin, "bin") };
  const withoutContainerd = refusalOf(await runToEnd(upOn(dataDir), { env }));
  assert.match(withoutContainerd, /needs packages that are missing; run this, or start with --install:\n/);
  assert.deepEqual(commandsIn(withoutContainerd), [`${command} containerd`]);

  const hidden = 'mount -t tmpfs none /usr/lib/cni && exec "$@"';
  const unshared = ["unshare", "--mount", "--propagation=private", "/bin/sh", "-c", hidden, "sh"] as const;
  const withoutPlugins = refusalOf(await runToEnd([...unshared, ...upOn(dataDir)]));
  assert.deepEqual(commandsIn(withoutPlugins), [`${command} containernetworking-plugins`]);
});

/** The lines of a message that stand indented, to be copied. */
function commandsIn(message: string): readonly string[] {
  return message.split("\n").flatMap((line) => /^ {2}(\S.*)$/.exec(line)?.[1] ?? []);
}

test("crest --version prints the version, and crest version that of the client if there is no gateway", async () => {
  const text = `crest ${version} (CRI v1, Node ${process.version})\n`;
  const own = await runToEnd(crestCommand("--version"));
  assert.deepEqual([own.code, own.stdout, own.stderr], [0, text, ""]);
  const client = await runToEnd(crestCommand("version"), { env: { CREST_DATA_DIR: "/nonexistent" } });
  assert.deepEqual([client.code, client.stdout], [0, `Client  ${text}`]);
  assert.match(client.stderr, /No gateway is running/);
});

test("help is printed for crest and for each command, in lines that fit a terminal", async () => {
  const cases = [
    [[], "Usage: crest COMMAND [FLAGS]"],
    [["--help"], "Usage: crest COMMAND [FLAGS]"],
    [["help"], "Usage: crest COMMAND [FLAGS]"],
    [["up", "--help"], "--install"],
    [["serve", "--help"], "--runtime-endpoint=SOCKET"],
    [["help", "serve"], "--allow-read[=WHAT]"],
  ] as const;
  for (const [args, says] of cases) {
    const { code, stdout, stderr } = await runToEnd(crestCommand(...args));
    assert.deepEqual([code, stderr], [0, ""], args.join(" "));
    assert.ok(stdout.includes(says), stdout);
    assert.ok(stdout.split("\n").every((line) => line.length <= 100));
  }
});

test("what is unknown stops the start, and the nearest word is named", async () => {
  const cases = [
    [["up", "--lisen=127.0.0.1:1"], {}, ["--lisen: unknown flag", "--listen"]],
    [["serve", "--allow-reed"], {}, ["--allow-reed: unknown flag", "--allow-read"]],
    [["serve", "--allow-read=pod"], {}, ['"pod"', "pods"]],
    [["serve", "--install"], {}, ["--install", "crest up"]],
    [["sarve"], {}, ["sarve: unknown command", "serve"]],
    [["serve"], { CREST_LISEN: "127.0.0.1:1" }, ["CREST_LISEN", "unknown variable", "CREST_LISTEN"]],
    [["up"], { CREST_NOTHING_OF_OURS: "1" }, ["CREST_NOTHING_OF_OURS", "unknown variable"]],
    [["serve", "--listen=0.0.0.0:8585"], {}, ["0.0.0.0", "loopback"]],
    [["serve", "--allow-exec=demo/a/b"], {}, ["--allow-exec=demo/a/b", "NAMESPACE/POD"]],
  ] as const;
  for (const [args, env, words] of cases) {
    const refusal = refusalOf(await runToEnd(crestCommand(...args), { env }));
    for (const word of words) assert.ok(refusal.includes(word), refusal);
    assert.equal(refusal.trimEnd().split("\n").length, 1, refusal);
  }
});

test("variables are settings too, and what Kubernetes injects is none", async () => {
  const env = { CREST_LISTEN: "nowhere", CREST_SERVICE_HOST: "10.0.0.1", CREST_PORT: "tcp://10.0.0.1:80" };
  const refusal = refusalOf(await runToEnd(crestCommand("serve"), { env }));
  assert.match(refusal, /^crest: CREST_LISTEN=nowhere \(environment\): /);
});

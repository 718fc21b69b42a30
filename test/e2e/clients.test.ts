/** Programs that exist already, at the gateway: the Kubernetes client for JavaScript, client-go, curl. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough, Readable } from "node:stream";
import { after, test } from "node:test";
import { Attach, Exec, KubeConfig, PortForward, type V1Status } from "@kubernetes/client-node";
import { eventually } from "../support/eventually.ts";
import { repositoryRoot } from "../support/repository.ts";
import { type KubernetesPaths, serveKubernetesPaths } from "./clients/kubernetes-paths.ts";
import { exitCodeOf, type Query, type Status } from "./clients/session.ts";
import { anyProblemOf } from "./support/api.ts";
import { reasonToSkip } from "./support/machine.ts";
import { type Resource, runContainer, runPod, shell } from "./support/pods.ts";
import { useGateway } from "./support/suite.ts";

const skip = await reasonToSkip();
const skipGo = skip || withoutGo();
const busy = { timeoutMs: 30_000, intervalMs: 20 };
const httpPort = 8080;

let kubernetes: KubernetesPaths;
let shellContainer: Resource;
let answering: Resource;
const crest = useGateway(skip, {
  async prepare(gateway) {
    const pod = await runPod(gateway);
    shellContainer = await runContainer(
      gateway,
      pod,
      shell(`mkdir /tmp/www; echo hello >/tmp/www/index.html; exec httpd -f -p ${httpPort} -h /tmp/www`),
    );
    answering = await runContainer(gateway, pod, {
      ...shell('while read line; do echo "out $line"; echo "err $line" >&2; done'),
      stdin: true,
    });
    kubernetes = await serveKubernetesPaths(gateway, {
      web: { path: pod.path, containers: { shell: shellContainer.path, answering: answering.path } },
    });
  },
});
after(() => kubernetes?.close());

// --- @kubernetes/client-node ---

/** The client's configuration: a cluster where the paths are. */
function config(): KubeConfig {
  const kubeConfig = new KubeConfig();
  kubeConfig.loadFromClusterAndUser(
    // Without it the client takes no http.
    { name: "crest", server: kubernetes.address, skipTLSVerify: true },
    { name: "crest" },
  );
  return kubeConfig;
}

/** Gathers what is written to it. */
function sink(size: object = {}): PassThrough & { text(): string } {
  let text = "";
  const stream = new PassThrough().setEncoding("utf8");
  stream.on("data", (chunk: string) => {
    text += chunk;
  });
  return Object.assign(stream, size, { text: () => text });
}

interface NodeExec {
  readonly stdout: ReturnType<typeof sink>;
  readonly stderr?: ReturnType<typeof sink>;
  readonly stdin?: Readable;
  readonly tty?: boolean;
}

async function nodeExec(script: string, { stdout, stderr, stdin, tty = false }: NodeExec): Promise<V1Status> {
  const exec = new Exec(config());
  const words = ["sh", "-c", script];
  const [out, err, input] = [stdout, stderr ?? null, stdin ?? null];
  return await new Promise((resolve, reject) => {
    exec.exec("default", "web", "shell", words, out, err, input, tty, resolve).catch(reject);
  });
}

test("client-node Exec gets stdout, stderr and the exit code", { skip }, async () => {
  const [stdout, stderr] = [sink(), sink()];
  const status = await nodeExec("echo out; echo err >&2; exit 3", { stdout, stderr });
  assert.equal(exitCodeOf(status as Status), 3);
  assert.deepEqual([stdout.text(), stderr.text()], ["out\n", "err\n"]);
});

test("client-node Exec ends the command's input where its own ends", { skip }, async () => {
  const stdout = sink();
  const megabyte = Buffer.alloc(1024 * 1024, "x");
  const stdin = Readable.from(
    Array.from({ length: 32 }, (_, part) => megabyte.subarray(0, 32 * 1024 - part)),
  );
  const status = await nodeExec("wc -c", { stdout, stdin });
  assert.equal(status.status, "Success");
  assert.equal(Number(stdout.text()), 32 * 32 * 1024 - (31 * 32) / 2);
});

test("client-node Exec has a terminal of the size that its output has", { skip }, async () => {
  const stdout = sink({ columns: 97, rows: 31 });
  const status = await nodeExec('until [ "$(stty size 2>/dev/null)" = "31 97" ]; do :; done; echo sized', {
    ...{ stdout, stdin: new PassThrough(), tty: true },
  });
  assert.equal(status.status, "Success");
  assert.equal(stdout.text(), "sized\r\n");
});

test("client-node Attach talks to a container's own process", { skip }, async () => {
  const [stdout, stderr, stdin] = [sink(), sink(), new PassThrough()];
  const socket = await new Attach(config()).attach(
    "default",
    "web",
    "answering",
    stdout,
    stderr,
    stdin,
    false,
  );
  stdin.write("hello\n");
  await eventually(() => stdout.text() === "out hello\n" && stderr.text() === "err hello\n", busy);
  socket.close();
});

test("client-node PortForward carries an HTTP exchange", { skip }, async () => {
  const [output, errors, input] = [sink(), sink(), new PassThrough()];
  const client = new PortForward(config());
  const socket = await client.portForward("default", "web", [httpPort], output, errors, input);
  assert.ok(typeof socket === "object" && socket !== null);
  input.write("GET / HTTP/1.0\r\n\r\n");
  await eventually(() => output.text().endsWith("\r\n\r\nhello\n"), busy);
  assert.match(output.text(), /^HTTP\/1\.1 200 OK\r\n/);
  assert.equal(errors.text(), "");
  socket.close();
});

// --- client-go ---

/** Why client-go cannot be built here, or false. */
function withoutGo(): string | false {
  const { stdout } = spawnSync("go", ["env", "GOVERSION"], { encoding: "utf8" });
  const wanted = /^go (\d+)\.(\d+)/m.exec(readFileSync(join(goFolder(), "go.mod"), "utf8")) ?? [];
  const found = /^go(\d+)\.(\d+)/.exec(stdout ?? "");
  if (found === null) return "needs Go, which is not installed";
  const isOld = Number(found[1]) < Number(wanted[1]) || Number(found[2]) < Number(wanted[2]);
  return isOld && `needs Go ${wanted[1]}.${wanted[2]}, and this is ${found[0]}`;
}

function goFolder(): string {
  return join(repositoryRoot(), "test", "e2e", "clients", "go");
}

/** Settles with the program. Building begins at once, beside the tests above: the first time it takes a minute. */
const goProgram = skipGo === false ? buildGo() : Promise.reject(new Error(skipGo));
goProgram.catch(() => undefined);

async function buildGo(): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "crest-go-"));
  after(() => rmSync(folder, { recursive: true, force: true }));
  const program = join(folder, "client");
  const build = spawn("go", ["build", "-o", program, "."], {
    cwd: goFolder(),
    env: { ...process.env, GOTOOLCHAIN: "local", GOFLAGS: "-mod=readonly -buildvcs=false" },
    stdio: ["ignore", "ignore", "pipe"],
  });
  after(() => build.kill());
  const { code, stderr } = await finished(build);
  assert.equal(code, 0, stderr);
  return program;
}

interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

async function finished(child: ChildProcess, input?: string | Buffer): Promise<Finished> {
  const texts = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const) {
    child[name]?.setEncoding("utf8").on("data", (text: string) => {
      texts[name] += text;
    });
  }
  child.stdin?.on("error", () => undefined).end(input);
  const code = await new Promise<number | null>((resolve) => child.once("close", resolve));
  return { code, ...texts };
}

interface GoOptions {
  readonly streams: Query;
  readonly input?: string | Buffer;
  readonly size?: string;
}

async function go(
  path: string,
  words: readonly string[],
  { streams, input, size = "" }: GoOptions,
): Promise<Finished> {
  const url = new URL(path, crest().address);
  for (const word of words) url.searchParams.append("command", word);
  for (const [name, value] of Object.entries(streams)) url.searchParams.set(name, String(value));
  const child = spawn(await goProgram, [url.href], {
    env: { ...process.env, CREST_TOKEN: crest().token, CREST_SIZE: size },
    stdio: "pipe",
  });
  return await finished(child, input);
}

const goExec = (script: string, options: GoOptions) =>
  go(`${shellContainer.path}/exec`, ["sh", "-c", script], options);

test("client-go gets stdout, stderr and the exit code", { skip: skipGo }, async () => {
  const streams = { stdout: true, stderr: true };
  const result = await goExec("echo out; echo err >&2; exit 3", { streams });
  assert.deepEqual(result, { code: 3, stdout: "out\n", stderr: "err\n" });
});

test("client-go ends the command's input where its own ends", { skip: skipGo }, async () => {
  const streams = { stdin: true, stdout: true, stderr: true };
  const input = Buffer.alloc(16 * 1024 * 1024, "Crest and client-go. ");
  const { code, stdout, stderr } = await goExec("cat", { streams, input });
  assert.deepEqual([code, stderr], [0, ""]);
  assert.ok(stdout === input.toString());
});

test("client-go has a terminal of its size", { skip: skipGo }, async () => {
  const streams = { stdin: true, stdout: true, tty: true };
  const script = 'until [ "$(stty size 2>/dev/null)" = "31 97" ]; do :; done; echo sized; exit 4';
  const result = await goExec(script, { streams, size: "97x31" });
  assert.deepEqual([result.code, result.stderr], [4, ""]);
  assert.match(result.stdout, /sized\r\n$/);
});

test("client-go tells what the runtime says of a command that does not exist", { skip: skipGo }, async () => {
  const result = await go(`${shellContainer.path}/exec`, ["no-such-command"], { streams: { stdout: true } });
  assert.equal(result.code, 125);
  assert.match(result.stderr, /no-such-command/);
});

test("client-go attaches to a container's own process", { skip: skipGo }, async () => {
  const once = await runContainer(crest(), await runPod(crest()), {
    ...shell('read line; echo "out $line"'),
    // Otherwise the end of the client's input ends its output too: containerd detaches it.
    ...{ stdin: true, stdinOnce: true },
  });
  const streams = { stdin: true, stdout: true };
  const result = await go(`${once.path}/attach`, [], { streams, input: "hello\n" });
  assert.deepEqual(result, { code: 0, stdout: "out hello\n", stderr: "" });
});

// --- curl ---

test("curl without an upgrade is told 426 and what to do", { skip }, async () => {
  const url = `${crest().address}${shellContainer.path}/exec?command=true`;
  const args = ["-sS", "-i", "--http1.1", "-H", `Authorization: Bearer ${crest().token}`, url];
  const { code, stdout, stderr } = await finished(spawn("curl", args));
  assert.deepEqual([code, stderr], [0, ""]);
  const [head = "", body = ""] = stdout.split("\r\n\r\n");
  assert.match(head, /^HTTP\/1\.1 426 Upgrade Required\r\n/);
  assert.match(head, /^upgrade: websocket\r$/im);
  assert.match(head, /^content-type: application\/problem\+json\r?$/im);
  const problem = JSON.parse(body);
  assert.equal(problem.code, "upgrade_required");
  assert.match(problem.detail, /Upgrade: websocket/);
  assert.deepEqual(anyProblemOf(await crest().get(new URL(url).pathname)).code, "upgrade_required");
});

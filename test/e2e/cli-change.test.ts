/** `crest logs`, `pull`, `create`, `runp` and their ends on a real containerd. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { rmSync } from "node:fs";
import { after, before, test } from "node:test";
import { Interrupted } from "../../src/cli/terminal.ts";
import { buildImage } from "../../src/embedded/image.ts";
import { runCommand } from "../contract/run-command.ts";
import { crictlFiles } from "../support/crictl-files.ts";
import { cuttingProxy } from "../support/cutting-proxy.ts";
import { eventually } from "../support/eventually.ts";
import { type FakeTerminalOptions, fakeTerminal } from "../support/fake-terminal.ts";
import { type Registry, registryUser, startRegistry } from "../support/registry.ts";
import { type Gateway, startGateway } from "./support/gateway.ts";
import { push } from "./support/images.ts";
import { reasonToSkip } from "./support/machine.ts";
import { newName, removePod, runContainer, runPod, shell } from "./support/pods.ts";

const skip = await reasonToSkip({ registry: true });
let gateway: Gateway;
let registry: Registry;
const busy = { timeoutMs: 30_000, intervalMs: 50 };

before(async () => {
  if (skip) return;
  registry = await startRegistry({ auth: true });
  gateway = await startGateway("up");
});
after(async () => {
  await gateway?.close();
  await registry?.close();
  rmSync("/tmp/crest-crictl-files", { recursive: true, force: true });
});

const portOf = (address: string): number => Number(new URL(address).port);
const crest = (argv: readonly string[], options: FakeTerminalOptions = {}) =>
  runCommand({ port: portOf(gateway.address) }, argv, { ...options, token: gateway.token });

test("followed logs of two containers lose and repeat nothing over a connection that is cut", {
  skip,
}, async (t) => {
  const pod = await runPod(gateway, { metadata: { name: newName() } });
  const script =
    "i=0; while [ $i -lt 3000 ]; do echo line $i; i=$((i+1)); [ $((i%100)) = 0 ] && sleep 0.1; done";
  const one = await runContainer(gateway, pod, { metadata: { name: "one" }, ...shell(script) });
  const two = await runContainer(gateway, pod, { metadata: { name: "two" }, ...shell(`{ ${script}; } >&2`) });
  const proxy = await cuttingProxy(t, portOf(gateway.address));
  proxy.cutAfterBytes = 60_001;
  const { code, stdout, stderr } = await runCommand(
    { port: portOf(proxy.address) },
    ["logs", "-f", one.id, two.id, "--no-prefix"],
    { token: gateway.token },
  );
  assert.equal(code, 0);
  const lines = `${Array.from({ length: 3000 }, (_, index) => `line ${index}`).join("\n")}\n`;
  assert.equal(stdout, lines);
  assert.equal(stderr, lines);
  assert.ok(proxy.connections > 10, String(proxy.connections));
  await removePod(gateway, pod);
});

test("a pull draws a bar for each layer, and asks for a password", { skip }, async () => {
  const image = (bytes: number) =>
    buildImage({ entries: [{ kind: "file", path: "content", mode: 0o644, bytes: randomBytes(bytes) }] });
  const [reference = ""] = await push(registry, image(20_000_000), { name: "team/app", auth: registryUser });
  const refused = await crest(["pull", reference]);
  assert.equal(refused.code, 1);
  const terminal = fakeTerminal({ columns: 100 });
  terminal.stdin.write(`${registryUser.password}\r`);
  const asked = await runCommand(
    { port: portOf(gateway.address) },
    ["pull", "-u", registryUser.username, reference],
    { terminal, token: gateway.token },
  );
  assert.equal(asked.code, 0, asked.stderr);
  assert.match(asked.stdout, /^sha256:[0-9a-f]{64}\n$/);
  assert.match(asked.stderr, /\[[=> ]{10,50}\] +\S+/);
  assert.match(asked.stderr, new RegExp(`${reference}: pulled 20(\\.\\d)?MB in `));
  const again = await crest([
    "pull",
    "--creds",
    `${registryUser.username}:${registryUser.password}`,
    reference,
  ]);
  assert.equal(again.stdout, asked.stdout);
  assert.equal((await crest(["rmi", reference])).stdout, `${reference}\n`);
});

test("crictl's files run, and their pods stop and go", { skip }, async () => {
  const pod = crictlFiles.find(({ kind }) => kind === "pod");
  const container = crictlFiles.find(({ kind }) => kind === "container");
  const made = await crest(["runp", "-"], { input: pod?.text ?? "" });
  assert.equal(made.code, 0, made.stderr);
  const podId = made.stdout.trim();
  const created = await crest(["create", podId, "-", "pod-config.json"], { input: container?.text ?? "" });
  assert.equal(created.code, 0, created.stderr);
  const id = created.stdout.trim();
  const prefix = id.slice(0, 13);
  assert.deepEqual(await crest(["start", prefix]), { code: 0, stdout: `${prefix}\n`, stderr: "" });
  assert.match((await crest(["rm", prefix])).stderr, /is running: stop it first, or write --force/);
  assert.equal((await crest(["stop", "-t", "0", prefix])).code, 0);
  assert.deepEqual(await crest(["rm", prefix]), { code: 0, stdout: `${prefix}\n`, stderr: "" });
  assert.match((await crest(["rmp", podId])).stderr, /is running/);
  assert.equal((await crest(["stopp", podId])).code, 0);
  assert.deepEqual(await crest(["rmp", podId]), { code: 0, stdout: `${podId}\n`, stderr: "" });
});

test("a follower that waits ends with Ctrl-C", { skip }, async () => {
  const pod = await runPod(gateway);
  const { id } = await runContainer(gateway, pod, shell("echo begun; sleep 3600"));
  const stop = new AbortController();
  const terminal = fakeTerminal({ signal: stop.signal });
  const ended = runCommand({ port: portOf(gateway.address) }, ["logs", "-f", id], {
    terminal,
    token: gateway.token,
  });
  await eventually(() => terminal.stdout.text() === "begun\n", busy);
  stop.abort(new Interrupted("Stopped by Ctrl-C", 130));
  assert.equal((await ended).code, 130);
  await removePod(gateway, pod);
});

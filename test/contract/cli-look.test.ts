/** The commands that look at one thing: inspect, events, wait, post-mortem, info, version, whoami; and prune. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { parseAllDocuments } from "yaml";
import { version } from "../../src/version.ts";
import { eventually } from "../support/eventually.ts";
import { fakeTerminal } from "../support/fake-terminal.ts";
import { withLog } from "./container-log.ts";
import { liveGateway } from "./live-gateway.ts";
import { runCommand } from "./run-command.ts";

const manner = "containerd-2.1";
const managed = { "crest/managed": "true" };

test("inspect prints the API's answer, of several a list, and tells each failure", async (t) => {
  const gateway = await liveGateway(t, manner);
  const web = gateway.fake.addContainer({ name: "web" });
  const db = gateway.fake.addContainer({ name: "db" });
  const answer = (await gateway.ask(`GET /v1/containers/${web.id}`)).text;
  const one = await runCommand(gateway, ["inspect", web.id]);
  assert.equal(one.stdout.trimEnd(), answer.trimEnd());
  const onTerminal = await runCommand(gateway, ["inspect", web.id], { columns: 80 });
  assert.ok(onTerminal.stdout.startsWith('{\n  "status": {\n'));
  assert.deepEqual(JSON.parse(onTerminal.stdout), JSON.parse(answer));

  const several = await runCommand(gateway, ["inspect", web.id, "absent", db.id]);
  assert.equal(several.code, 1);
  assert.match(several.stderr, /^crest: Cannot find container "absent".*\n$/);
  const ids = JSON.parse(several.stdout).map(({ status }: { status: { id: string } }) => status.id);
  assert.deepEqual(ids, [web.id, db.id]);

  const yaml = await runCommand(gateway, ["inspectp", "-o", "yaml", web.podId, db.podId]);
  const documents = parseAllDocuments(yaml.stdout).map((one) => one.toJS().status.id);
  assert.deepEqual(documents, [web.podId, db.podId]);
  const image = await runCommand(gateway, ["inspecti", "-o", "jsonl", "busybox:1.36"]);
  assert.equal(image.stdout.split("\n").length, 2);
  assert.equal(JSON.parse(image.stdout).image.repoTags[0], "docker.io/library/busybox:1.36");
  for (const name of ["..", "", "a/../b", "%2e%2e", `${"x".repeat(65_536)}`])
    assert.equal((await runCommand(gateway, ["inspect", "--", name])).code, 1, name.slice(0, 20));
});

test("events has a line for each, and JSON as the API has it", async (t) => {
  const gateway = await liveGateway(t, manner);
  const pod = gateway.fake.addPod({ name: "web", namespace: "shop" });
  const { id } = gateway.fake.addContainer({ pod, name: "app", state: "exited", exitCode: 3 });
  const { stdout } = await runCommand(gateway, ["events"]);
  assert.match(stdout, new RegExp(`Z {2}pod\\.ready {10}shop/web {2}${pod.id.slice(0, 13)}\n`));
  assert.match(
    stdout,
    new RegExp(`Z {2}container\\.exited {3}shop/web/app {2}${id.slice(0, 13)} {2}code 3, Error\n`),
  );
  const json = await runCommand(gateway, ["events", "-o", "json", "-p", "web", "--filter", "type=container"]);
  assert.deepEqual(
    JSON.parse(json.stdout).items.map(({ type }: { type: string }) => type),
    ["container.exited"],
  );
  assert.match((await runCommand(gateway, ["events", "--filter", "typ=x"])).stderr, /did you mean type\?/);
  assert.match((await runCommand(gateway, ["events", "--since", "never"])).stderr, /Invalid since/);
});

test("events -f goes on until Ctrl-C", async (t) => {
  const gateway = await liveGateway(t, manner);
  const stop = new AbortController();
  const terminal = fakeTerminal({ columns: 80, hasColours: true, signal: stop.signal });
  const ended = runCommand(gateway, ["events", "-f", "--type", "container"], { terminal });
  await eventually(() => gateway.requests.some((entry) => "event" in entry && entry.event === "start"));
  const { id } = gateway.fake.addContainer({ name: "app\u001b[2J", state: "created" });
  await gateway.ask(`POST /v1/containers/${id}/start`);
  await eventually(() => terminal.stdout.text().includes("container.started"));
  stop.abort(new Error("Ctrl-C"));
  await assert.rejects(ended, /Ctrl-C/);
  const text = terminal.stdout.text();
  assert.ok(text.includes("\u001b[32mcontainer.started\u001b[39m  "), text);
  assert.ok(text.includes("app\\u001b[2J"), text);
});

test("wait prints the exit code of each in their order", async (t) => {
  const gateway = await liveGateway(t, manner);
  const first = gateway.fake.addContainer({ state: "running" });
  const second = gateway.fake.addContainer({ state: "exited", exitCode: 7 });
  const ended = runCommand(gateway, ["wait", first.id, second.id]);
  await eventually(() => gateway.requests.length >= 1);
  await gateway.fake.exitContainer(first.id, 3);
  assert.deepEqual(await ended, { code: 0, stdout: "3\n7\n", stderr: "" });

  const json = await runCommand(gateway, ["wait", "-o", "json", second.id, "absent"]);
  assert.equal(JSON.parse(json.stdout).exitCode, 7);
  assert.equal(json.code, 1);
  assert.match(json.stderr, /Cannot find container "absent"/);
  const running = gateway.fake.addContainer({ state: "running" });
  const late = await runCommand(gateway, ["wait", "--timeout=0", running.id]);
  assert.deepEqual([late.code, late.stdout], [1, ""]);
  assert.match(late.stderr, /is still running after 0 s/);
});

test("post-mortem says why a container ended", async (t) => {
  const gateway = await liveGateway(t, manner);
  const { container } = await withLog(gateway, manner, ["first", "boom \u001b[31m"], {
    container: { name: "app", state: "exited", exitCode: 3 },
  });
  const { stdout, code } = await runCommand(gateway, ["post-mortem", container.id]);
  assert.equal(code, 0);
  const [heading = "", , ...lines] = stdout.split("\n");
  assert.match(heading, /^demo\/web\/app: It exited with code 3; only its log can say why\.$/);
  const text = lines.join("\n");
  assert.match(text, new RegExp(`^Container {2,}${container.id.slice(0, 13)}, attempt 0$`, "m"));
  assert.match(text, /^Exit {2,}code 3, Error$/m);
  assert.match(text, /^Log, the last 2 lines$/m);
  assert.match(text, /^ {2}[\dT:.-]+ {2}stderr {2}boom \\u001b\[31m$/m);
  assert.match(text, /^Missing here$/m);
  const json = await runCommand(gateway, ["post-mortem", "-o", "json", "--tail", "1", container.id]);
  assert.equal(JSON.parse(json.stdout).log.length, 1);
  assert.match(
    (await runCommand(gateway, ["post-mortem", "--tail=x", "a"])).stderr,
    /--tail=x: write a whole number/,
  );
});

test("info summarises the runtime", async (t) => {
  const gateway = await liveGateway(t, manner);
  const { stdout } = await runCommand(gateway, ["info"], { columns: 80 });
  assert.match(stdout, /^Gateway {2,}http:\/\/127\.0\.0\.1:\d+\nRuntime {2,}containerd 2\.1/);
  assert.match(stdout, /^ {2}RuntimeReady: yes$/m);
  for (const line of stdout.split("\n")) assert.ok(line.length <= 80, line);
  const { text } = await gateway.ask("GET /v1/runtime/status");
  assert.equal((await runCommand(gateway, ["info", "-o", "json"])).stdout.trimEnd(), text.trimEnd());
  assert.match((await runCommand(gateway, ["info", "-v"])).stdout, /^Details of the runtime$/m);
});

test("version names the client, the gateway and the runtime, and the client alone without a gateway", async (t) => {
  const gateway = await liveGateway(t, manner);
  const { stdout } = await runCommand(gateway, ["version"]);
  assert.equal(
    stdout.replace(/containerd \S+/, "containerd"),
    `Client   crest ${version} (CRI v1, Node ${process.version})
Gateway  crest ${version} at http://127.0.0.1:${gateway.port}
Runtime  containerd (CRI v1)
`,
  );
  const json = JSON.parse((await runCommand(gateway, ["version", "-o", "json"])).stdout);
  assert.equal(json.server.runtime.runtimeName, "containerd");
  const absent = await runCommand({ port: 9 }, ["version"]);
  assert.equal(absent.code, 1);
  assert.match(absent.stdout, /^Client .*\n$/);
  assert.match(absent.stderr, /Cannot reach http:\/\/127\.0\.0\.1:9/);
});

test("whoami shows each grant with its scope, and what is not granted", async (t) => {
  const gateway = await liveGateway(t, manner, {
    grants: {
      all: false,
      allow: { read: ["pods", "stats:shop/*" as never], exec: ["shop/*"], pull: ["docker.io/library"] },
      deny: { exec: ["shop/db"] },
    },
  });
  const { stdout } = await runCommand(gateway, ["whoami"], { columns: 80 });
  assert.match(stdout, /^Caller {3}\S+\nGateway {2}http/);
  assert.match(stdout, /^exec +shop\/\* +shop\/db$/m);
  assert.match(stdout, /^read:pods +everything +-$/m);
  assert.match(stdout, /^pull +docker\.io\/library +-$/m);
  assert.match(stdout, /^Not granted\n {2}read:containers, .*host$/m);
  const { text } = await gateway.ask("GET /v1/grants");
  assert.equal((await runCommand(gateway, ["whoami", "-o", "json"])).stdout.trimEnd(), text.trimEnd());
});

test("prune asks, lists and removes", async (t) => {
  const gateway = await liveGateway(t, manner);
  const { fake } = gateway;
  const pods = () => fake.pods.size;
  const stopped = { state: "not ready", labels: managed } as const;
  fake.addPod({ name: "old", ...stopped });
  fake.addPod({ name: "older", namespace: "shop", ...stopped });
  fake.addPod({ name: "ready", labels: managed });

  const noTerminal = await runCommand(gateway, ["prune", "pods"]);
  assert.equal(noTerminal.code, 1);
  assert.match(noTerminal.stderr, /Cannot ask without a terminal: write -f to remove them, or --dry-run/);
  const listed = await runCommand(gateway, ["prune", "pods", "--dry-run"]);
  assert.match(listed.stdout, /shop\/older.*\n2 pods would be removed, \d+/s);
  const no = await runCommand(gateway, ["prune", "pods"], { columns: 80, input: "n\n" });
  assert.match(no.stderr, /Remove 2 pods, .*\? \[y\/N\] .*No pods were removed/s);
  const left = await runCommand(gateway, ["prune", "pods"], { columns: 80, input: "" });
  assert.match(left.stderr, /No pods were removed/);
  assert.equal(pods(), 3);

  const shop = await runCommand(gateway, ["prune", "pods", "--namespace", "shop"], {
    columns: 80,
    input: "y\n",
  });
  assert.match(shop.stdout, /shop\/older.*\nRemoved 1 pod, \d+/);
  assert.equal(pods(), 2);
  const json = await runCommand(gateway, ["prune", "pods", "-f", "-o", "json"]);
  assert.deepEqual(
    JSON.parse(json.stdout).pods.map(({ name, removed }: { name: string; removed: boolean }) => [
      name,
      removed,
    ]),
    [["old", true]],
  );
  const all = await runCommand(gateway, ["prune", "-f"]);
  assert.match(all.stdout, /^No pods to remove\nIMAGE /);
  assert.match(all.stdout, /Removed \d+ images?, [\d.]+[kM]?B\n$/);
  assert.match(
    (await runCommand(gateway, ["prune", "images", "--label", "a"])).stderr,
    /only for pods, write crest prune pods/,
  );
  assert.match((await runCommand(gateway, ["prune", "-o", "json"])).stderr, /write --dry-run or -f with it/);
  assert.match((await runCommand(gateway, ["prune", "pod"])).stderr, /pod: expected pods, images/);
});

/** What --show-curl prints, pasted into a shell, does what the command would have done. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { findCommand } from "../../src/cli/find-command.ts";
import { runCommand } from "../../src/cli/main.ts";
import { curlOf } from "../../src/cli/server/show-curl.ts";
import { fakeTerminal } from "../support/fake-terminal.ts";
import { tempDir } from "../support/temp-dir.ts";
import { liveGateway, token } from "./live-gateway.ts";

const skip = existsSync("/usr/bin/curl") ? false : "no curl here";

interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a text in sh, at most ten seconds long. */
function sh(text: string): Promise<Ran> {
  return new Promise((resolve) => {
    const child = execFile("/bin/sh", { timeout: 10_000 }, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : Number(error.code ?? 1), stdout, stderr }),
    );
    child.stdin?.end(text);
  });
}

async function curlFor(t: TestContext) {
  const gateway = await liveGateway(t);
  const folder = await tempDir(t);
  const tokenFile = join(folder, "it's the token");
  writeFileSync(tokenFile, `${token}\n`, { mode: 0o600 });
  const flags = [`--server=http://127.0.0.1:${gateway.port}`, `--token-file=${tokenFile}`, "--show-curl"];
  async function run(argv: readonly string[]) {
    const found = findCommand(argv);
    assert.ok(found.kind === "client");
    const terminal = fakeTerminal();
    const code = await runCommand(found.name, [...flags, ...found.argv], terminal);
    return { code, stdout: terminal.stdout.text(), stderr: terminal.stderr.text() };
  }
  return {
    gateway,
    folder,
    run,
    /** The command line for curl. Nothing was sent yet. */
    async shown(...argv: readonly string[]): Promise<string> {
      const before = gateway.requests.length;
      const { code, stdout, stderr } = await run(argv);
      assert.equal(code, 0, stderr);
      assert.match(stdout, /^curl /);
      assert.doesNotMatch(stdout, new RegExp(token));
      assert.equal(gateway.requests.length, before, "nothing was sent");
      return stdout;
    },
  };
}

test("commands that read: curl prints what the API answers", { skip }, async (t) => {
  const { gateway, shown } = await curlFor(t);
  const pod = gateway.fake.addPod({ name: "web", namespace: "demo" });
  const { id } = gateway.fake.addContainer({ pod, name: "app", state: "running" });
  const cases: readonly (readonly [argv: readonly string[], answer: RegExp])[] = [
    [["ps"], new RegExp(`"id":"${id}"`)],
    [["ps", "-a", "--filter", "label=a=b"], /^\{"containers":\[\]/],
    [["images"], /^\{"images":\[/],
    [["inspect", id], /"state":"CONTAINER_RUNNING"/],
    [["inspectp", pod.id], /"state":"SANDBOX_READY"/],
    [["info"], /\{/],
    [["whoami"], /"grant":"exec"/],
    [["events"], /\{"/],
    [["stats", "--no-stream", "-o", "json"], /\{/],
  ];
  for (const [argv, answer] of cases) {
    const line = await shown(...argv);
    const { stdout, stderr } = await sh(line);
    assert.match(stdout, answer, `${line}${stderr}`);
    assert.equal(stderr, "", line);
  }
});

test("commands that change: curl does the same, for each of several", { skip }, async (t) => {
  const { gateway, shown, folder } = await curlFor(t);
  const ids = ["one", "two"].map(
    (name) => gateway.fake.addContainer({ name, state: "running", pod: managed() }).id,
  );
  const stateOf = (id: string) => gateway.fake.containers.get(id)?.state;
  function managed() {
    return gateway.fake.addPod({ labels: { "crest/managed": "true" } });
  }
  const stop = await shown("stop", ...ids);
  assert.equal(stop.trimEnd().split("\n").length, 2, stop);
  assert.equal((await sh(stop)).code, 0);
  for (const id of ids) assert.equal(stateOf(id), "CONTAINER_EXITED");
  assert.equal((await sh(await shown("rm", ...ids))).code, 0);
  for (const id of ids) assert.equal(stateOf(id), undefined);

  const file = join(folder, "pod.yaml");
  writeFileSync(file, "metadata:\n  name: it's\n  namespace: '@demo'\n# ".padEnd(120_000, "x"));
  const created = await sh(await shown("runp", file));
  assert.match(created.stdout, /"podSandboxId":/, created.stderr);

  const [, running] = [managed(), gateway.fake.addContainer({ state: "running", pod: managed() })];
  const ran = await sh(await shown("exec", running.id, "echo", "it's", "$HOME"));
  assert.match(ran.stdout, /"stdout":"it's \$HOME\\n"/, ran.stderr);
});

test("a refusal makes curl fail, and prints the problem", { skip }, async (t) => {
  const { shown } = await curlFor(t);
  const { code, stdout } = await sh(await shown("inspect", "it's $(reboot)"));
  assert.equal(code, 22);
  assert.match(stdout, /"status":40[04].*it's \$\(reboot\)/);
});

test("what curl cannot do is said", async (t) => {
  const { gateway, run } = await curlFor(t);
  const { id, podId } = gateway.fake.addContainer({ state: "running" });
  for (const argv of [
    ["exec", "-i", id, "sh"],
    ["attach", id],
    ["port-forward", podId, "0:80"],
  ]) {
    const { code, stdout, stderr } = await run(argv);
    assert.notEqual(code, 0);
    assert.equal(stdout, "");
    assert.match(stderr, /curl cannot hold a session.*It is a WebSocket.* at ws:/, argv.join(" "));
  }
});

test("every way to a gateway is in the command line", () => {
  const server = {
    address: "https://node1/crest",
    url: "https://node1/crest",
    transport: {},
    token: "secret",
    files: { tokenFile: "/a b/token", caFile: "/ca", certFile: "/cert", keyFile: "/key" },
  };
  const get = { method: "GET", headers: { accept: "application/x-ndjson", authorization: "Bearer secret" } };
  assert.equal(
    curlOf(server, "https://node1/crest/v1/events?follow=true", get),
    `curl -sS --fail-with-body -N --cacert /ca --cert /cert --key /key -H "Authorization: Bearer $(cat '/a b/token')" -H 'Accept: application/x-ndjson' 'https://node1/crest/v1/events?follow=true'`,
  );
  const socket = { ...server, transport: { socketPath: "/run/it's" }, files: {}, url: "http://localhost" };
  const remove = { method: "DELETE", headers: { accept: "application/json" } };
  assert.equal(
    curlOf(socket, "http://localhost/v1/pods/a", remove),
    `curl -sS --fail-with-body --unix-socket '/run/it'\\''s' -H "Authorization: Bearer $CREST_TOKEN" -X DELETE http://localhost/v1/pods/a`,
  );
});

/** `crest logs` against a gateway. */
import assert from "node:assert/strict";
import { appendFile } from "node:fs/promises";
import { test } from "node:test";
import { Interrupted } from "../../src/cli/terminal.ts";
import { cuttingProxy } from "../support/cutting-proxy.ts";
import { eventually } from "../support/eventually.ts";
import { fakeTerminal } from "../support/fake-terminal.ts";
import { withLog } from "./container-log.ts";
import { liveGateway } from "./live-gateway.ts";
import { runCommand } from "./run-command.ts";

const manner = "containerd-2.1";

test("one container's lines are printed as they are, each to its stream", async (t) => {
  const gateway = await liveGateway(t, manner);
  const { container } = await withLog(gateway, manner, ["a \u001b[31mred\u001b[0m\r", "b", "", "ü \u0000"]);
  assert.deepEqual(await runCommand(gateway, ["logs", container.id]), {
    code: 0,
    stdout: "a \u001b[31mred\u001b[0m\r\n\n",
    stderr: "b\nü \u0000\n",
  });
  const tail = await runCommand(gateway, ["logs", "-t", "-n", "1", container.id]);
  assert.equal(tail.stderr, "2026-11-29T10:00:03.000000000Z ü \u0000\n");
  const json = await runCommand(gateway, ["logs", "-o", "jsonl", "--stream=stderr", container.id]);
  const items = json.stdout.trimEnd().split("\n");
  assert.deepEqual(
    items.map((line) => JSON.parse(line).text),
    ["b", "ü \u0000"],
  );
  const page = JSON.parse((await runCommand(gateway, ["logs", "-o", "json", container.id])).stdout);
  assert.deepEqual([page.lines.length, page.more], [4, false]);
});

test("bytes that are no text come out as they went in", async (t) => {
  const gateway = await liveGateway(t, manner);
  const { container, path } = await withLog(gateway, manner, []);
  const line = Buffer.from([0x61, 0xff, 0x00, 0xc3, 0x28, 0xef, 0xbf, 0xbd]);
  await appendFile(
    path,
    Buffer.concat([Buffer.from("2026-11-29T10:00:00Z stdout F "), line, Buffer.from("\n")]),
  );
  const terminal = fakeTerminal();
  const parts: Buffer[] = [];
  terminal.stdout._write = (part: Buffer, _encoding, done) => {
    parts.push(part);
    done();
  };
  assert.equal((await runCommand(gateway, ["logs", container.id], { terminal })).code, 0);
  assert.deepEqual(Buffer.concat(parts), Buffer.concat([line, Buffer.from("\n")]));
  const { stdout } = await runCommand(gateway, ["logs", "-o", "jsonl", "--limit-bytes=3", container.id]);
  const { truncated, base64 } = JSON.parse(stdout);
  assert.deepEqual([truncated, base64], [true, undefined]);
});

test("several containers are merged by time, each line with its pod and container", async (t) => {
  const gateway = await liveGateway(t, manner);
  const one = await withLog(gateway, manner, ["1", "-", "3"]);
  const two = await withLog(gateway, manner, ["2", "-", "4"], { name: "log" });
  const argv = ["logs", "--stream=stdout", one.container.id, two.container.id];
  assert.equal(
    (await runCommand(gateway, argv)).stdout,
    "web/app | 1\nweb/log | 2\nweb/app | 3\nweb/log | 4\n",
  );
  assert.equal((await runCommand(gateway, [...argv, "--no-prefix"])).stdout, "1\n2\n3\n4\n");
  const coloured = await runCommand(gateway, argv, { columns: 80, hasColours: true });
  const [first, second] = coloured.stdout.split("\n");
  assert.equal(first, "\u001b[36mweb/app |\u001b[39m 1");
  assert.equal(second, "\u001b[33mweb/log |\u001b[39m 2");
  const [item = ""] = (await runCommand(gateway, [...argv, "-o", "jsonl"])).stdout.split("\n");
  const { pod, container, text } = JSON.parse(item);
  assert.deepEqual([pod, container, text], ["web", "app", "1"]);
});

test("a pod, labels and a namespace select containers", async (t) => {
  const gateway = await liveGateway(t, manner);
  const { pod } = await withLog(gateway, manner, ["of web"], { labels: { app: "shop" } });
  await withLog(gateway, manner, ["of db"], { pod: "db", labels: { app: "store" } });
  const outputOf = async (...flags: string[]) => (await runCommand(gateway, ["logs", ...flags])).stdout;
  assert.equal(await outputOf("--pod", pod.id), "web/app | of web\n");
  assert.equal(await outputOf("-l", "app=store"), "db/app | of db\n");
  // Both lines have the same time.
  const both = await outputOf("--namespace", "demo", "--grep", "of");
  assert.deepEqual(both.split("\n").sort(), ["", "db/app | of db", "web/app | of web"]);
  assert.equal(await outputOf("--pod", "web", "-l", "app=store"), "");
});

test("flags that do not fit are refused before anything is sent", async (t) => {
  const gateway = await liveGateway(t, manner);
  for (const [argv, message] of [
    [["logs"], /name containers, or write --pod, --selector or --namespace, and not both/],
    [["logs", "a", "--pod", "b"], /and not both/],
    [["logs", "-p", "--pod", "b"], /--previous: only for containers that are named/],
    [["logs", "-f", "-o", "json", "a"], /write --output=jsonl/],
    [["logs", "--tail", "-5", "a"], /--tail/],
    [["logs", "--level", "wran", "a"], /--level=wran: did you mean warn\?/],
  ] as const) {
    const { code, stderr } = await runCommand(gateway, argv);
    assert.equal(code, 1);
    assert.match(stderr, message);
  }
  assert.equal(gateway.requests.length, 0);
});

test("a container that is not there is told, and the others are printed", async (t) => {
  const gateway = await liveGateway(t, manner);
  const { container } = await withLog(gateway, manner, ["here"]);
  for (const flags of [[], ["-f"]]) {
    const ended = await runCommand(gateway, ["logs", ...flags, "999", container.id, "--no-prefix"]);
    assert.deepEqual([ended.code, ended.stdout], [1, "here\n"]);
    assert.match(ended.stderr, /^crest: .*"999".*\n$/);
  }
});

test("30,000 lines come once and in order over connections that are cut", async (t) => {
  const gateway = await liveGateway(t, manner);
  const lines = Array.from({ length: 30_000 }, (_, index) => `line ${index}`);
  const { container } = await withLog(gateway, manner, lines);
  const proxy = await cuttingProxy(t, gateway.port);
  proxy.cutAfterBytes = 400_007;
  const through = { port: Number(new URL(proxy.address).port) };
  const { code, stdout, stderr } = await runCommand(through, ["logs", container.id]);
  assert.equal(code, 0);
  const even = lines.filter((_, index) => index % 2 === 0);
  const odd = lines.filter((_, index) => index % 2 === 1);
  assert.equal(stdout, `${even.join("\n")}\n`);
  assert.equal(stderr, `${odd.join("\n")}\n`);
  assert.ok(proxy.connections > 10, String(proxy.connections));
});

test("a slow reader is waited for", async (t) => {
  const gateway = await liveGateway(t, manner);
  const { container } = await withLog(gateway, manner, Array(200_000).fill("x".repeat(200)));
  const proxy = await cuttingProxy(t, gateway.port);
  const through = { port: Number(new URL(proxy.address).port) };
  const stop = new AbortController();
  const terminal = fakeTerminal({ signal: stop.signal });
  // Nobody reads.
  terminal.stdout._write = () => undefined;
  const ended = runCommand(through, ["logs", "--stream=stdout", container.id], { terminal });
  let before = -1;
  await eventually(
    () => {
      const isStill = proxy.bytes > 0 && proxy.bytes === before;
      before = proxy.bytes;
      return isStill;
    },
    { intervalMs: 300 },
  );
  assert.ok(proxy.bytes < 20_000_000, `${proxy.bytes} bytes`);
  stop.abort(new Interrupted("Stopped by Ctrl-C", 130));
  assert.equal((await ended).code, 130);
});

test("a follower prints what comes until Ctrl-C, which is exit code 130", async (t) => {
  const gateway = await liveGateway(t, manner);
  const running = { container: { state: "running" as const } };
  const one = await withLog(gateway, manner, ["begin"], running);
  const two = await withLog(gateway, manner, [], { ...running, name: "log" });
  const stop = new AbortController();
  const terminal = fakeTerminal({ signal: stop.signal });
  const argv = ["logs", "-f", one.container.id, two.container.id];
  const ended = runCommand(gateway, argv, { terminal });
  await eventually(() => terminal.stdout.text() === "web/app | begin\n");
  await appendFile(two.path, `${new Date().toISOString()} stdout F more\n`);
  await eventually(() => terminal.stdout.text() === "web/app | begin\nweb/log | more\n");
  stop.abort(new Interrupted("Stopped by Ctrl-C", 130));
  assert.equal((await ended).code, 130);
});

test("--show-curl asks for text", async (t) => {
  const gateway = await liveGateway(t, manner);
  const { stdout } = await runCommand(gateway, ["logs", "-f", "-n", "5", "web", "--show-curl"]);
  assert.match(
    stdout,
    /^curl .*-H 'Accept: text\/plain' .*\/v1\/containers\/web\/logs\?follow=true&tailLines=5'?\n$/,
  );
  const selected = await runCommand(gateway, ["logs", "-l", "app=web", "-t", "--show-curl"]);
  assert.match(selected.stdout, /\/v1\/logs\?labelSelector=app%3Dweb&timestamps=true'?\n$/);
  assert.equal(gateway.requests.length, 0);
});

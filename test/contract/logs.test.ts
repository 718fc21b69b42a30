/** Logs over HTTP: forms, parameters and mistakes, in front of every runtime. */
import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { get, type IncomingMessage } from "node:http";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { gunzipSync } from "node:zlib";
import { WebSocket } from "ws";
import { eventually } from "../support/eventually.ts";
import { mannerNames } from "../support/fake-runtime.ts";
import { withLog } from "./container-log.ts";
import { liveGateway, token } from "./live-gateway.ts";

const authorization = `Bearer ${token}`;
const json = { accept: "application/json" };
interface Item {
  readonly cursor: string;
  readonly text: string;
  readonly container?: string;
  readonly pod?: string;
  readonly level?: string;
  readonly fields?: object;
}

const itemsOf = (text: string): readonly Item[] =>
  text
    .trimEnd()
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line));

for (const manner of mannerNames) {
  test(`getContainerLogs answers the text and nothing else, and the other forms, on ${manner}`, async (t) => {
    const gateway = await liveGateway(t, manner);
    const { url } = await withLog(gateway, manner, ["one", "two", '{"level":"warn","msg":"three"}']);
    const plain = await gateway.ask(`GET ${url}`);
    assert.equal(plain.headers["content-type"], "text/plain");
    assert.equal(plain.text, 'one\ntwo\n{"level":"warn","msg":"three"}\n');
    const page = await gateway.ask(`GET ${url}`, undefined, json);
    assert.deepEqual(
      [page.at("lines.0.text"), page.at("lines.1.stream"), page.at("more")],
      ["one", "stderr", false],
    );
    assert.equal(page.at("lines.0.time"), "2026-11-29T10:00:00.000000000Z");
    assert.deepEqual([page.at("lines.2.level"), page.at("lines.2.fields.msg")], ["warn", "three"]);
    const lines = await gateway.ask(`GET ${url}`, undefined, { accept: "application/x-ndjson" });
    assert.deepEqual(itemsOf(lines.text), page.at("lines"));
    const rest = await gateway.ask(`GET ${url}?cursor=${page.at("lines.0.cursor")}`);
    assert.equal(rest.text, 'two\n{"level":"warn","msg":"three"}\n');
    const behind = await gateway.ask(`GET ${url}?cursor=${page.at("cursor")}`, undefined, json);
    assert.deepEqual(behind.at("lines"), []);
    const events = await gateway.ask(`GET ${url}?tailLines=1&follow=true`, undefined, {
      accept: "text/event-stream",
      "last-event-id": String(page.at("lines.1.cursor")),
    });
    assert.match(events.text, /^id: 1\.\S+\ndata: \{.*three.*\}\n\n$/);
    const socket = new WebSocket(`ws://127.0.0.1:${gateway.port}${url}`, { headers: { authorization } });
    const messages: Item[] = [];
    socket.on("message", (data) => messages.push(JSON.parse(String(data))));
    await new Promise((resolve) => socket.once("close", resolve));
    assert.deepEqual(messages, page.at("lines"));
  });
}

test("parameters choose lines and how they are written", async (t) => {
  const manner = "containerd-2.1";
  const gateway = await liveGateway(t, manner);
  const { url } = await withLog(gateway, manner, ["INFO a", "ERROR b", "INFO c", "plain d"]);
  for (const [query, text] of [
    ["tailLines=1", "plain d\n"],
    ["tailLines=0", ""],
    ["stream=stderr", "ERROR b\nplain d\n"],
    ["since=2026-11-29T10:00:02Z", "INFO c\nplain d\n"],
    ["sinceTime=2026-11-29T12:00:02%2B02:00", "INFO c\nplain d\n"],
    ["until=2026-11-29T10:00:00Z", "INFO a\n"],
    ["level=error", "ERROR b\n"],
    ["level=info&tailLines=1", "INFO c\n"],
    ["grep=INFO", "INFO a\nINFO c\n"],
    ["regex=%5EINFO+%5Bbc%5D", "INFO c\n"],
    ["grep=ERROR&before=1&after=1", "INFO a\nERROR b\nINFO c\n"],
    ["limitBytes=10", "INFO a\nERR\n"],
    ["timestamps&grep=b", "2026-11-29T10:00:01.000000000Z ERROR b\n"],
    ["prefix&grep=b", "[pod/web/app] ERROR b\n"],
  ] as const)
    assert.equal((await gateway.ask(`GET ${url}?${query}`)).text, text, query);
  const file = await new Promise<IncomingMessage>((resolve, reject) => {
    const headers = { authorization, "accept-encoding": "gzip" };
    const options = { port: gateway.port, host: "127.0.0.1", path: `${url}?download`, headers, agent: false };
    get(options, resolve).on("error", reject);
  });
  const parts: Buffer[] = [];
  for await (const part of file) parts.push(part);
  assert.equal(gunzipSync(Buffer.concat(parts)).toString(), "INFO a\nERROR b\nINFO c\nplain d\n");
  assert.match(file.headers["content-disposition"] ?? "", /^attachment; filename="[0-9a-f]{64}\.log"$/);
});

test("mistakes in parameters are 400, and named", async (t) => {
  const gateway = await liveGateway(t);
  const { url } = await withLog(gateway, "containerd-2.1", ["a"]);
  for (const [query, parameter] of [
    ["since=yesterday", "since"],
    ["since=2026-02-30T00:00:00Z", "since"],
    ["until=5", "until"],
    ["since=5m&sinceSeconds=5", "sinceSeconds"],
    ["regex=(", "regex"],
    ["regex=((a%7B1000%7D)%7B1000%7D)", "regex"],
    ["grep=", "grep"],
    ["cursor=abc", "cursor"],
    ["tailLines=-1", "tailLines"],
    ["level=loud", "level"],
    ["stream=both", "stream"],
    ["follow&download", "download"],
    ["before=1000", "before"],
  ] as const) {
    const answer = await gateway.ask(`GET ${url}?${query}`);
    assert.deepEqual([answer.status, answer.at("errors.0.parameter")], [400, parameter], query);
  }
  const followed = await gateway.ask(`GET ${url}?follow`, undefined, json);
  assert.equal(followed.at("errors.0.parameter"), "follow");
});

test("pods and selections merge their containers, and say where a line comes from", async (t) => {
  const manner = "containerd-2.1";
  const gateway = await liveGateway(t, manner);
  const { pod } = await withLog(gateway, manner, ["a0", "a1"], { labels: { app: "web" } });
  await withLog(gateway, manner, ["b0", "b1"], { name: "side" });
  await withLog(gateway, manner, ["c0"], { pod: "other", labels: { app: "db" } });
  const merged = await gateway.ask(`GET /v1/pods/${pod.id}/logs?prefix`);
  const lines = merged.text.trimEnd().split("\n");
  assert.deepEqual(lines.slice(0, 2).toSorted(), ["[pod/web/app] a0", "[pod/web/side] b0"]);
  assert.deepEqual(lines.slice(2).toSorted(), ["[pod/web/app] a1", "[pod/web/side] b1"]);
  const chosen = await gateway.ask("GET /v1/logs?labelSelector=app%3Ddb", undefined, {
    accept: "application/x-ndjson",
  });
  assert.deepEqual(
    itemsOf(chosen.text).map(({ text, container, pod }) => [text, container, pod]),
    [["c0", "app", "other"]],
  );
  assert.equal((await gateway.ask("GET /v1/logs?pod=other&namespace=demo")).text, "c0\n");
  assert.equal((await gateway.ask("GET /v1/logs?namespace=none")).text, "");
  assert.equal((await gateway.ask(`GET /v1/pods/${"f".repeat(64)}/logs`)).status, 404);
});

test("previous reads the attempt before, also where the runtime has removed it", async (t) => {
  const manner = "containerd-2.1";
  const gateway = await liveGateway(t, manner);
  const first = await withLog(gateway, manner, ["first"], { attempt: 0 });
  const second = await withLog(gateway, manner, ["second"], { attempt: 1 });
  assert.equal((await gateway.ask(`GET ${second.url}?previous`)).text, "first\n");
  await gateway.ask(`DELETE /v1/containers/${first.container.id}`);
  assert.equal((await gateway.ask(`GET ${second.url}?previous`)).text, "first\n");
  const third = await withLog(gateway, manner, ["alone"], { name: "alone" });
  assert.equal((await gateway.ask(`GET ${third.url}?previous`)).at("code"), "not_found");
});

test("a log outside of the folders for logs is log_not_readable", async (t) => {
  const gateway = await liveGateway(t);
  const pod = gateway.fake.addPod({ config: { logDirectory: "/etc" } });
  const { id } = gateway.fake.addContainer({ pod, logPath: "passwd" });
  const answer = await gateway.ask(`GET /v1/containers/${id}/logs`);
  assert.deepEqual([answer.status, answer.at("code")], [409, "log_not_readable"]);
  assert.ok(!answer.text.includes("root:"));
});

test("a follower that leaves frees its place", async (t) => {
  const gateway = await liveGateway(t);
  const { container, path } = await withLog(gateway, "containerd-2.1", ["one"]);
  const running = gateway.fake.addContainer({ pod: container.podId, logPath: "run/0.log", state: "running" });
  await mkdir(join(dirname(dirname(path)), "run"));
  await writeFile(join(dirname(dirname(path)), "run", "0.log"), "2026-11-29T10:00:00Z stdout F hello\n");
  const sessions = async () => /^sessions (\d+)$/m.exec((await gateway.ask("GET /readyz?verbose")).text)?.[1];
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const options = {
      port: gateway.port,
      host: "127.0.0.1",
      path: `/v1/containers/${running.id}/logs?follow`,
    };
    get({ ...options, headers: { authorization }, agent: false }, resolve).on("error", reject);
  });
  let text = "";
  response.on("data", (part) => {
    text += part;
  });
  response.on("error", () => undefined);
  await eventually(() => text === "hello\n");
  assert.equal(await sessions(), "1");
  response.destroy();
  await eventually(async () => (await sessions()) === "0");
  assert.deepEqual(gateway.logged, []);
});

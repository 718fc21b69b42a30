/** Logs of removed containers, for as long as they are kept. The test writes the logs, as the fakes do not. */
import assert from "node:assert/strict";
import { appendFileSync, mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { type TestContext, test } from "node:test";
import { gzipSync } from "node:zlib";
import { createKeptLogs } from "../../src/logs/keeping/kept-logs.ts";
import type { LogLimits } from "../../src/logs/keeping/log-keeper.ts";
import { eventually } from "../support/eventually.ts";
import type { MannerName } from "../support/fake-runtime.ts";
import { type Answer, type LiveGateway, liveGateway } from "./live-gateway.ts";

const day = 86_400_000;
const logLimits: LogLimits = { logMaxSizeBytes: 0, logMaxFiles: 5, logKeepMs: day, logTotalBytes: 0 };
const json = { accept: "application/json" };
const ndjson = { accept: "application/x-ndjson" };
const tiny = { image: { image: "tiny:1" } };

async function newGateway(t: TestContext, manner?: MannerName, own: Partial<LogLimits> = {}) {
  const gateway = await liveGateway(t, manner, { logLimits: { ...logLimits, ...own } });
  gateway.fake.addImage({ tags: ["tiny:1"] });
  return gateway;
}

const idOf = (answer: Answer): string => {
  assert.equal(answer.status, 201, answer.text);
  return String(answer.at("podSandboxId") ?? answer.at("containerId"));
};

interface Made {
  readonly pod: string;
  readonly container: string;
  readonly log: string;
}

let second = 0;
/** Lines as a runtime writes them, each a second after the one before. */
const lines = (...texts: readonly string[]): string =>
  texts
    .map((text) => `${new Date(1_790_000_000_000 + 1000 * second++).toISOString()} stdout F ${text}\n`)
    .join("");

/** A pod with a running container, made through the gateway. */
async function made(gateway: LiveGateway, name: string, text: string): Promise<Made> {
  const metadata = { name, namespace: "demo" };
  const pod = idOf(await gateway.ask("POST /v1/pods", { metadata, labels: { app: name } }));
  return { pod, ...(await madeIn(gateway, pod, "app", text)) };
}

async function madeIn(gateway: LiveGateway, pod: string, name: string, text: string) {
  const body = { metadata: { name }, ...tiny, labels: { tier: name } };
  const container = idOf(await gateway.ask(`POST /v1/pods/${pod}/containers`, body));
  await gateway.ask(`POST /v1/containers/${container}/start`);
  const log = String((await gateway.ask(`GET /v1/containers/${container}`)).at("status.logPath"));
  mkdirSync(dirname(log), { recursive: true });
  writeFileSync(log, text);
  return { container, log };
}

async function remove({ ask }: LiveGateway, ...paths: readonly string[]): Promise<void> {
  for (const path of paths) {
    const { status, text } = await ask(`DELETE ${path}`);
    assert.ok(status < 300, text);
  }
}

for (const manner of ["containerd-1.7", "containerd-2.1", "cri-o"] as const) {
  test(`the log of a container that is removed right after its start is found on ${manner}, by ids, names and labels`, async (t) => {
    const gateway = await newGateway(t, manner);
    const { ask } = gateway;
    const web = await made(gateway, "web", lines("a", "b"));
    const db = await made(gateway, "db", lines("c"));
    await remove(gateway, `/v1/containers/${web.container}`, `/v1/pods/${web.pod}`, `/v1/pods/${db.pod}`);
    for (const [path, text] of [
      [`/v1/containers/${web.container}/logs`, "a\nb\n"],
      [`/v1/containers/${web.container.slice(0, 20)}/logs?follow`, "a\nb\n"],
      [`/v1/pods/${web.pod.slice(0, 20)}/logs?follow`, "a\nb\n"],
      [`/v1/pods/${db.pod}/logs?tailLines=1`, "c\n"],
      ["/v1/logs?labelSelector=app%3Dweb", "a\nb\n"],
      ["/v1/logs?labelSelector=tier%3Dapp&tailLines=2", "b\nc\n"],
      ["/v1/logs?namespace=demo&pod=db", "c\n"],
      [`/v1/logs?pod=${web.pod.slice(0, 12)}`, "a\nb\n"],
      ["/v1/logs?labelSelector=app%3Dother", ""],
    ] as const) {
      const answer = await ask(`GET ${path}`);
      assert.deepEqual([answer.status, answer.text], [200, text], path);
    }
    const { lines: items } = JSON.parse((await ask("GET /v1/logs?namespace=demo", undefined, json)).text);
    assert.deepEqual(
      items.map(({ text, pod, container, removed }: { readonly [name: string]: unknown }) => [
        text,
        pod,
        container,
        removed,
      ]),
      [
        ["a", "web", "app", true],
        ["b", "web", "app", true],
        ["c", "db", "app", true],
      ],
    );
    // Only its log is left.
    assert.equal((await ask(`GET /v1/containers/${web.container}`)).status, 404);
    assert.equal((await ask(`GET /v1/containers/${web.container.slice(0, 20)}/wait`)).status, 404);
    assert.equal((await ask("GET /v1/containers/0000/logs")).at("code"), "not_found");
    assert.equal((await ask(`GET /v1/pods/${"0".repeat(64)}/logs`)).at("code"), "not_found");
    // Another gateway on the same data folder knows it, too.
    const [log] = createKeptLogs(gateway.dataDir).select({ containerId: web.container });
    assert.equal(log?.owner.pod, "web");
    assert.deepEqual(gateway.logged, []);
  });
}

test("on cri-dockerd a log goes with its container, and is 404", async (t) => {
  const gateway = await newGateway(t, "cri-dockerd");
  const { pod, container, log } = await made(gateway, "web", lines("a"));
  rmSync(log);
  await remove(gateway, `/v1/pods/${pod}`);
  assert.equal((await gateway.ask(`GET /v1/containers/${container}/logs`)).status, 404);
  assert.equal((await gateway.ask("GET /v1/logs?namespace=demo")).text, "");
});

test("a reader that goes on by cursor loses nothing when the container is removed meanwhile and its log rotated", async (t) => {
  const gateway = await newGateway(t);
  const { ask } = gateway;
  const { pod, container, log } = await made(gateway, "web", lines("1", "2"));
  const url = `/v1/containers/${container}/logs`;
  const first = await ask(`GET ${url}`, undefined, json);
  const all = await ask("GET /v1/logs?namespace=demo", undefined, json);
  appendFileSync(log, lines("3"));
  renameSync(log, `${log}.20260101-000002`);
  writeFileSync(log, lines("4"));
  await remove(gateway, `/v1/pods/${pod}`);
  assert.equal((await ask(`GET ${url}?cursor=${first.at("lines.0.cursor")}`)).text, "2\n3\n4\n");
  assert.equal((await ask(`GET ${url}?follow&cursor=${first.at("cursor")}`)).text, "3\n4\n");
  assert.equal((await ask(`GET /v1/logs?namespace=demo&cursor=${all.at("cursor")}`)).text, "3\n4\n");
  writeFileSync(`${log}.20260101-000001.gz`, gzipSync(lines("0")));
  assert.equal((await ask(`GET ${url}`)).text, "0\n1\n2\n3\n4\n");
  assert.equal((await ask(`GET ${url}?grep=0`)).text, "0\n");
});

test("a pod's log has its removed containers, and `previous` finds a removed attempt", async (t) => {
  const gateway = await newGateway(t);
  const { pod, container } = await made(gateway, "web", lines("first"));
  const side = await madeIn(gateway, pod, "side", lines("side"));
  await remove(gateway, `/v1/containers/${container}`);
  const answer = await gateway.ask(`GET /v1/pods/${pod}/logs`, undefined, ndjson);
  const items = answer.text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
  assert.deepEqual(
    items.map(({ text, containerId, removed }) => [text, containerId, removed]),
    [
      ["first", container, true],
      ["side", side.container, undefined],
    ],
  );
  const body = { metadata: { name: "app", attempt: 1 }, ...tiny };
  const again = idOf(await gateway.ask(`POST /v1/pods/${pod}/containers`, body));
  assert.equal((await gateway.ask(`GET /v1/containers/${again}/logs?previous`)).text, "first\n");
});

test("a removed container is 404 as soon as its log has expired", async (t) => {
  const gateway = await newGateway(t, "containerd-2.1", { logKeepMs: 1000 });
  const { pod, container } = await made(gateway, "web", lines("a"));
  await remove(gateway, `/v1/pods/${pod}`);
  assert.equal((await gateway.ask(`GET /v1/containers/${container}/logs`)).text, "a\n");
  await eventually(async () => (await gateway.ask(`GET /v1/containers/${container}/logs`)).status === 404, {
    timeoutMs: 15_000,
  });
  assert.equal((await gateway.ask("GET /v1/logs?namespace=demo")).text, "");
  assert.equal((await gateway.ask(`GET /v1/pods/${pod.slice(0, 12)}/logs`)).status, 404);
});

test("a container that the runtime removes by itself is found", async (t) => {
  const gateway = await newGateway(t);
  const { pod, container } = await made(gateway, "web", lines("a"));
  await eventually(() => createKeptLogs(gateway.dataDir).select({ containerId: container }).length > 0);
  await gateway.fake.perform("RuntimeService/RemovePodSandbox", { podSandboxId: pod });
  assert.equal((await gateway.ask("GET /v1/logs?labelSelector=app%3Dweb")).text, "a\n");
});

/** Records of logs of removed containers, as a gateway has left them. */
function leave(
  { dataDir }: LiveGateway,
  records: readonly (string | { readonly path: string; readonly at?: number })[],
) {
  const file = records.map((record, index) => {
    if (typeof record === "string") return record;
    const id = index.toString(16).padStart(64, "0");
    const owner = {
      id,
      name: "app",
      attempt: 0,
      podSandboxId: id,
      pod: `p${index}`,
      namespace: "old",
      labels: {},
    };
    return JSON.stringify({ path: record.path, removedAtMs: record.at ?? 1, owner });
  });
  writeFileSync(join(dataDir, "kept-logs.jsonl"), file.join("\n"), { mode: 0o600 });
}

test("of more than 500 removed containers, those removed last are read", async (t) => {
  const gateway = await liveGateway(t);
  const folder = join(gateway.dataDir, "logs", "pod");
  mkdirSync(folder, { recursive: true });
  const count = 510;
  for (let n = 0; n < count; n++) writeFileSync(join(folder, `${n}.log`), lines(`line ${n}`));
  leave(
    gateway,
    // The one that was removed last is in the middle.
    Array.from({ length: count }, (_, n) => ({ path: `pod/${n}.log`, at: 1 + ((n + 250) % count) })),
  );
  const { text } = await gateway.ask("GET /v1/logs");
  const wanted = Array.from({ length: count }, (_, n) => n).filter((n) => n < 260 || n >= 270);
  assert.deepEqual(
    text.trimEnd().split("\n"),
    wanted.map((n) => `line ${n}`),
  );
});

test("a record that was damaged or leads elsewhere reveals nothing and breaks nothing", async (t) => {
  const gateway = await liveGateway(t);
  const root = join(gateway.dataDir, "logs");
  mkdirSync(join(root, "pod"), { recursive: true });
  writeFileSync(join(gateway.dataDir, "secret"), lines("secret"));
  symlinkSync(join(gateway.dataDir, "secret"), join(root, "pod/link.log"));
  symlinkSync(gateway.dataDir, join(root, "linked"));
  mkdirSync(join(root, "pod/folder.log"));
  writeFileSync(join(root, "pod/0.log"), lines("mine"));
  leave(gateway, [
    { path: "../secret" },
    { path: "pod/../../secret" },
    { path: "/etc/passwd" },
    { path: "pod/link.log" },
    { path: "linked/secret" },
    { path: "pod/folder.log" },
    '{"path":"pod/0.log","owner":{"id":1}}',
    '{"path":"pod/0.log","owner":null,"removedAtMs":"x"}',
    "{",
    "",
    "[1]",
    { path: "pod/0.log", at: 1e15 },
    { path: "pod/gone.log" },
    '{"path":"pod/0.l',
  ]);
  const answer = await gateway.ask("GET /v1/logs");
  assert.deepEqual([answer.status, answer.text], [200, "mine\n"]);
  for (const index of [3, 4, 5]) {
    const id = index.toString(16).padStart(64, "0");
    assert.equal((await gateway.ask(`GET /v1/containers/${id}/logs`)).at("code"), "log_not_readable", id);
  }
});

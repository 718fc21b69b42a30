/** Logs of a real containerd: read, followed through rotations, and gone on with after the gateway has restarted. */
import assert from "node:assert/strict";
import { rename } from "node:fs/promises";
import { after, test } from "node:test";
import { eventually } from "../support/eventually.ts";
import { assertDone, bodyOf } from "./support/api.ts";
import { followItems, type LogItem } from "./support/follow-items.ts";
import { type Gateway, newFolder, removeFolder, startGateway } from "./support/gateway.ts";
import { reasonToSkip } from "./support/machine.ts";
import { containerStatus, exited, removePod, runContainer, runPod, shell } from "./support/pods.ts";
import { useRuntime } from "./support/suite.ts";

const skip = await reasonToSkip();
const { runtime } = useRuntime(skip);
/** Data of the gateway, which is restarted on it. */
const dataDir = newFolder();
let gateway: Gateway | undefined;

const startHere = (): Promise<Gateway> =>
  startGateway("serve", { args: ["-A", `--runtime-endpoint=${runtime().socket}`], dataDir });

after(async () => {
  await gateway?.close();
  await removeFolder(dataDir);
});

function crest(): Gateway {
  if (gateway === undefined) throw new Error("Cannot use the gateway: it has not started");
  return gateway;
}

/** Follows a log, and keeps what comes. */
async function follow(gateway: Gateway, path: string) {
  const items: LogItem[] = [];
  return { items, ...(await followItems<LogItem>(gateway, path, (item) => items.push(item))) };
}

test("a log is its text and nothing else; filters and forms apply", { skip }, async () => {
  gateway ??= await startHere();
  const pod = await runPod(crest());
  const script = "echo one; echo two >&2; echo 'level=error three'; printf four";
  const container = await runContainer(crest(), pod, shell(script));
  await exited(crest(), container);
  const path = `${container.path}/logs`;
  const { text } = await crest().get(path);
  // The order of the two streams is the runtime's.
  assert.deepEqual(text.trimEnd().split("\n").toSorted(), ["four", "level=error three", "one", "two"]);
  assert.equal((await crest().get(`${path}?stream=stderr`)).text, "two\n");
  assert.equal((await crest().get(`${path}?level=error`)).text, "level=error three\n");
  assert.equal((await crest().get(`${path}?regex=^t.o$`)).text, "two\n");
  assert.match((await crest().get(`${path}?grep=one&timestamps`)).text, /^\d{4}-.*Z one\n$/);
  const followed = await crest().get(`${path}?follow&stream=stdout`);
  assert.equal(followed.text, "one\nlevel=error three\nfour\n");
  const headers = { accept: "application/json" };
  const page = bodyOf(
    await crest().send<{ lines: LogItem[] }>("GET", `${pod.path}/logs?tailLines=1`, { headers }),
  );
  assert.equal(page.lines.length, 1);
  await removePod(crest(), pod);
});

test("every line of a fast container comes once and in order through rotations, and a gateway that is killed", {
  skip,
}, async () => {
  gateway ??= await startHere();
  const count = 30_000;
  const pod = await runPod(crest());
  const script = `i=0; while [ $i -lt ${count} ]; do echo line $i; i=$((i+1)); done; sleep 3600`;
  const container = await runContainer(crest(), pod, shell(script));
  const { logPath } = await containerStatus(crest(), container);
  const path = `${container.path}/logs?follow`;
  const readers = await Promise.all([follow(crest(), path), follow(crest(), path)]);
  let rotations = 0;
  const rotate = async (): Promise<void> => {
    await rename(logPath, `${logPath}.20261129-10000${rotations++}`);
    assertDone(await crest().post(`${container.path}/logs/reopen`));
  };
  const [one, two] = readers;
  await eventually(() => one.items.length > 100 && two.items.length > 100);
  await rotate();
  await eventually(() => one.items.length > 2000);
  await rotate();
  crest().process.kill("SIGKILL");
  await Promise.all([crest().process.exit, one.ended, two.ended]);
  gateway = await startHere();
  await rotate();
  const again = await Promise.all(
    readers.map(({ items }) => follow(crest(), `${path}&cursor=${items.at(-1)?.cursor}`)),
  );
  await rotate();
  const textsOf = (index: 0 | 1): readonly string[] =>
    [...readers[index].items, ...(again[index]?.items ?? [])].map(({ text }) => text);
  await eventually(() => textsOf(0).length >= count && textsOf(1).length >= count, {
    timeoutMs: 60_000,
    intervalMs: 50,
  });
  const wanted = Array.from({ length: count }, (_, n) => `line ${n}`);
  assert.deepEqual(textsOf(0), wanted);
  assert.deepEqual(textsOf(1), wanted);
  const { text } = await crest().get(`${container.path}/logs?tailLines=2`);
  assert.equal(text, `line ${count - 2}\nline ${count - 1}\n`);
  await removePod(crest(), pod);
  await Promise.all(again.map(({ ended }) => ended));
});

/** Logs of a real containerd: read, followed through rotations, and gone on with after the gateway has restarted. */
import assert from "node:assert/strict";
import { existsSync, readdirSync } from "node:fs";
import { rename } from "node:fs/promises";
import { dirname } from "node:path";
import { after, test } from "node:test";
import { eventually } from "../support/eventually.ts";
import { assertDone, bodyOf, problemOf } from "./support/api.ts";
import { followItems, type LogItem } from "./support/follow-items.ts";
import { type Gateway, newFolder, removeFolder, startGateway } from "./support/gateway.ts";
import { reasonToSkip } from "./support/machine.ts";
import {
  containerStatus,
  exited,
  removePod,
  removePodAndCgroup,
  runContainer,
  runPod,
  shell,
} from "./support/pods.ts";
import { useRuntime } from "./support/suite.ts";

const skip = await reasonToSkip();
const { runtime } = useRuntime(skip);
/** Data of the gateway, which is restarted on it. */
const dataDir = newFolder();
let gateway: Gateway | undefined;

const serve = (folder: string, ...args: readonly string[]): Promise<Gateway> =>
  startGateway("serve", {
    args: ["-A", `--runtime-endpoint=${runtime().socket}`, ...args],
    dataDir: folder,
  });
const startHere = (): Promise<Gateway> => serve(dataDir);

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
    const folder = dirname(logPath);
    await eventually(
      () => assert.ok(existsSync(logPath), `no ${logPath} among ${readdirSync(folder)}`) ?? true,
    );
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

test("after rotations, and the removal of a container and its pod, a gateway that was killed finds every line once", {
  skip,
}, async () => {
  const folder = newFolder();
  const args = ["--log-max-size=8KiB", "--log-max-files=100"];
  let own = await serve(folder, ...args);
  try {
    const pod = await runPod(own, { labels: { app: "removed" } });
    // 1000 lines in about 4 seconds: there is a rotation in each.
    const script =
      "i=0; while [ $i -lt 1000 ]; do n=$((i+25)); while [ $i -lt $n ]; do echo line $i; i=$((i+1)); done; sleep 0.1; done";
    const container = await runContainer(own, pod, shell(script));
    const follower = await follow(own, "/v1/logs?labelSelector=app%3Dremoved&follow");
    const one = await follow(own, `${container.path}/logs?follow`);
    await eventually(() => follower.items.length > 500 && one.items.length > 500, { timeoutMs: 20_000 });
    follower.leave();
    one.leave();
    await exited(own, container);
    const { logPath } = await containerStatus(own, container);
    assert.ok(readdirSync(dirname(logPath)).length > 2, "it was rotated");
    // It lives so shortly that only its own removal can have made it known.
    const brief = await runContainer(own, pod, { ...shell("echo brief"), labels: { app: "brief" } });
    await exited(own, brief);
    assertDone(await own.delete(container.path));
    await removePodAndCgroup(own, pod);
    own.process.kill("SIGKILL");
    await own.process.exit;
    own = await serve(folder, ...args);
    const headers = { accept: "application/json" };
    const read = async (path: string): Promise<readonly LogItem[]> =>
      bodyOf(await own.send<{ lines: LogItem[] }>("GET", path, { headers })).lines;
    const wanted = Array.from({ length: 1000 }, (_, n) => `line ${n}`);
    const all = await read("/v1/logs?labelSelector=app%3Dremoved");
    assert.deepEqual(
      all.map(({ text }) => text),
      wanted,
    );
    assert.ok(all.every(({ removed, containerId }) => removed === true && containerId === container.id));
    assert.equal((await own.get("/v1/logs?labelSelector=app%3Dbrief")).text, "brief\n");
    assert.equal((await own.get(`${brief.path.slice(0, -40)}/logs?follow`)).text, "brief\n");
    assert.equal((await read(`${pod.path}/logs`)).length, 1001);
    // Those who had read half of it go on behind their last line.
    for (const [items, path] of [
      [follower.items, "/v1/logs?labelSelector=app%3Dremoved"],
      [one.items, `${container.path}/logs?follow=false`],
    ] as const) {
      const rest = await read(`${path}&cursor=${items.at(-1)?.cursor}`);
      assert.deepEqual(
        [...items, ...rest].map(({ text }) => text),
        wanted,
      );
    }
    problemOf(await own.get(container.path), 404, "not_found");
  } finally {
    await own.close();
    await removeFolder(folder);
  }
});

test("a follower of a selection reads containers that start later, and learns when another client removes them", {
  skip,
}, async () => {
  const folders = [newFolder(), newFolder()] as const;
  const [own, other] = [await serve(folders[0]), await serve(folders[1])];
  try {
    const config = { labels: { app: "joining" } };
    const first = await runPod(own, config);
    await runContainer(own, first, shell("echo first; exec sleep 3600"));
    const follower = await follow(own, "/v1/logs?labelSelector=app%3Djoining&follow");
    await eventually(() => follower.items.length === 1);
    const second = await runPod(own, config);
    const later = await runContainer(
      own,
      second,
      shell("echo later; trap 'echo end; exit' TERM; sleep 3600 & wait"),
    );
    // Without an event, only a list after 20 seconds would find it.
    await eventually(() => follower.items.length === 2, { timeoutMs: 5000 });
    const ofPod = await follow(own, `${second.path}/logs?follow`);
    await eventually(() => ofPod.items.length === 1);
    assertDone(await other.post(`${later.path}/stop`));
    await eventually(() => follower.items.length === 3, { timeoutMs: 5000 });
    await removePodAndCgroup(other, second);
    await ofPod.ended;
    for (const { items } of [follower, ofPod])
      assert.deepEqual(
        items.slice(-2).map(({ text }) => text),
        ["later", "end"],
      );
    assert.equal((await own.get(`${later.path}/logs`)).text, "later\nend\n");
    await removePodAndCgroup(own, first);
    follower.leave();
  } finally {
    await own.close();
    await other.close();
    for (const folder of folders) await removeFolder(folder);
  }
});

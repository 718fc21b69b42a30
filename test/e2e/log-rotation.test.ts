/** On the real containerd: rotating logs loses no line, and the logs of removed containers go in time. */
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { test } from "node:test";
import { gunzipSync } from "node:zlib";
import { eventually } from "../support/eventually.ts";
import { type Followed, followItems, type LogItem } from "./support/follow-items.ts";
import { type Gateway, newFolder, removeFolder, startGateway } from "./support/gateway.ts";
import { reasonToSkip } from "./support/machine.ts";
import {
  containerStatus,
  exec,
  exited,
  type Resource,
  removePodAndCgroup,
  runContainer,
  runPod,
  shell,
} from "./support/pods.ts";
import { useRuntime } from "./support/suite.ts";

const skip = await reasonToSkip();
const { runtime } = useRuntime(skip);

const serve = (dataDir: string, ...args: readonly string[]): Promise<Gateway> =>
  startGateway("serve", { dataDir, args: ["-A", `--runtime-endpoint=${runtime().socket}`, ...args] });

/** Prints `line N` for N from 0, a number of them at a time. */
const print = (lines: number, atOnce: number, pause: string): ReturnType<typeof shell> =>
  shell(
    `i=0; while [ $i -lt ${lines} ]; do n=$((i+${atOnce})); while [ $i -lt $n ]; do echo line $i; i=$((i+1)); done; sleep ${pause}; done`,
  );

const logOf = async (gateway: Gateway, container: Resource): Promise<string> =>
  (await containerStatus(gateway, container)).logPath;

/** The files of a log, from the oldest. */
function filesOf(path: string): readonly string[] {
  const names = readdirSync(dirname(path)).filter((name) => name.startsWith(`${basename(path)}.`));
  return [...names.sort().map((name) => join(dirname(path), name)), path];
}

/** What a container printed, over all files of its log. */
function linesOf(path: string): readonly string[] {
  const texts = filesOf(path).map((file) => {
    const bytes = readFileSync(file);
    return (file.endsWith(".gz") ? gunzipSync(bytes) : bytes).toString("utf8");
  });
  const records = texts.join("").trimEnd().split("\n");
  return records.map((record) => record.replace(/^\S+ stdout F /, ""));
}

/** A reader that expects `line 0`, `line 1` and so on, then `end N`, and goes on where it was when it starts again. */
function createReader(container: Resource) {
  let count = 0;
  let cursor: string | undefined;
  let unexpected: string | undefined;
  let isEnded = false;
  let followed: Followed | undefined;
  function take(item: LogItem): void {
    if (item.text === `end ${count}`) isEnded = true;
    else if (item.text !== `line ${count++}`) unexpected ??= `"${item.text}" after ${count - 1} lines`;
    cursor = item.cursor;
  }
  return {
    count: () => count,
    async start(gateway: Gateway) {
      const from = cursor === undefined ? "" : `&cursor=${encodeURIComponent(cursor)}`;
      followed = await followItems(gateway, `${container.path}/logs?follow${from}`, take);
    },
    async stop() {
      followed?.leave();
      await followed?.ended;
    },
    /** Resolves when the response has ended by itself. */
    ended: async () => followed?.ended,
    outcome: () => unexpected ?? (isEnded ? `${count} lines and the end` : `${count} lines`),
  };
}

test("10,000 lines a second, more than five rotations, three followers, a killed gateway: every line once and in order", {
  skip,
  timeout: 240_000,
}, async () => {
  const dataDir = newFolder();
  const args = ["--log-max-size=128KiB", "--log-max-files=100"];
  let gateway = await serve(dataDir, ...args);
  try {
    const pod = await runPod(gateway);
    // 60,000 lines at about 10,000 a second, then 1,000 a second until it is told to stop.
    const container = await runContainer(
      gateway,
      pod,
      shell(
        "i=0; pause=0.02; while [ ! -e /stop ]; do n=$((i+500)); while [ $i -lt $n ]; do echo line $i; i=$((i+1)); done; [ $i -ge 60000 ] && pause=0.5; sleep $pause; done; echo end $i",
      ),
    );
    const path = await logOf(gateway, container);
    const readers = [createReader(container), createReader(container), createReader(container)] as const;
    const [pausing, ...others] = readers;
    for (const reader of readers) await reader.start(gateway);
    const patient = { timeoutMs: 90_000, intervalMs: 100 };
    const rotations = async (more: number): Promise<void> => {
      const before = filesOf(path).length;
      await eventually(() => filesOf(path).length >= before + more, patient);
    };
    await eventually(() => readers.every((reader) => reader.count() > 1000), patient);
    await pausing.stop();
    await rotations(2);
    gateway.process.kill("SIGKILL");
    await Promise.all([gateway.process.exit, ...others.map((reader) => reader.ended())]);
    // The container was started before this gateway, which does not know it yet.
    gateway = await serve(dataDir, ...args);
    for (const reader of others) await reader.start(gateway);
    await rotations(3);
    // The oldest file, in which a reader has stopped, is compressed ten seconds after its last line.
    await eventually(() => filesOf(path)[0]?.endsWith(".gz"), patient);
    await pausing.start(gateway);
    await exec(gateway, container, "touch /stop");
    await exited(gateway, container);
    const lines = await eventually(() => {
      const found = linesOf(path);
      return found.at(-1)?.startsWith("end ") && found;
    });
    assert.equal(lines.at(-1), `end ${lines.length - 1}`);
    assert.ok(lines.slice(0, -1).every((line, index) => line === `line ${index}`));
    // A log that has been read to the end of its container ends.
    await Promise.all(readers.map((reader) => reader.ended()));
    for (const reader of readers) assert.equal(reader.outcome(), `${lines.length - 1} lines and the end`);
    await removePodAndCgroup(gateway, pod);
  } finally {
    await gateway.close();
    await removeFolder(dataDir);
  }
});

test("a container that prints without a pause keeps no more than its files", {
  skip,
  timeout: 240_000,
}, async () => {
  const dataDir = newFolder();
  const gateway = await serve(dataDir, "--log-max-size=1MiB", "--log-max-files=3");
  try {
    const pod = await runPod(gateway);
    const container = await runContainer(gateway, pod, { command: ["timeout", "6", "yes", "x".repeat(100)] });
    const path = await logOf(gateway, container);
    await exited(gateway, container);
    const files = filesOf(path);
    assert.ok(files.length <= 3 && files.length > 1, files.join("\n"));
    await removePodAndCgroup(gateway, pod);
  } finally {
    await gateway.close();
    await removeFolder(dataDir);
  }
});

test("a second gateway on the same runtime leaves the logs of the first alone", {
  skip,
  timeout: 240_000,
}, async () => {
  const [one, other] = [newFolder(), newFolder()];
  const never = await serve(one, "--log-max-size=0");
  const always = await serve(other, "--log-max-size=1KiB", "--log-keep=1s");
  try {
    const pods = [await runPod(never), await runPod(always)] as const;
    const left = await runContainer(never, pods[0], print(3000, 100, "0.1"));
    const rotated = await runContainer(always, pods[1], print(3000, 100, "0.1"));
    const [leftPath, rotatedPath] = [await logOf(never, left), await logOf(always, rotated)];
    await eventually(() => filesOf(rotatedPath).length > 2, { timeoutMs: 20_000 });
    await exited(never, left);
    assert.deepEqual(filesOf(leftPath), [leftPath]);
    assert.equal(linesOf(leftPath).length, 3000);
    await removePodAndCgroup(never, pods[0]);
    await removePodAndCgroup(always, pods[1]);
    await eventually(() => !existsSync(dirname(dirname(rotatedPath))), { timeoutMs: 30_000 });
    assert.equal(linesOf(leftPath).length, 3000);
  } finally {
    await never.close();
    await always.close();
    for (const folder of [one, other]) await removeFolder(folder);
  }
});

test("the log of a removed container is kept for --log-keep, and those of others for as long as they exist", {
  skip,
  timeout: 240_000,
}, async () => {
  const dataDir = newFolder();
  const gateway = await serve(dataDir, "--log-keep=3s");
  try {
    const pod = await runPod(gateway);
    const [kept, gone] = [
      await runContainer(gateway, pod, shell("echo kept")),
      await runContainer(gateway, pod, shell("echo gone")),
    ];
    await exited(gateway, kept);
    await exited(gateway, gone);
    const [keptPath, gonePath] = [await logOf(gateway, kept), await logOf(gateway, gone)];
    // Older than that already when it is removed.
    await eventually(() => Date.now() - statSync(gonePath).mtimeMs > 4000);
    await gateway.delete(gone.path);
    assert.deepEqual(linesOf(gonePath), ["gone"]);
    await eventually(() => !existsSync(dirname(gonePath)), { timeoutMs: 30_000 });
    assert.deepEqual(linesOf(keptPath), ["kept"]);
    await removePodAndCgroup(gateway, pod);
    await eventually(() => !existsSync(dirname(dirname(keptPath))), { timeoutMs: 30_000 });
  } finally {
    await gateway.close();
    await removeFolder(dataDir);
  }
});

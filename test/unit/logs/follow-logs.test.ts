/** Followed logs: every line once and in order, for each reader, across rotations of every kind. */
import assert from "node:assert/strict";
import {
  appendFile,
  copyFile,
  mkdir,
  open,
  readFile,
  rename,
  rm,
  truncate,
  writeFile,
} from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { eventually } from "../../support/eventually.ts";
import {
  openReading,
  readLinesOf,
  sourceOf,
  type TestContainer,
  textsOf,
} from "../../support/log-reading.ts";
import { type AfterTest, tempDir } from "../../support/temp-dir.ts";

const compress = promisify(gzip);
const record = (text: string): string => `${new Date().toISOString()} stdout F ${text}\n`;

/** A runtime that writes a log, and reopens it when it is told to. */
async function createWriter(path: string) {
  let file = await open(path, "a");
  let written = 0;
  return {
    get written() {
      return written;
    },
    async write(count: number): Promise<void> {
      // A line in two parts now and then, which a rotation may separate.
      for (let n = 0; n < count; n++) {
        const text = `line ${written++}`;
        if (written % 10 !== 0) await file.write(record(text));
        else {
          await file.write(record(text.slice(0, 4)).replace(" F ", " P "));
          await file.write(record(text.slice(4)));
        }
      }
    },
    async reopen(): Promise<void> {
      const old = file;
      file = await open(path, "a");
      await old.close();
    },
    close: () => file.close(),
  };
}

/** Follows in the background, at most until the test ends. */
function follow(t: AfterTest, container: TestContainer, root: string, cursor?: string) {
  const lines: { readonly text: string; readonly cursor: string }[] = [];
  const stopping = new AbortController();
  t.after(() => stopping.abort());
  const done = (async () => {
    const source = sourceOf([container]);
    for await (const line of readLinesOf(source, {
      roots: [root],
      follow: true,
      cursor,
      signal: stopping.signal,
    }))
      if (!stopping.signal.aborted) lines.push(line);
  })();
  return {
    lines,
    done,
    async stop(): Promise<void> {
      stopping.abort();
      await done;
    },
  };
}

const numbered = (count: number): readonly string[] => Array.from({ length: count }, (_, n) => `line ${n}`);

test("three followers of five rotations get every line once and in order, one of them by a cursor", async (t) => {
  const root = await tempDir(t);
  const path = join(root, "0.log");
  const writer = await createWriter(path);
  t.after(() => writer.close());
  const container: TestContainer = { path };
  const first = follow(t, container, root);
  const second = follow(t, container, root);
  let third = follow(t, container, root);
  const received: string[] = [];
  for (let rotation = 0; rotation < 5; rotation++) {
    await writer.write(500);
    if (rotation === 1) {
      await eventually(() => third.lines.length >= 600);
      await third.stop();
      received.push(...textsOf(third.lines));
    }
    const rotated = `${path}.20261129-10000${rotation}`;
    await rename(path, rotated);
    // The runtime writes into the renamed file until it is told.
    await writer.write(50);
    await writer.reopen();
    await writer.write(50);
    if (rotation > 0) {
      const older = `${path}.20261129-10000${rotation - 1}`;
      await writeFile(`${older}.tmp`, await compress(await readFile(older)));
      await rename(`${older}.tmp`, `${older}.gz`);
      await rm(older);
    }
    if (rotation === 3) third = follow(t, container, root, third.lines.at(-1)?.cursor);
  }
  await writer.write(200);
  const wanted = numbered(writer.written);
  await eventually(
    () =>
      [first, second].every(({ lines }) => lines.length >= wanted.length) &&
      received.length + third.lines.length >= wanted.length,
    { timeoutMs: 20_000 },
  );
  container.isEnded = true;
  await Promise.all([first.done, second.done, third.done]);
  assert.deepEqual(textsOf(first.lines), wanted);
  assert.deepEqual(textsOf(second.lines), wanted);
  assert.deepEqual([...received, ...textsOf(third.lines)], wanted);
});

test("a log that is copied and truncated is followed without loss of what was in the copy", async (t) => {
  const root = await tempDir(t);
  const path = join(root, "0.log");
  await writeFile(path, "");
  const container: TestContainer = { path };
  const { lines, done } = follow(t, container, root);
  let written = 0;
  for (let rotation = 0; rotation < 5; rotation++) {
    let text = "";
    for (let n = 0; n < 300; n++) text += record(`line ${written++}`);
    await appendFile(path, text);
    // Copies move up, as logrotate has them.
    for (let age = rotation; age > 0; age--) await rename(`${path}.${age}`, `${path}.${age + 1}`);
    await copyFile(path, `${path}.1`);
    await truncate(path, 0);
    await appendFile(path, record(`line ${written++}`));
    await eventually(() => lines.length >= written, { timeoutMs: 20_000 });
  }
  container.isEnded = true;
  await done;
  assert.deepEqual(textsOf(lines), numbered(written));
});

test("a file that is deleted while it is followed is read to its end", async (t) => {
  const root = await tempDir(t);
  const path = join(root, "0.log");
  await writeFile(path, record("line 0"));
  const container: TestContainer = { path };
  const { lines, done } = follow(t, container, root);
  await eventually(() => lines.length === 1);
  // dockerd with one file only.
  await appendFile(path, record("line 1"));
  await rm(path);
  await writeFile(path, record("line 2"));
  await eventually(() => lines.length === 3);
  container.isEnded = true;
  await done;
  assert.deepEqual(textsOf(lines), numbered(3));
});

test("a log that does not exist yet is followed once it does, in a folder that did not", async (t) => {
  const root = await tempDir(t);
  const path = join(root, "pod", "0.log");
  const container: TestContainer = { path };
  const { lines, done } = follow(t, container, root);
  await mkdir(join(root, "pod"));
  await writeFile(path, record("line 0"));
  await eventually(() => lines.length === 1);
  await appendFile(path, record("line 1"));
  container.isEnded = true;
  await done;
  assert.deepEqual(textsOf(lines), numbered(2));
});

test("a follower that does not read is not read for: nothing is buffered beyond its batch", async (t) => {
  const root = await tempDir(t);
  const path = join(root, "0.log");
  await writeFile(path, record("x".repeat(1000)).repeat(50_000));
  const source = sourceOf([{ path, isEnded: true }]);
  const logs = await openReading(source, { roots: [root], follow: true });
  const iterator = logs.lines[Symbol.asyncIterator]();
  await iterator.next();
  await new Promise((resolve) => setImmediate(resolve));
  assert.ok(logs.readBytes <= 2 * 256 * 1024, String(logs.readBytes));
  await iterator.return?.();
});

test("containers join and leave while they are followed", async (t) => {
  const root = await tempDir(t);
  const one: TestContainer = { path: join(root, "one.log"), name: "one", id: "1".repeat(64) };
  const two: TestContainer = { path: join(root, "two.log"), name: "two", id: "2".repeat(64) };
  await writeFile(one.path, record("one 0"));
  const containers = [one];
  let isComplete = false;
  const source = sourceOf(containers, () => isComplete);
  const lines: string[] = [];
  const stopping = new AbortController();
  t.after(() => stopping.abort());
  const { signal } = stopping;
  const done = (async () => {
    for await (const { text, container } of readLinesOf(source, { roots: [root], follow: true, signal }))
      lines.push(`${container}: ${text}`);
  })();
  await eventually(() => lines.length === 1);
  await writeFile(two.path, record("two 0"));
  containers.push(two);
  await eventually(() => lines.length === 2);
  containers.shift();
  await appendFile(two.path, record("two 1"));
  await eventually(() => lines.length === 3);
  two.isEnded = true;
  isComplete = true;
  await done;
  assert.deepEqual(lines, ["one: one 0", "two: two 0", "two: two 1"]);
});

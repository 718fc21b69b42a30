/** Whole logs in the formats of the runtimes: every line once and in order, whatever the files look like. */
import assert from "node:assert/strict";
import { mkdir, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { fromMs } from "../../../src/logs/log-time.ts";
import { formats, type WrittenLine } from "../../support/log-files.ts";
import { openReading, readAll, refusalOf, sourceOf, textsOf } from "../../support/log-reading.ts";
import { tempDir } from "../../support/temp-dir.ts";
import { createDice } from "../gen/dice.ts";

const seed = Number(process.env.CREST_TEST_SEED ?? Date.now() % 2 ** 31);
const beginMs = Date.UTC(2026, 10, 29, 10);
type FormatName = keyof typeof formats;
const formatNames = Object.keys(formats) as readonly FormatName[];

/** Random lines: long ones, empty ones, and ones that are no UTF-8; stderr is up to 9 ms late. */
function someLines(seed: number, count: number, isUtf8: boolean): readonly WrittenLine[] {
  const dice = createDice(seed);
  return Array.from({ length: count }, (_, number) => {
    const stream = dice.roll(3) === 0 ? "stderr" : "stdout";
    const size = dice.pick([0, 1, 20, 100, 100, 300, 9000, 40_000]);
    const text = Buffer.alloc(size, isUtf8 ? `${number} ` : "\u00e4\u20ac").fill(
      `${number}:`,
      0,
      Math.min(size, 6),
    );
    if (!isUtf8 && size > 10) text[size - 1] = 0xff;
    return { stream, bytes: text, timeMs: beginMs + number * 3 - (stream === "stderr" ? dice.roll(9) : 0) };
  });
}

/** Writes the records into files that were rotated, in the ways of a runtime; returns the path of the log. */
async function writeLog(
  root: string,
  {
    lines,
    format,
    seed,
    files,
  }: { lines: readonly WrittenLine[]; format: FormatName; seed: number; files: number },
): Promise<string> {
  const dice = createDice(seed);
  const partBytes = (left: number): number =>
    format === "criO" ? dice.roll(8192) + 1 : Math.min(left, 16_384);
  // The records of the two streams alternate: a line may be unfinished while others come.
  const queues = { stdout: [] as Buffer[], stderr: [] as Buffer[] };
  const records: Buffer[] = [];
  for (const line of lines) {
    queues[line.stream].push(...formats[format](line, partBytes));
    const other = queues[line.stream === "stdout" ? "stderr" : "stdout"];
    while (queues[line.stream].length > 1) records.push(queues[line.stream].shift() ?? Buffer.alloc(0));
    if (dice.roll(2) === 0) records.push(...other.splice(0));
    records.push(...queues[line.stream].splice(0));
  }
  records.push(...queues.stdout, ...queues.stderr);
  const folder = join(root, `${format}-${seed}`);
  await mkdir(folder, { recursive: true });
  const path = join(folder, "0.log");
  const cuts = Array.from({ length: files - 1 }, () => dice.roll(records.length)).sort((a, b) => a - b);
  const bounds = [0, ...cuts, records.length];
  for (let file = 0; file < files; file++) {
    const bytes = Buffer.concat(records.slice(bounds[file], bounds[file + 1]));
    const age = files - 1 - file;
    const isPacked = age > 1;
    const suffix = format === "jsonFile" ? `.${age}` : `.20261129-10000${file}`;
    await writeFile(
      age === 0 ? path : `${path}${suffix}${isPacked ? ".gz" : ""}`,
      isPacked ? gzipSync(bytes) : bytes,
    );
  }
  return path;
}

for (const format of formatNames) {
  test(`openLogs() joins the parts of lines of ${format}, across rotated and compressed files (seed ${seed})`, async (t) => {
    const root = await tempDir(t);
    for (let round = 0; round < 6; round++) {
      const lines = someLines(seed + round, 120, format === "jsonFile");
      const path = await writeLog(root, { lines, format, seed: seed + round, files: 4 });
      const read = await readAll(sourceOf([{ path, isEnded: true }]), { roots: [root] });
      for (const stream of ["stdout", "stderr"] as const) {
        const wanted = lines
          .filter((line) => line.stream === stream)
          .map(({ bytes }) => bytes.toString("latin1"));
        const got = read
          .filter((line) => line.stream === stream)
          .map(({ bytes }) => bytes.toString("latin1"));
        assert.deepEqual(got, wanted);
      }
    }
  });

  test(`a cursor goes on exactly behind its line, in every file of ${format} (seed ${seed})`, async (t) => {
    const root = await tempDir(t);
    const lines = someLines(seed, 60, format === "jsonFile");
    const path = await writeLog(root, { lines, format, seed, files: 4 });
    const source = sourceOf([{ path, isEnded: true }]);
    const all = await readAll(source, { roots: [root] });
    for (const [index, { cursor }] of all.entries()) {
      const rest = await readAll(source, { roots: [root], cursor });
      assert.deepEqual(textsOf(rest), textsOf(all.slice(index + 1)), `behind line ${index}`);
    }
  });

  test(`tailLines gives the last lines of ${format}, also of those that match (seed ${seed})`, async (t) => {
    const root = await tempDir(t);
    const lines = someLines(seed, 80, format === "jsonFile");
    const path = await writeLog(root, { lines, format, seed, files: 3 });
    const source = sourceOf([{ path, isEnded: true }]);
    const all = textsOf(await readAll(source, { roots: [root] }));
    for (const tailLines of [0, 1, 2, 7, 40, 79, 80, 500]) {
      const tail = textsOf(await readAll(source, { roots: [root], tailLines }));
      assert.deepEqual(tail, tailLines === 0 ? [] : all.slice(-tailLines), `the last ${tailLines}`);
      const matching = all.filter((text) => text.includes("7"));
      const found = textsOf(await readAll(source, { roots: [root], tailLines, grep: "7" }));
      assert.deepEqual(found, tailLines === 0 ? [] : matching.slice(-tailLines), `${tailLines} that match`);
    }
  });
}

test("since and until give the lines between two times, though the streams are not in order", async (t) => {
  const root = await tempDir(t);
  const lines = someLines(7, 400, true).map((line) => ({ ...line, bytes: line.bytes.subarray(0, 50) }));
  const path = await writeLog(root, { lines, format: "containerd", seed: 7, files: 3 });
  const source = sourceOf([{ path, isEnded: true }]);
  for (const [from, to] of [
    [0, 2000],
    [300, 600],
    [599, 600],
    [1150, 5000],
    [5000, 6000],
  ] as const) {
    const since = fromMs(beginMs + from);
    const until = fromMs(beginMs + to);
    const read = await readAll(source, { roots: [root], since, until });
    const wanted = lines.filter(({ timeMs }) => timeMs >= beginMs + from && timeMs <= beginMs + to);
    assert.equal(read.length, wanted.length, `from ${from} to ${to}`);
    assert.deepEqual(textsOf(read).toSorted(), wanted.map(({ bytes }) => bytes.toString()).toSorted());
  }
});

test("the last lines of a long log, and its last minutes, are found without reading it", async (t) => {
  const root = await tempDir(t);
  const path = join(root, "0.log");
  const count = 250_000;
  let text = "";
  for (let number = 0; number < count; number++)
    text += `${new Date(beginMs + number * 10).toISOString()} stdout F line ${number} ${"x".repeat(200)}\n`;
  await writeFile(path, text);
  const sizeBytes = text.length;
  const source = sourceOf([{ path, isEnded: true }]);
  const tail = await openReading(source, { roots: [root], tailLines: 100 });
  let lines = 0;
  for await (const batch of tail.lines) lines += batch.length;
  assert.equal(lines, 100);
  assert.ok(tail.readBytes < sizeBytes / 100, `${tail.readBytes} of ${sizeBytes}`);
  const recent = await openReading(source, { roots: [root], since: fromMs(beginMs + (count - 1000) * 10) });
  lines = 0;
  for await (const batch of recent.lines) lines += batch.length;
  assert.equal(lines, 1000);
  assert.ok(recent.readBytes < sizeBytes / 50, `${recent.readBytes} of ${sizeBytes}`);
});

test("a line over 1 MiB is cut and marked, and the next one is whole", async (t) => {
  const root = await tempDir(t);
  const path = join(root, "0.log");
  const long = Buffer.alloc(3 * 1024 * 1024, "x");
  const lines = [long, Buffer.from("next")].map(
    (bytes) => ({ stream: "stdout", bytes, timeMs: beginMs }) as const,
  );
  await writeFile(path, Buffer.concat(lines.flatMap((line) => formats.containerd(line, () => 16_384))));
  const source = sourceOf([{ path, isEnded: true }]);
  const read = await readAll(source, { roots: [root] });
  assert.deepEqual(
    read.map(({ bytes, isTruncated }) => [bytes.length, isTruncated]),
    [
      [1024 * 1024, true],
      [4, false],
    ],
  );
  assert.deepEqual(textsOf(await readAll(source, { roots: [root], cursor: read[0]?.cursor })), ["next"]);
});

test("a line without an end comes when the log ends; what is no record comes as it is", async (t) => {
  const root = await tempDir(t);
  const path = join(root, "0.log");
  await writeFile(
    path,
    "2026-11-29T10:00:00Z stdout F one\nno record\n\0\0\0\0\n2026-11-29T10:00:01Z stderr P two, unfinished\n",
  );
  const read = await readAll(sourceOf([{ path, isEnded: true }]), { roots: [root] });
  assert.deepEqual(
    read.map(({ text, stream }) => [text, stream]),
    [
      ["one", "stdout"],
      ["no record", undefined],
      ["two, unfinished", "stderr"],
    ],
  );
});

test("before and after show the lines around a match once", async (t) => {
  const root = await tempDir(t);
  const path = join(root, "0.log");
  const words = ["a", "b", "hit 1", "c", "hit 2", "d", "e", "f", "g", "hit 3"];
  await writeFile(path, words.map((word, n) => `2026-11-29T10:00:0${n}Z stdout F ${word}\n`).join(""));
  const source = sourceOf([{ path, isEnded: true }]);
  const read = await readAll(source, { roots: [root], regex: "^hit [0-9]$", before: 1, after: 1 });
  assert.deepEqual(textsOf(read), ["b", "hit 1", "c", "hit 2", "d", "g", "hit 3"]);
});

test("logs of several containers are merged by time, and a cursor goes on in all of them", async (t) => {
  const root = await tempDir(t);
  const dice = createDice(seed);
  const containers = await Promise.all(
    ["a", "b", "c"].map(async (name, index) => {
      const path = join(root, `${name}.log`);
      const times = Array.from({ length: 50 }, () => beginMs + dice.roll(30_000)).sort((x, y) => x - y);
      const text = times
        .map((ms, n) => `${new Date(ms).toISOString()} stdout F ${ms} ${name}${n}\n`)
        .join("");
      await writeFile(path, text);
      return { path, name, id: String(index).repeat(64), isEnded: true };
    }),
  );
  const source = sourceOf(containers);
  const all = await readAll(source, { roots: [root] });
  assert.equal(all.length, 150);
  const times = all.map(({ text }) => Number(text.split(" ")[0]));
  assert.deepEqual(
    times,
    times.toSorted((x, y) => x - y),
  );
  for (const index of [0, 10, 74, 140, 149]) {
    const rest = await readAll(source, { roots: [root], cursor: all[index]?.cursor });
    assert.deepEqual(
      textsOf(rest).toSorted(),
      textsOf(all.slice(index + 1)).toSorted(),
      `behind line ${index}`,
    );
  }
  assert.deepEqual(textsOf(await readAll(source, { roots: [root], tailLines: 5 })), textsOf(all.slice(-5)));
});

test("a cursor whose file is gone is cursor_gone with the nearest one, which works", async (t) => {
  const root = await tempDir(t);
  const path = join(root, "0.log");
  await writeFile(`${path}.20261129-100000`, "2026-11-29T10:00:00Z stdout F old\n");
  await writeFile(path, "2026-11-29T10:00:01Z stdout F new 1\n2026-11-29T10:00:02Z stdout F new 2\n");
  const source = sourceOf([{ path, isEnded: true }]);
  const [old] = await readAll(source, { roots: [root] });
  await rm(`${path}.20261129-100000`);
  const error = await refusalOf(readAll(source, { roots: [root], cursor: old?.cursor }));
  assert.equal(error.code, "cursor_gone");
  const rest = await readAll(source, { roots: [root], cursor: String(error.members.cursor) });
  assert.deepEqual(textsOf(rest), ["new 1", "new 2"]);
});

test("only regular files below the roots are read, and dockerd's own link", async (t) => {
  const root = await tempDir(t);
  const outside = await tempDir(t);
  const id = "c".repeat(64);
  const secret = join(outside, "secret");
  await writeFile(secret, "2026-11-29T10:00:00Z stdout F secret\n");
  const refused = async (path: string): Promise<void> => {
    const error = await refusalOf(readAll(sourceOf([{ path, id, isEnded: true }]), { roots: [root] }));
    assert.equal(error.code, "log_not_readable", path);
  };
  await refused(secret);
  await refused(join(root, "..", outside.split("/").at(-1) ?? "", "secret"));
  await refused("");
  await refused("relative.log");
  await symlink(secret, join(root, "link.log"));
  await refused(join(root, "link.log"));
  await symlink(outside, join(root, "folder"));
  await refused(join(root, "folder", "secret"));
  await mkdir(join(root, "0.log"));
  await refused(join(root, "0.log"));

  const docker = join(outside, "containers", id);
  await mkdir(docker, { recursive: true });
  const json = (log: string): string =>
    `${JSON.stringify({ log, stream: "stdout", time: "2026-11-29T10:00:00Z" })}\n`;
  await writeFile(join(docker, `${id}-json.log.1`), json("rotated\n"));
  await writeFile(join(docker, `${id}-json.log`), json("docker\n"));
  const link = join(root, "docker.log");
  await symlink(join(docker, `${id}-json.log`), link);
  assert.deepEqual(textsOf(await readAll(sourceOf([{ path: link, id, isEnded: true }]), { roots: [root] })), [
    "rotated",
    "docker",
  ]);
  // Another container's log is not this one's.
  const another = sourceOf([{ path: link, id: "d".repeat(64), isEnded: true }]);
  const other = await refusalOf(readAll(another, { roots: [root] }));
  assert.equal(other.code, "log_not_readable");
});

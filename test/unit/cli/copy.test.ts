/** What `crest cp` does with the archives of a container that is hostile. */
import assert from "node:assert/strict";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { Header, type HeaderData, Pax } from "tar";
import { extraction, leadsOut } from "../../../src/cli/copy/extract.ts";
import { pack } from "../../../src/cli/copy/pack.ts";
import { placeOf } from "../../../src/cli/copy/place.ts";
import { readArchive } from "../../../src/cli/copy/read-archive.ts";
import { tempDir } from "../../support/temp-dir.ts";

interface Made extends HeaderData {
  readonly body?: string;
}

/** An archive, in pieces of so many bytes. */
async function* archive(entries: readonly Made[], pieceBytes = 10_000): AsyncGenerator<Uint8Array, void> {
  const all = Buffer.concat([...entries.map(bytesOf), Buffer.alloc(1024)]);
  for (let at = 0; at < all.length; at += pieceBytes) yield all.subarray(at, at + pieceBytes);
}

function bytesOf({ body = "", ...data }: Made): Buffer {
  const header = new Header({ mode: 0o644, size: body.length, type: "File", mtime: new Date(0), ...data });
  header.encode();
  return Buffer.concat([
    header.needPax ? new Pax({ path: data.path ?? "" }).encode() : Buffer.alloc(0),
    header.block ?? Buffer.alloc(0),
    Buffer.from(body),
    Buffer.alloc(-body.length & 511),
  ]);
}

/** Extracts into a fresh folder, beside a folder `outside` that must stay empty. */
async function world(t: TestContext) {
  const home = await tempDir(t);
  const target = join(home, "target");
  const outside = join(home, "outside");
  mkdirSync(outside);
  const left: string[] = [];
  async function extract(entries: readonly Made[], options: { root?: string[]; unsafeLinks?: boolean } = {}) {
    const { root = ["root"], unsafeLinks = false } = options;
    const files = extraction({
      ...{ target, root, unsafeLinks, umask: 0o022 },
      leftOut: (path) => left.push(path),
      written: () => undefined,
    });
    try {
      await readArchive(archive(entries), async (entry) => {
        await files.take(entry);
        return true;
      });
      await files.finish();
    } finally {
      assert.deepEqual(readdirSync(outside), []);
      assert.deepEqual(
        readdirSync(home).sort(),
        ["outside", "target"].filter((name) => existsSync(join(home, name))),
      );
    }
  }
  return { home, target, outside, left, extract };
}

const folderEntry = (path: string): Made => ({ path, type: "Directory", mode: 0o755 });
const linkEntry = (path: string, linkpath: string): Made => ({ path, type: "SymbolicLink", linkpath });

test("paths that lead out are refused", async (t) => {
  for (const path of [
    "/etc/passwd",
    "../outside/x",
    "root/../../outside/x",
    "root/..",
    "other/x",
    "roots/x",
    "..",
  ]) {
    const { extract } = await world(t);
    const entries = [folderEntry("root/"), { path, body: "x" }];
    await assert.rejects(
      extract(entries),
      { name: "StartError", message: /outside of what was asked for/ },
      path,
    );
  }
});

test("nothing is written through a link, of the archive or of an earlier copy", async (t) => {
  const { extract, target, outside } = await world(t);
  // Links come last, so that a folder is made in the place of the first one.
  await assert.rejects(
    extract([folderEntry("root/"), linkEntry("root/a", "../outside"), { path: "root/a/x", body: "x" }], {
      unsafeLinks: true,
    }),
    /there is a folder/,
  );
  assert.ok(lstatSync(join(target, "a")).isDirectory());
  symlinkSync(outside, join(target, "b"));
  await assert.rejects(
    extract([folderEntry("root/"), { path: "root/b/x", body: "x" }]),
    /symbolic link, which nothing/,
  );
  await assert.rejects(
    extract([folderEntry("root/"), folderEntry("root/b/")]),
    /symbolic link, which nothing/,
  );
  writeFileSync(join(target, "victim"), "kept");
  symlinkSync("victim", join(target, "c"));
  await extract([{ path: "root/c", body: "new" }]);
  assert.equal(readFileSync(join(target, "victim"), "utf8"), "kept");
  assert.equal(readFileSync(join(target, "c"), "utf8"), "new");
});

test("links that lead out are left out, however they are written", async (t) => {
  const { extract, left, target } = await world(t);
  const out = ["/etc", "..", "../..", "sub/../..", "./../outside", "deep/l1/..", "//x"];
  await extract([
    ...[folderEntry("root/"), folderEntry("root/deep/")],
    ...out.map((to, at) => linkEntry(`root/out${at}`, to)),
    ...[
      linkEntry("root/deep/l1", ".."),
      linkEntry("root/deep/up", "../out1"),
      linkEntry("root/in", "deep/./l1"),
    ],
  ]);
  assert.deepEqual(
    left,
    out.map((_, at) => `out${at}`),
  );
  assert.deepEqual(readdirSync(target).sort(), ["deep", "in"]);
  assert.deepEqual(readdirSync(join(target, "deep")).sort(), ["l1", "up"]);
  assert.ok(leadsOut([], "x"));
});

test("hard links lead to files of the same archive only", async (t) => {
  const { extract, target, outside } = await world(t);
  const hard = (path: string, linkpath: string): Made => ({ path, type: "Link", linkpath });
  await extract([{ path: "root/a", body: "x" }, hard("root/b", "root/a")]);
  assert.equal(statSync(join(target, "b")).ino, statSync(join(target, "a")).ino);
  writeFileSync(join(target, "secret"), "x");
  for (const to of ["/etc/passwd", "../outside/x", "root/secret", "root/none"])
    await assert.rejects(extract([hard("root/c", to)]), /outside of what|did not send before/);
  assert.ok(!existsSync(join(target, "c")));
  assert.deepEqual(readdirSync(outside), []);
});

test("devices are left out, and no file gets set-user-ID or more than the umask lets", async (t) => {
  const { extract, left, target } = await world(t);
  await extract([
    folderEntry("root/"),
    { path: "root/null", type: "CharacterDevice" },
    { path: "root/disk", type: "BlockDevice" },
    { path: "root/fifo", type: "FIFO" },
    { path: "root/suid", body: "x", mode: 0o7777 },
    { path: "root/closed/", type: "Directory", mode: 0o7000 },
  ]);
  assert.deepEqual(left, ["root/null", "root/disk", "root/fifo"]);
  assert.equal(statSync(join(target, "suid")).mode & 0o7777, 0o755);
  assert.equal(statSync(join(target, "closed")).mode & 0o7777, 0);
});

test("an archive that is cut, broken, compressed or has huge headers is refused", async (t) => {
  const { home } = await world(t);
  const whole = Buffer.concat([bytesOf({ path: "root", body: "x".repeat(2000) }), Buffer.alloc(1024)]);
  const huge = Buffer.concat([
    bytesOf({ path: "x", type: "ExtendedHeader", size: 3_000_000 }),
    Buffer.alloc(3_000_064),
    Buffer.alloc(1024),
  ]);
  const garbled = Buffer.from(whole);
  garbled[3] = 0xff;
  const cases: readonly (readonly [Buffer, RegExp])[] = [
    [whole.subarray(0, 1500), /cannot be read/],
    [whole.subarray(0, 2560), /ends too early/],
    [Buffer.alloc(0), /cannot be read/],
    [garbled, /cannot be read/],
    [Buffer.from("x".repeat(4096)), /cannot be read/],
    [Buffer.from([0x1f, 0x8b, 8, 0]), /it is compressed/],
    [huge, /longer than 1 MiB/],
  ];
  for (const [bytes, message] of cases) {
    const files = extraction({
      ...{ target: join(home, "target"), root: ["root"], unsafeLinks: false, umask: 0 },
      leftOut: () => undefined,
      written: () => undefined,
    });
    const reading = readArchive(
      (async function* () {
        yield bytes;
      })(),
      async (entry) => {
        await files.take(entry);
        return true;
      },
    );
    await assert.rejects(reading, { name: "StartError", message }, String(message));
  }
});

test("a connection that is lost in the middle of a file leaves no part of it", async (t) => {
  const { home, target } = await world(t);
  mkdirSync(target);
  const lost = new Error("The connection was lost");
  const files = extraction({
    ...{ target: join(target, "file"), root: ["root"], unsafeLinks: false, umask: 0 },
    leftOut: () => undefined,
    written: () => undefined,
  });
  const bytes = bytesOf({ path: "root", body: "x".repeat(200_000) });
  async function* cut() {
    yield bytes.subarray(0, 100_000);
    await setTimeout(20);
    throw lost;
  }
  const reading = readArchive(cut(), async (entry) => {
    await files.take(entry);
    return true;
  });
  await assert.rejects(reading, (error) => error === lost);
  assert.deepEqual(readdirSync(target), []);
  assert.deepEqual(readdirSync(home).sort(), ["outside", "target"]);
});

test("what is packed is read again, in pieces of any size", async (t) => {
  const folder = await tempDir(t);
  mkdirSync(join(folder, "in", "x".repeat(200)), { recursive: true });
  writeFileSync(join(folder, "in", "x".repeat(200), "ü".repeat(60)), "text");
  symlinkSync("y".repeat(300), join(folder, "in", "link"));
  const pieces: Uint8Array[] = [];
  for await (const piece of pack(join(folder, "in"), { name: "in", leftOut: () => undefined }))
    pieces.push(piece);
  const bytes = Buffer.concat(pieces);
  for (const size of [1, 511, 10_240]) {
    const seen: string[] = [];
    async function* cut() {
      for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
    }
    await readArchive(cut(), async (entry) => {
      seen.push(`${entry.type} ${entry.path} ${entry.linkpath ?? ""}`);
      entry.resume();
      return true;
    });
    assert.deepEqual(seen.sort(), [
      "Directory in/ ",
      `Directory in/${"x".repeat(200)}/ `,
      `File in/${"x".repeat(200)}/${"ü".repeat(60)} `,
      `SymbolicLink in/link ${"y".repeat(300)}`,
    ]);
  }
});

test("places are read as docker reads them", () => {
  const remote = (text: string) => {
    const place = placeOf(text);
    return place.kind === "remote"
      ? [place.container, place.path, place.isContents, place.isFolder]
      : place.kind;
  };
  assert.deepEqual(remote("web:/etc/x"), ["web", "/etc/x", false, false]);
  assert.deepEqual(remote("shop/web:etc/../a/"), ["shop/web", "/a", false, true]);
  assert.deepEqual(remote("web:/a/."), ["web", "/a", true, true]);
  assert.deepEqual(remote("web:/../.."), ["web", "/", true, true]);
  for (const local of ["./a:b", "/a:b", "a", "..", "../a:b"]) assert.equal(remote(local), "local");
  assert.equal(remote("-"), "stream");
  for (const wrong of ["", ":x", "web:"]) assert.throws(() => placeOf(wrong), { name: "StartError" });
});

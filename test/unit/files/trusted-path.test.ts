/** Files and folders that another user could change are refused: each test is a way to become root. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  closeSync,
  constants,
  lchownSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { createFile, openOwnFile, readTrustedFile, replaceFile } from "../../../src/files/trusted-file.ts";
import { makeTrustedFolder } from "../../../src/files/trusted-folder.ts";
import { checkEntries, UntrustedPathError } from "../../../src/files/trusted-path.ts";
import { tempDir } from "../../support/temp-dir.ts";

/** nobody */
const stranger = 65534;
const needsRoot = process.geteuid?.() === 0 ? false : "needs root, to give files to another user";

const untrusted = (message: string) => new UntrustedPathError(message);

test("makeTrustedFolder() makes a folder for its user only, below one that exists", async (t) => {
  const folder = join(await tempDir(t), "a", "b");
  assert.equal(await makeTrustedFolder(folder), folder);
  assert.equal(lstatSync(folder).mode & 0o7777, 0o700);
  chmodSync(folder, 0o755);
  assert.equal(await makeTrustedFolder(folder), folder, "others may read it");
});

test("makeTrustedFolder() refuses a folder of another user", { skip: needsRoot }, async (t) => {
  const folder = join(await tempDir(t), "theirs");
  mkdirSync(folder, { mode: 0o700 });
  chownSync(folder, stranger, stranger);
  const refusal = untrusted(
    `${folder} belongs to user ${stranger}, who can change what Crest finds there: run chown root ${folder} if you trust it`,
  );
  await assert.rejects(makeTrustedFolder(folder), refusal);
  await assert.rejects(makeTrustedFolder(join(folder, "new")), refusal, "and one below it");
  assert.deepEqual(readdirSync(folder), []);
});

test("makeTrustedFolder() refuses a folder that others may write to, sticky or not", async (t) => {
  const folder = join(await tempDir(t), "open");
  mkdirSync(folder);
  for (const mode of [0o777, 0o770, 0o775, 0o757, 0o720, 0o702]) {
    chmodSync(folder, mode);
    const written = mode.toString(8);
    await assert.rejects(
      makeTrustedFolder(folder),
      untrusted(`${folder} has mode ${written}, so others can add files to it: run chmod go-w ${folder}`),
    );
    await assert.rejects(
      makeTrustedFolder(join(folder, "new")),
      untrusted(
        `${folder} has mode ${written}, so others can replace what is below it: run chmod go-w ${folder}`,
      ),
    );
  }
  chmodSync(folder, 0o1777);
  await assert.rejects(
    makeTrustedFolder(folder),
    untrusted(
      `${folder} has mode 1777, so others can add files to it: use a folder of your own below it, for example ${folder}/crest`,
    ),
  );
});

test("makeTrustedFolder() takes its own folder below a sticky one, and not another user's", {
  skip: needsRoot,
}, async (t) => {
  const sticky = join(await tempDir(t), "tmp");
  mkdirSync(sticky);
  chmodSync(sticky, 0o1777);
  assert.equal(await makeTrustedFolder(join(sticky, "crest")), join(sticky, "crest"));
  mkdirSync(join(sticky, "squatted"), { mode: 0o700 });
  chownSync(join(sticky, "squatted"), stranger, stranger);
  await assert.rejects(makeTrustedFolder(join(sticky, "squatted", "data")), /squatted belongs to user 65534/);
  // A sticky folder does not keep its own owner from anything.
  chownSync(sticky, stranger, stranger);
  await assert.rejects(makeTrustedFolder(join(sticky, "crest")), /tmp belongs to user 65534/);
});

test("makeTrustedFolder() checks the folders on both sides of a symbolic link", {
  skip: needsRoot,
}, async (t) => {
  const folder = await tempDir(t);
  const [good, open] = [join(folder, "good"), join(folder, "open")];
  mkdirSync(join(good, "data"), { recursive: true });
  mkdirSync(join(open, "data"), { recursive: true });
  symlinkSync("good/data", join(folder, "to-good"));
  symlinkSync(join(open, "data"), join(folder, "to-open"));
  symlinkSync(join(good, "data"), join(open, "from-open"));
  chmodSync(open, 0o777);
  assert.equal(await makeTrustedFolder(join(folder, "to-good")), join(good, "data"));
  await assert.rejects(makeTrustedFolder(join(folder, "to-open")), /open has mode 777/);
  await assert.rejects(makeTrustedFolder(join(open, "from-open")), /open has mode 777/);
});

test("a symbolic link in a sticky folder must be of a trusted user", { skip: needsRoot }, async (t) => {
  const folder = await tempDir(t);
  const [data, sticky] = [join(folder, "data"), join(folder, "tmp")];
  mkdirSync(data);
  mkdirSync(sticky);
  chmodSync(sticky, 0o1777);
  const link = join(sticky, "crest");
  symlinkSync(data, link);
  assert.equal(await makeTrustedFolder(link), data);
  lchownSync(link, stranger, stranger);
  await assert.rejects(
    makeTrustedFolder(link),
    untrusted(
      `${link} belongs to user ${stranger}, who can change what Crest finds there: run chown -h root ${link} if you trust it`,
    ),
  );
});

test("symbolic links in a circle are followed as often as Linux does", async (t) => {
  const folder = await tempDir(t);
  symlinkSync("b", join(folder, "a"));
  symlinkSync("a", join(folder, "b"));
  await assert.rejects(makeTrustedFolder(join(folder, "a")), { code: "ELOOP" });
});

test("commands in refusals are quoted for a shell", async (t) => {
  const folder = join(await tempDir(t), "it's; here");
  mkdirSync(folder);
  chmodSync(folder, 0o777);
  const mend = await makeTrustedFolder(folder).catch((error: Error) => error.message.split(": run ")[1]);
  execFileSync("sh", ["-c", mend ?? ""]);
  assert.equal(await makeTrustedFolder(folder), folder);
});

test("checkEntries() refuses links, files and folders of others, and passes over what is not there", {
  skip: needsRoot,
}, async (t) => {
  const folder = await tempDir(t);
  const path = (name: string) => join(folder, name);
  mkdirSync(path("good"));
  mkdirSync(path("theirs"));
  chownSync(path("theirs"), stranger, stranger);
  mkdirSync(path("open"));
  chmodSync(path("open"), 0o1777);
  writeFileSync(path("file"), "");
  symlinkSync("good", path("link"));
  checkEntries([path("good"), path("absent")]);
  assert.throws(() => checkEntries([path("theirs")]), /theirs belongs to user 65534/);
  assert.throws(() => checkEntries([path("open")]), /open has mode 1777/);
  assert.throws(() => checkEntries([path("file")]), { code: "ENOTDIR" });
  assert.throws(
    () => checkEntries([path("good"), path("link")]),
    untrusted(`${path("link")} is a symbolic link: run rm ${path("link")}`),
  );
});

test("readTrustedFile() refuses what others may write, own or have put there, and does not wait for a pipe", {
  skip: needsRoot,
}, async (t) => {
  const folder = await tempDir(t);
  const path = join(folder, "file");
  writeFileSync(path, "text", { mode: 0o644 });
  assert.equal(readTrustedFile(path).toString(), "text");
  symlinkSync("file", join(folder, "link"));
  assert.equal(readTrustedFile(join(folder, "link")).toString(), "text");
  for (const mode of [0o666, 0o664, 0o646]) {
    chmodSync(path, mode);
    assert.throws(
      () => readTrustedFile(path),
      untrusted(`${path} has mode ${mode.toString(8)}, so others can write to it: run chmod go-w ${path}`),
    );
  }
  chmodSync(path, 0o600);
  chownSync(path, stranger, stranger);
  assert.throws(() => readTrustedFile(path), /file belongs to user 65534/);
  chownSync(path, 0, 0);
  chmodSync(folder, 0o777);
  assert.throws(() => readTrustedFile(path), new RegExp(`${folder} has mode 777`));
  chmodSync(folder, 0o700);
  execFileSync("mkfifo", [join(folder, "pipe")]);
  assert.throws(
    () => readTrustedFile(join(folder, "pipe")),
    untrusted(`${folder}/pipe is not a regular file`),
  );
  assert.throws(() => readTrustedFile("/dev/null"), untrusted("/dev/null is not a regular file"));
  assert.throws(() => readTrustedFile(folder), { code: "EISDIR" });
  assert.throws(() => readTrustedFile(join(folder, "absent")), { code: "ENOENT" });
});

test("a gateway that is not root trusts root and itself, and nobody else", { skip: needsRoot }, async (t) => {
  const folder = await tempDir(t);
  chmodSync(folder, 0o755);
  const paths = { root: 0, own: 12345, other: 12346 };
  for (const [name, owner] of Object.entries(paths)) {
    mkdirSync(join(folder, name));
    chownSync(join(folder, name), owner, owner);
  }
  const module = import.meta.resolve(`../../../src/files/trusted-folder${import.meta.url.slice(-3)}`);
  const script = `import { makeTrustedFolder } from ${JSON.stringify(module)};
    process.seteuid(${paths.own});
    for (const name of ["root", "own", "other"]) {
      const path = ${JSON.stringify(folder)} + "/" + name;
      console.log(await makeTrustedFolder(path).then(() => name, (error) => error.message));
    }`;
  const output = execFileSync(process.execPath, ["--input-type=module", "--eval", script], {
    encoding: "utf8",
  });
  const refusal = `${folder}/other belongs to user 12346, who can change what Crest finds there: run chown 12345 ${folder}/other if you trust it`;
  assert.deepEqual(output.trim().split("\n"), ["root", "own", refusal]);
});

test("openOwnFile() makes a file for its user only, and follows no link of either kind", async (t) => {
  const folder = await tempDir(t);
  const victim = join(folder, "victim");
  writeFileSync(victim, "precious", { mode: 0o600 });
  const path = join(folder, "file");
  closeSync(openOwnFile(path, constants.O_WRONLY));
  assert.equal(lstatSync(path).mode & 0o777, 0o600);
  symlinkSync(victim, join(folder, "symbolic"));
  linkSync(victim, join(folder, "hard"));
  assert.throws(
    () => openOwnFile(join(folder, "symbolic"), constants.O_WRONLY),
    untrusted(`${folder}/symbolic is a symbolic link: run rm ${folder}/symbolic`),
  );
  assert.throws(
    () => openOwnFile(join(folder, "hard"), constants.O_WRONLY),
    untrusted(`${folder}/hard is a hard link, one of 2 names of its file: run rm ${folder}/hard`),
  );
});

test("openOwnFile() refuses a file of another user", { skip: needsRoot }, async (t) => {
  const path = join(await tempDir(t), "file");
  writeFileSync(path, "");
  chownSync(path, stranger, stranger);
  assert.throws(() => openOwnFile(path, constants.O_WRONLY), /file belongs to user 65534/);
});

test("replaceFile() takes the place of a link, and leaves alone where it leads", async (t) => {
  const folder = await tempDir(t);
  const victim = join(folder, "victim");
  writeFileSync(victim, "precious");
  const path = join(folder, "file");
  for (const make of [symlinkSync, linkSync]) {
    make(victim, path);
    await replaceFile(path, "new");
    assert.deepEqual([readFileSync(path, "utf8"), readFileSync(victim, "utf8")], ["new", "precious"]);
    assert.ok(lstatSync(path).isFile());
    assert.equal(lstatSync(path).mode & 0o777, 0o600);
    renameSync(path, join(folder, "done"));
  }
  mkdirSync(join(folder, "folder"));
  await assert.rejects(replaceFile(join(folder, "folder"), "new"), { code: "EISDIR" });
  assert.deepEqual(readdirSync(folder).sort(), ["done", "folder", "victim"]);
});

test("createFile() says whether it made the file, and replaces nothing", async (t) => {
  const folder = await tempDir(t);
  const path = join(folder, "file");
  const made = await Promise.all(Array.from({ length: 10 }, (_, number) => createFile(path, `${number}`)));
  assert.equal(made.filter(Boolean).length, 1);
  assert.equal(readFileSync(path, "utf8"), `${made.indexOf(true)}`);
  assert.deepEqual([readdirSync(folder), lstatSync(path).nlink], [["file"], 1]);
});

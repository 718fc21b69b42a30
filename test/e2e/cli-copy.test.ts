/** `crest cp` on a real containerd: both ways, docker's rules for names, hostile archives, and containers without tar. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { Header, type HeaderData } from "tar";
import { runCommand } from "../contract/run-command.ts";
import { type FakeTerminalOptions, fakeTerminal } from "../support/fake-terminal.ts";
import { type Gateway, newFolder, removeFolder, startGateway } from "./support/gateway.ts";
import { reasonToSkip } from "./support/machine.ts";
import { exec, type Resource, runContainer, runPod } from "./support/pods.ts";

const skip = await reasonToSkip();
let gateway: Gateway;
let container: Resource;
const folders: string[] = [];

before(async () => {
  if (skip) return;
  gateway = await startGateway("up");
  container = await runContainer(gateway, await runPod(gateway));
});
after(async () => {
  await gateway?.close();
  for (const folder of folders) await removeFolder(folder);
});

function folder(): string {
  const made = newFolder();
  folders.push(made);
  return made;
}

const crest = (argv: readonly string[], options: FakeTerminalOptions = {}) =>
  runCommand({ port: Number(new URL(gateway.address).port) }, argv, { ...options, token: gateway.token });

async function copied(from: string, to: string, ...flags: string[]): Promise<void> {
  const ended = await crest(["cp", ...flags, from, to]);
  assert.deepEqual(ended, { code: 0, stdout: "", stderr: "" });
}

async function refused(message: RegExp, from: string, to: string, ...flags: string[]): Promise<void> {
  const { code, stderr } = await crest(["cp", ...flags, from, to]);
  assert.equal(code, 1, stderr);
  assert.match(stderr, message);
}

async function shell(script: string): Promise<string> {
  const { exitCode, stdout, stderr } = await exec(gateway, container, script);
  assert.equal(exitCode, 0, stderr);
  return stdout;
}

const inside = (path: string): string => `${container.id}:${path}`;

test("a tree goes in and comes out the same: modes, times, links, long and odd names", { skip }, async () => {
  const source = join(folder(), "tree");
  const deep = join(source, "a".repeat(90), "b".repeat(90), "c".repeat(90));
  mkdirSync(deep, { recursive: true });
  writeFileSync(join(deep, "deep.txt"), "deep\n");
  writeFileSync(join(source, "empty"), "");
  writeFileSync(join(source, "-n ämlich\n"), "odd\n");
  writeFileSync(join(source, "run.sh"), "#!/bin/sh\n");
  chmodSync(join(source, "run.sh"), 0o755);
  writeFileSync(join(source, "set"), "x");
  chmodSync(join(source, "set"), 0o4640);
  writeFileSync(join(source, "big"), Buffer.alloc(3_000_001, "0123456789"));
  symlinkSync("run.sh", join(source, "link"));
  symlinkSync("x".repeat(120), join(source, "dangling"));
  mkdirSync(join(source, "closed"));
  writeFileSync(join(source, "closed", "file"), "");
  utimesSync(join(source, "run.sh"), 1_000_000_000, 1_000_000_000);
  chmodSync(join(source, "closed"), 0o500);
  await copied(source, inside("/tmp/tree"));
  assert.equal(
    await shell("stat -c '%a %u %Y' /tmp/tree/run.sh /tmp/tree/set"),
    "755 0 1000000000\n640 0 ".concat(`${Math.floor(statSync(join(source, "set")).mtimeMs / 1000)}\n`),
  );
  const target = folder();
  await copied(inside("/tmp/tree"), target);
  const back = join(target, "tree");
  assert.deepEqual(
    listing(back),
    listing(source).map((line) => line.replace("4640", "640")),
  );
});

/** Each path, with its mode and what is in it. */
function listing(root: string): string[] {
  return readdirSync(root, { recursive: true, encoding: "utf8" })
    .sort()
    .map((path) => {
      const whole = join(root, path);
      const stats = lstatSync(whole);
      const content = stats.isSymbolicLink()
        ? readlinkSync(whole)
        : stats.isFile()
          ? createHash("sha256").update(readFileSync(whole)).digest("hex")
          : "";
      const mode = stats.isSymbolicLink() ? "link" : (stats.mode & 0o7777).toString(8);
      return `${JSON.stringify(path)} ${mode} ${content}`;
    });
}

test("names follow docker's rules in both directions", { skip }, async () => {
  const here = folder();
  writeFileSync(join(here, "file"), "one\n");
  mkdirSync(join(here, "folder"));
  writeFileSync(join(here, "folder", "inner"), "two\n");
  mkdirSync(join(here, "out"));
  await shell("mkdir -p /tmp/in");
  // Into a folder, by a new name, over a file.
  await copied(join(here, "file"), inside("/tmp/in"));
  await copied(join(here, "file"), inside("/tmp/in/renamed"));
  await copied(join(here, "file"), inside("tmp/in/renamed"));
  await copied(join(here, "folder"), inside("/tmp/in"));
  await copied(join(here, "folder"), inside("/tmp/in/new"));
  await copied(`${join(here, "folder")}/.`, inside("/tmp/in"));
  assert.equal(
    await shell("cd /tmp/in && find . -type f | sort"),
    "./file\n./folder/inner\n./inner\n./new/inner\n./renamed\n",
  );
  await refused(/there is no such folder in the container/, join(here, "file"), inside("/tmp/none/"));
  await refused(/tar in the container .* failed: .*none/, join(here, "file"), inside("/tmp/none/file"));
  await refused(/it is no folder in the container/, join(here, "folder"), inside("/tmp/in/file"));
  await refused(/ENOENT/, join(here, "nothing"), inside("/tmp/in"));

  const out = join(here, "out");
  await copied(inside("/tmp/in/file"), out);
  await copied(inside("/tmp/in/file"), join(out, "renamed"));
  await copied(inside("/tmp/in/file"), join(out, "renamed"));
  await copied(inside("/tmp/in/folder"), out);
  await copied(inside("/tmp/in/folder/"), join(out, "new"));
  await copied(inside("/tmp/in/folder/."), out);
  assert.deepEqual(
    listing(out).map((line) => line.split(" ")[0]),
    ['"file"', '"folder"', '"folder/inner"', '"inner"', '"new"', '"new/inner"', '"renamed"'],
  );
  await refused(/there is no such folder/, inside("/tmp/in/file"), `${join(out, "none")}/`);
  await refused(/it is no folder/, inside("/tmp/in/folder"), join(out, "file"));
  await refused(/tar in the container .* failed/, inside("/tmp/in/nothing"), out);
  await refused(/one of the two places is in a container/, "a", "b");
  await refused(/one of the two places is in a container/, inside("/a"), inside("/b"));
});

test("links are copied as they are, and -L follows the one that is named", { skip }, async () => {
  const out = folder();
  await shell(
    "mkdir -p /tmp/l/d && echo content > /tmp/l/d/file && ln -s d/file /tmp/l/to && ln -s /tmp/l/d /tmp/l/dir",
  );
  await refused(/Left out to: its link leads out/, inside("/tmp/l/to"), out);
  await copied(inside("/tmp/l/to"), join(out, "to"), "-L");
  assert.equal(readFileSync(join(out, "to"), "utf8"), "content\n");
  await copied(inside("/tmp/l/dir"), join(out, "dir"), "-L");
  assert.deepEqual(readdirSync(join(out, "dir")), ["file"]);
  await refused(/Left out dir: its link leads out, to \/tmp\/l\/d/, inside("/tmp/l"), join(out, "tree"));
  assert.equal(readlinkSync(join(out, "tree", "to")), "d/file");
  assert.ok(!existsSync(join(out, "tree", "dir")));
  await copied(inside("/tmp/l/."), join(out, "tree"), "--unsafe-links");
  assert.equal(readlinkSync(join(out, "tree", "dir")), "/tmp/l/d");
  symlinkSync(out, join(out, "here"));
  await copied(join(out, "here"), inside("/tmp/l/here"));
  assert.equal(await shell("readlink /tmp/l/here"), `${out}\n`);
});

test("archives go through stdin and stdout", { skip }, async () => {
  await shell("mkdir -p /tmp/s/one /tmp/s/two && echo text > /tmp/s/one/file");
  const terminal = fakeTerminal();
  const parts: Buffer[] = [];
  terminal.stdout._write = (part: Buffer, _encoding, done) => {
    parts.push(part);
    done();
  };
  const port = Number(new URL(gateway.address).port);
  const ended = await runCommand({ port }, ["cp", inside("/tmp/s/one"), "-"], {
    terminal,
    token: gateway.token,
  });
  assert.equal(ended.code, 0);
  const second = fakeTerminal();
  second.stdin.end(Buffer.concat(parts));
  const sent = await runCommand({ port }, ["cp", "-", inside("/tmp/s/two")], {
    terminal: second,
    token: gateway.token,
  });
  assert.deepEqual(sent, { code: 0, stdout: "", stderr: "" });
  assert.equal(await shell("cat /tmp/s/two/one/file"), "text\n");
  const shown = await crest(["cp", inside("/tmp/s/one"), "-"], { columns: 80 });
  assert.match(shown.stderr, /stdout is a terminal/);
});

test("a container whose tar is hostile writes nothing outside of the target", { skip }, async () => {
  const home = folder();
  const archive = (...entries: HeaderData[]): Buffer =>
    Buffer.concat([
      ...entries.map((entry) => {
        const header = new Header({ mode: 0o644, size: 0, type: "File", mtime: new Date(0), ...entry });
        header.encode();
        return header.block ?? Buffer.alloc(0);
      }),
      Buffer.alloc(1024),
    ]);
  const root: HeaderData = { path: "x/", type: "Directory", mode: 0o755 };
  const hostile: readonly (readonly [Buffer, RegExp])[] = [
    [archive(root, { path: "/tmp/crest-evil" }), /outside of what was asked for/],
    [archive(root, { path: "x/../../evil" }), /outside of what was asked for/],
    [
      archive(root, { path: "x/l", type: "SymbolicLink", linkpath: "../.." }),
      /Left out l: its link leads out/,
    ],
    [
      archive(root, { path: "x/l", type: "SymbolicLink", linkpath: home }, { path: "x/l/evil" }),
      /there is a folder/,
    ],
    [archive(root, { path: "x/h", type: "Link", linkpath: "/etc/passwd" }), /outside of what was asked for/],
    [archive(root, { path: "x/d", type: "CharacterDevice" }), /Left out x\/d: it is no file/],
    [archive(root, { path: "x/cut", size: 5000 }), /cannot be read/],
    [Buffer.from("no archive"), /cannot be read/],
  ];
  await shell("rm /bin/tar && printf '#!/bin/sh\\nexec cat /tmp/evil\\n' > /bin/tar && chmod 755 /bin/tar");
  try {
    for (const [index, [bytes, message]] of hostile.entries()) {
      await shell(`printf %s ${bytes.toString("base64")} | base64 -d > /tmp/evil`);
      mkdirSync(join(home, `${index}`));
      await refused(
        message,
        inside("/tmp/x"),
        join(home, `${index}`),
        ...(index === 3 ? ["--unsafe-links"] : []),
      );
    }
  } finally {
    await shell("rm /bin/tar && ln -s busybox /bin/tar");
  }
  assert.deepEqual(
    readdirSync(home),
    hostile.map((_, index) => `${index}`),
  );
  assert.ok(!existsSync("/tmp/crest-evil"));
});

test("a container without tar is told, and nothing is written", { skip }, async () => {
  const out = folder();
  await shell("rm /bin/tar");
  try {
    await refused(/has no tar, which cp needs/, inside("/etc/passwd"), out);
    await refused(/has no tar, which cp needs/, join(out), inside("/tmp"));
  } finally {
    await shell("ln -s busybox /bin/tar");
  }
  assert.deepEqual(readdirSync(out), []);
  const none = await crest(["cp", "0000:/etc/passwd", out]);
  assert.match(none.stderr, /"0000"/);
});

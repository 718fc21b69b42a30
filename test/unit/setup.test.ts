/** What `npm start` and `npm test` do first in a clone, with an npm and a compiler that only note that they were run. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { type TestContext, test } from "node:test";
import { repositoryRoot } from "../support/repository.ts";
import { tempDir } from "../support/temp-dir.ts";

const skip = process.platform === "win32" ? "needs a POSIX shell" : false;

/** Notes that it was run, and compiles: each source becomes a file in dist with the same text. */
const compiler = `
  const fs = require("fs");
  fs.appendFileSync("notes", "tsc\\n");
  for (const path of ["src/main", "src/other", "test/a.test"]) {
    if (!fs.existsSync(path + ".ts")) continue;
    fs.mkdirSync(require("path").dirname("dist/" + path), { recursive: true });
    fs.copyFileSync(path + ".ts", "dist/" + path + ".js");
  }
`;
const compilerPath = "node_modules/typescript/bin/tsc";
const recordPath = "node_modules/.package-lock.json";

interface Clone {
  /** `time`: what the file says it was changed at; default now. */
  write(path: string, text: string, time?: Date): void;
  setTime(path: string, time: Date): void;
  remove(path: string): void;
  read(path: string): string;
  has(path: string): boolean;
  /** Runs setup.mjs as `npm start` does. Returns what it ran, a line each. */
  setUp(options?: SetUpOptions): readonly string[];
}

interface SetUpOptions {
  readonly env?: { readonly [name: string]: string };
  /** Whether setup.mjs ends well; default true. */
  readonly succeeds?: boolean;
}

/** A clone whose packages are installed. */
async function createClone(t: TestContext): Promise<Clone> {
  const folder = await tempDir(t);
  const at = (path: string): string => join(folder, path);
  const write = (path: string, text: string, mode = 0o644): void => {
    mkdirSync(dirname(at(path)), { recursive: true });
    writeFileSync(at(path), text, { mode });
  };
  write("programs/npm", `#!/bin/sh\necho "npm $*" >>${at("notes")}\n`, 0o755);
  write(compilerPath, compiler);
  write("package.json", "{}");
  write("tsconfig.json", "{}");
  write("src/main.ts", "main");
  write("test/a.test.ts", "a test");
  write("package-lock.json", "{}");
  write(recordPath, "{}");
  const setTime = (path: string, time: Date): void => utimesSync(at(path), time, time);
  setTime(recordPath, later(60));
  return {
    write(path, text, time) {
      write(path, text);
      if (time !== undefined) setTime(path, time);
    },
    setTime,
    remove: (path) => rmSync(at(path)),
    read: (path) => readFileSync(at(path), "utf8"),
    has: (path) => existsSync(at(path)),
    setUp({ env = {}, succeeds = true } = {}) {
      rmSync(at("notes"), { force: true });
      const { status, stderr } = spawnSync(process.execPath, [join(repositoryRoot(), "src", "setup.mjs")], {
        cwd: folder,
        encoding: "utf8",
        env: { ...process.env, ...env, PATH: `${at("programs")}${delimiter}${process.env.PATH}` },
      });
      assert.equal(status === 0, succeeds, stderr);
      return existsSync(at("notes")) ? readFileSync(at("notes"), "utf8").trim().split("\n") : [];
    },
  };
}

const later = (seconds: number): Date => new Date(Date.now() + seconds * 1000);

test("setup.mjs installs packages that are missing, or older than the lock file, before it builds", {
  skip,
}, async (t) => {
  for (const outdate of [
    (clone: Clone) => clone.remove(recordPath),
    (clone: Clone) => clone.setTime("package-lock.json", later(120)),
  ]) {
    const clone = await createClone(t);
    outdate(clone);
    const [install = "", ...rest] = clone.setUp();
    assert.match(install, /^npm ci /);
    assert.deepEqual(rest, ["tsc"]);
  }
  const clone = await createClone(t);
  assert.deepEqual(clone.setUp(), ["tsc"]);
});

test("setup.mjs installs what builds it where NODE_ENV says production, too", { skip }, async (t) => {
  const clone = await createClone(t);
  clone.remove(recordPath);
  const [install = ""] = clone.setUp({ env: { NODE_ENV: "production" } });
  assert.match(install, / --include=dev( |$)/);
});

test("setup.mjs builds nothing when nothing has changed since its last build", { skip }, async (t) => {
  const clone = await createClone(t);
  assert.deepEqual(clone.setUp(), ["tsc"]);
  assert.deepEqual(clone.setUp(), []);
  clone.setTime("src/main.ts", later(0));
  clone.write("src/docs/style.css", "not compiled");
  assert.deepEqual(clone.setUp(), [], "neither a time nor a file that is not compiled matters");
});

/** What a person, git or npm may do to a clone between two starts. */
const changes: { readonly [what: string]: (clone: Clone) => void } = {
  "a source was changed to a text of the same length": (clone) => clone.write("src/main.ts", "niam"),
  "a source was added": (clone) => clone.write("src/other.ts", "other"),
  "a source was removed": (clone) => clone.remove("src/main.ts"),
  "a test was removed": (clone) => clone.remove("test/a.test.ts"),
  "tsconfig.json was changed": (clone) => clone.write("tsconfig.json", "{ }"),
  "package.json was changed": (clone) => clone.write("package.json", "{ }"),
  "another compiler was installed": (clone) => clone.write(recordPath, "{ }", later(60)),
  "an output was removed": (clone) => clone.remove("dist/src/main.js"),
  "an output was changed": (clone) => clone.write("dist/src/main.js", "edited"),
  "an output was added": (clone) => clone.write("dist/src/added.js", "added"),
};

for (const [what, change] of Object.entries(changes)) {
  test(`setup.mjs builds again, once, when ${what}`, { skip }, async (t) => {
    const clone = await createClone(t);
    clone.setUp();
    change(clone);
    assert.deepEqual(clone.setUp(), ["tsc"]);
    for (const name of ["src/main", "src/other", "src/added", "test/a.test"]) {
      const [source, built] = [`${name}.ts`, `dist/${name}.js`];
      assert.equal(clone.has(built), clone.has(source), built);
      if (clone.has(built)) assert.equal(clone.read(built), clone.read(source));
    }
    assert.deepEqual(clone.setUp(), []);
  });
}

/** Each breaks a build off after its output was written. */
const interruptions: { readonly [what: string]: string } = {
  "whose compiler failed": "process.exitCode = 2;",
  "that was killed": 'process.kill(process.ppid, "SIGKILL");',
};

for (const [what, end] of Object.entries(interruptions)) {
  test(`setup.mjs builds again after a build ${what}`, { skip }, async (t) => {
    const clone = await createClone(t);
    clone.setUp();
    clone.write("src/main.ts", "second");
    clone.write(compilerPath, `${compiler}\n${end}`);
    assert.deepEqual(clone.setUp({ succeeds: false }), ["tsc"]);
    clone.write(compilerPath, compiler);
    assert.deepEqual(clone.setUp(), ["tsc"]);
    // Also where the sources are again those of an earlier build that came to its end.
    clone.write(compilerPath, `${compiler}\n${end}`);
    clone.write("src/main.ts", "third");
    clone.setUp({ succeeds: false });
    clone.write(compilerPath, compiler);
    clone.write("src/main.ts", "second");
    assert.deepEqual(clone.setUp(), ["tsc"]);
  });
}

test("setup.mjs builds again when a source was changed while it built", { skip }, async (t) => {
  const clone = await createClone(t);
  clone.write(compilerPath, `${compiler}\nfs.writeFileSync("src/main.ts", "meanwhile");`);
  clone.setUp();
  clone.write(compilerPath, compiler);
  assert.deepEqual(clone.setUp(), ["tsc"]);
  assert.equal(clone.read("dist/src/main.js"), "meanwhile");
});

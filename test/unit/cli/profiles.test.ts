/** The servers that a user has given names: the file, and who writes it. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, type TestContext, test } from "node:test";
import { findCommand } from "../../../src/cli/find-command.ts";
import { runCommand } from "../../../src/cli/main.ts";
import { chooseServer } from "../../../src/cli/server/choose-server.ts";
import {
  configFolder,
  parseProfiles,
  profilesFileIn,
  readProfiles,
} from "../../../src/cli/server/profiles.ts";
import { fakeTerminal } from "../../support/fake-terminal.ts";
import { mainFile } from "../../support/spawn-crest.ts";
import { tempDir } from "../../support/temp-dir.ts";

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

const { PATH, HOME, XDG_CONFIG_HOME } = process.env;
const cwd = process.cwd();
after(() => {
  process.chdir(cwd);
  for (const [name, value] of Object.entries({ HOME, XDG_CONFIG_HOME })) {
    if (value === undefined) delete process.env[name];
    else process.env[name] = value;
  }
});

/** Runs `crest` in this process, with a folder of settings of its own. */
async function crest(folder: string, argv: readonly string[], input = ""): Promise<Ended> {
  process.chdir(folder);
  process.env.HOME = folder;
  delete process.env.XDG_CONFIG_HOME;
  const found = findCommand(argv);
  assert.ok(found.kind === "client");
  const terminal = fakeTerminal({ input });
  const code = await runCommand(found.name, found.argv, terminal);
  return { code, stdout: terminal.stdout.text(), stderr: terminal.stderr.text() };
}

/** Runs it in a process of its own. */
function spawned(folder: string, argv: readonly string[]): Promise<number | null> {
  const child = spawn(process.execPath, [mainFile(), ...argv], {
    env: { PATH, HOME: folder },
    cwd: folder,
    stdio: "inherit",
  });
  return new Promise((resolve, reject) => child.once("error", reject).once("close", resolve));
}

const fileOf = (folder: string): string => profilesFileIn(join(folder, ".config", "crest"));

test("servers are added, chosen, shown and forgotten, and no token is printed", async (t: TestContext) => {
  const folder = await tempDir(t);
  writeFileSync(join(folder, "token"), "secret-of-a-file\n", { mode: 0o600 });
  const outputs: Ended[] = [];
  const ran = async (argv: readonly string[], input?: string): Promise<Ended> => {
    const ended = await crest(folder, ["server", ...argv], input);
    outputs.push(ended);
    return ended;
  };
  assert.match((await ran(["list"])).stdout, /^local +yes +the gateway of this machine/m);
  await ran(["add", "one", "http://127.0.0.1:8585/", "--token-stdin", "--use"], "secret-of-stdin\n");
  await ran(["add", "two", "unix:run/crest.sock", "--token-file=token"]);
  const file = fileOf(folder);
  assert.equal(statSync(file).mode & 0o777, 0o600);
  const kept = join(folder, ".config", "crest", "tokens", "one");
  assert.equal(statSync(kept).mode & 0o777, 0o600);
  assert.equal(readFileSync(kept, "utf8"), "secret-of-stdin\n");
  const expected = {
    current: "one",
    servers: [
      { name: "one", address: "http://127.0.0.1:8585", tokenFile: kept },
      { name: "two", address: `unix:${folder}/run/crest.sock`, tokenFile: join(folder, "token") },
    ],
  };
  assert.deepEqual(JSON.parse((await ran(["list", "-o", "json"])).stdout), expected);
  assert.match((await ran(["list"])).stdout, /^one +yes +http:\/\/127\.0\.0\.1:8585 /m);
  assert.match((await ran(["show", "two"])).stdout, /^Address +unix:/m);

  assert.match((await ran(["use", "two"])).stderr, /talk to two/);
  assert.match(
    (await ran(["use", "tow"])).stderr,
    /^crest: tow: no server has this name, did you mean two\?$/m,
  );
  assert.match((await ran(["add", "one", "http://127.0.0.1:1"])).stderr, /is http:.* already.*--replace/);
  assert.equal((await ran(["add", "one", "http://127.0.0.1:1", "--replace"])).code, 0);
  assert.ok(!existsSync(kept), "the token of the replaced server is gone");
  await ran(["remove", "two"]);
  assert.ok(existsSync(join(folder, "token")), "a file that the user named stays");
  assert.equal(readProfiles(file).current, undefined);
  assert.equal((await ran(["use", "local"])).code, 0);
  for (const { stdout, stderr } of outputs) assert.doesNotMatch(stdout + stderr, /secret-of/);
});

test("writers at the same time lose nothing", async (t: TestContext) => {
  const folder = await tempDir(t);
  const names = ["a", "b", "c", "d"];
  const codes = await Promise.all(
    names.map((name) => spawned(folder, ["server", "add", name, `http://127.0.0.1:8585/${name}`])),
  );
  for (const code of codes) assert.equal(code, 0);
  const found = readProfiles(fileOf(folder)).servers.map(({ name }) => name);
  assert.deepEqual(found.toSorted(), names);
});

test("add refuses what no server can have", async (t: TestContext) => {
  const folder = await tempDir(t);
  writeFileSync(join(folder, "not-pem"), "hello\n");
  writeFileSync(join(folder, "two-lines"), "one\ntwo\n");
  const cases: readonly (readonly [readonly string[], RegExp])[] = [
    [["add"], /NAME is missing, write crest server add NAME URL/],
    [["add", "one"], /URL is missing/],
    [["ad", "one"], /ad: expected add, use, list, show, remove/],
    [["add", "http://host:1", "one"], /the name comes first, write crest server add one http:\/\/host:1/],
    [["add", "local", "http://host"], /the name of the gateway of this machine/],
    [["add", "a/b", "http://host"], /not a name for a server/],
    [["add", "-", "http://host"], /not a name for a server/],
    [["add", "x".repeat(65_536), "http://host"], /not a name for a server/],
    [["add", "one", "host:8585"], /write a URL, http:\/\/host:8585 or https:\/\/host:8585/],
    [["add", "one", "http://user:secret@host"], /^(?!.*secret).*write only host and path/],
    [["add", "one", "http://host?token=secret"], /^(?!.*secret).*write only host and path/],
    [["add", "one", "ftp://host"], /write a URL such as/],
    [["add", "one", "https://host", "--cert=x"], /--cert: needs --key, too/],
    [["add", "one", "http://host", "--ca=not-pem"], /--ca: only for https/],
    [["add", "one", "https://host", "--ca=absent"], /--ca=absent: cannot read it: ENOENT/],
    [["add", "one", "https://host", "--ca=not-pem"], /has no certificate, expected PEM/],
    [["add", "one", "http://host", "--token-file=two-lines"], /one line of printable ASCII/],
    [["add", "one", "http://host", "--token-file=x", "--token-stdin"], /either this or --token-file/],
    [["add", "one", "http://host", "--token-stdin"], /The token on stdin: empty/],
    [["list", "--use"], /--use: a flag of crest server add/],
    [["use", "one", "--token-file=x"], /--token-file: a flag of crest server add/],
    [["list", "one"], /one: unexpected argument, write crest server list/],
    [["list", "--server=x"], /--server: not a flag of crest server/],
  ];
  for (const [argv, message] of cases) {
    const { code, stderr } = await crest(folder, ["server", ...argv]);
    assert.equal(code, 1);
    assert.match(stderr, message);
    assert.equal(stderr.trimEnd().split("\n").length, 1, stderr);
  }
  assert.ok(!existsSync(fileOf(folder)), "nothing was written");
});

test("a file that is wrong, or that others may write, is refused with the place of the mistake", async (t: TestContext) => {
  const one = { name: "one", address: "http://127.0.0.1:1" };
  const cases: readonly (readonly [unknown, RegExp])[] = [
    [[], /^\/x: the file: expected an object/],
    [{ server: [] }, /^\/x: \/server: unknown, expected current, servers$/],
    [{ servers: {} }, /^\/x: \/servers: expected a list$/],
    [{ servers: [null] }, /^\/x: \/servers\/0: expected an object/],
    [{ servers: [{ name: "one" }] }, /^\/x: \/servers\/0\/address: expected a URL/],
    [{ servers: [{ ...one, address: "nowhere" }] }, /^\/x: \/servers\/0: address=nowhere: write a URL/],
    [{ servers: [{ ...one, name: "__proto__" }] }, /not a name for a server/],
    [
      { servers: [{ ...one, tokenFile: "token" }] },
      /^\/x: \/servers\/0\/tokenFile: expected an absolute path$/,
    ],
    [{ servers: [{ ...one, certFile: "/c" }] }, /expected both of certFile and keyFile/],
    [{ servers: [one, one] }, /^\/x: \/servers\/1\/name: one is the name of two servers$/],
    [{ servers: [one], current: "two" }, /^\/x: \/current: expected the name of one of the servers: one$/],
  ];
  for (const [value, message] of cases)
    assert.throws(() => parseProfiles(JSON.stringify(value), "/x"), { name: "StartError", message });
  assert.throws(() => parseProfiles("{", "/x"), /^StartError: \/x: not JSON: /);

  const folder = await tempDir(t);
  mkdirSync(join(folder, ".config", "crest"), { recursive: true });
  const file = fileOf(folder);
  writeFileSync(file, JSON.stringify({ servers: [one], current: "one" }));
  chmodSync(file, 0o666);
  assert.throws(() => readProfiles(file), /others can write to it: run chmod go-w/);
  assert.match((await crest(folder, ["server", "use", "one"])).stderr, /others can write to it/);
});

test("the folder of settings is that of the XDG specification", () => {
  assert.equal(configFolder({ HOME: "/home/a" }), "/home/a/.config/crest");
  assert.equal(configFolder({ HOME: "/home/a", XDG_CONFIG_HOME: "/etc/xdg" }), "/etc/xdg/crest");
  assert.equal(configFolder({ HOME: "/home/a", XDG_CONFIG_HOME: "relative" }), "/home/a/.config/crest");
  assert.equal(configFolder({}), undefined);
});

test("flags go before variables, those before the chosen server, and a named server brings its token", async (t: TestContext) => {
  const folder = await tempDir(t);
  const write = (name: string, text: string): string => {
    writeFileSync(join(folder, name), text, { mode: 0o600 });
    return join(folder, name);
  };
  mkdirSync(join(folder, "crest"));
  const servers = ["one", "two"].map((name, index) => ({
    name,
    address: `http://127.0.0.1:${index + 1}`,
    tokenFile: write(name, `token-of-${name}`),
  }));
  writeFileSync(join(folder, "crest", "servers.json"), JSON.stringify({ servers, current: "one" }));
  const choose = (env: object = {}, flags: object = {}): string => {
    const around = { env: { XDG_CONFIG_HOME: folder, ...env }, uid: 1000, cwd: folder };
    const { address, token } = chooseServer(flags, around);
    return `${address} ${token}`;
  };
  assert.equal(choose(), "http://127.0.0.1:1 token-of-one");
  assert.equal(choose({ CREST_SERVER: "two" }), "http://127.0.0.1:2 token-of-two");
  assert.equal(choose({ CREST_SERVER: "two" }, { server: "one" }), "http://127.0.0.1:1 token-of-one");
  const env = { CREST_TOKEN: "token-of-variable", CREST_SERVER: "two" };
  assert.equal(choose(env), "http://127.0.0.1:2 token-of-variable");
  // Its token, not one that may be another server's.
  assert.equal(choose(env, { server: "one" }), "http://127.0.0.1:1 token-of-one");
  assert.equal(choose(env, { server: "one", "token-file": "two" }), "http://127.0.0.1:1 token-of-two");
  assert.equal(choose({ CREST_TOKEN_FILE: "two" }), "http://127.0.0.1:1 token-of-two");
  assert.throws(() => choose({}, { server: "local", "token-file": "one" }), /HOME/);
});

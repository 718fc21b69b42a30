/** How commands reach a gateway: TLS, certificates, Unix sockets, what is no gateway. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { answerCompletion } from "../../src/cli/completion/answer.ts";
import { findCommand } from "../../src/cli/find-command.ts";
import { runCommand } from "../../src/cli/main.ts";
import { takeSocketLock } from "../../src/files/socket-lock.ts";
import { recordLocalGateway } from "../../src/local-gateway.ts";
import { loadTls } from "../../src/tls/identity.ts";
import { fakeTerminal } from "../support/fake-terminal.ts";
import { createAuthority } from "../support/spdy-certificate.ts";
import { sessionGateway, token } from "../support/spdy-gateway.ts";
import { tempDir } from "../support/temp-dir.ts";

interface World {
  readonly folder: string;
  /** Writes a file, and returns its path. */
  write(name: string, text: string): string;
  /** Runs `crest` with the variables. */
  crest(argv: readonly string[], input?: string): Promise<{ code: number; stdout: string; stderr: string }>;
}

async function newWorld(t: TestContext): Promise<World> {
  const folder = await tempDir(t);
  const variables = { XDG_CONFIG_HOME: folder, CREST_DATA_DIR: folder };
  const { XDG_CONFIG_HOME, CREST_DATA_DIR } = process.env;
  t.after(() => {
    for (const [name, value] of Object.entries({ XDG_CONFIG_HOME, CREST_DATA_DIR })) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  });
  Object.assign(process.env, variables);
  const write = (name: string, text: string): string => {
    writeFileSync(join(folder, name), text, { mode: 0o600 });
    return join(folder, name);
  };
  return {
    folder,
    write,
    async crest(argv, input) {
      const found = findCommand(argv);
      assert.ok(found.kind === "client");
      const terminal = fakeTerminal(input === undefined ? {} : { input });
      const code = await runCommand(found.name, found.argv, terminal);
      return { code, stdout: terminal.stdout.text(), stderr: terminal.stderr.text() };
    },
  };
}

test("a server with an authority and a client certificate needs no token", async (t) => {
  const { folder, write, crest } = await newWorld(t);
  const [servers, clients] = [createAuthority("servers"), createAuthority("clients")];
  const own = servers.issue("gateway");
  const files = {
    cert: write("tls.crt", own.cert),
    key: write("tls.key", own.key),
    clientCa: write("clients.crt", clients.cert),
  };
  const gateway = await sessionGateway(t, { tls: { files, identity: await loadTls(files) } });
  const certificates = [{ name: "alice", subject: "CN:alice", grants: { allow: { read: true } } }];
  writeFileSync(join(gateway.dataDir, "tokens.json"), JSON.stringify({ certificates }), { mode: 0o600 });
  const alice = clients.issue("alice");
  const [cert, key, ca] = [
    write("alice.crt", alice.cert),
    write("alice.key", alice.key),
    write("ca.crt", servers.cert),
  ];
  const url = `https://127.0.0.1:${gateway.port}`;
  const add = async (name: string, ...flags: readonly string[]): Promise<void> => {
    const added = await crest(["server", "add", name, url, ...flags]);
    assert.equal(added.code, 0, added.stderr);
  };
  await add("alice", `--ca=${ca}`, `--cert=${cert}`, `--key=${key}`);
  // A token that nobody knows makes the gateway read its tokens file now.
  write("unknown", "nobody-has-this-token");
  await crest(["ps", "--server=alice", `--token-file=${join(folder, "unknown")}`]);
  const listed = await crest(["ps", "--server=alice"]);
  assert.deepEqual([listed.code, listed.stderr], [0, ""]);
  assert.match(listed.stdout, /^CONTAINER/);

  const shown = await crest(["ps", "--server=alice", "--show-curl"]);
  assert.match(shown.stdout, new RegExp(`--cacert ${ca} --cert ${cert} --key ${key} `));
  assert.doesNotMatch(shown.stdout, /Authorization/);

  write("token", token);
  const withToken = `--token-file=${join(folder, "token")}`;
  await add("untrusting", withToken);
  const untrusting = await crest(["ps", "--server=untrusting"]);
  assert.equal(untrusting.code, 1);
  assert.match(
    untrusting.stderr,
    /^ {2}If it is the gateway's own certificate: crest server add NAME https:.* --ca=FILE/m,
  );
  await add("nobody", `--ca=${ca}`, withToken);
  const nobody = await crest(["ps", "--server=nobody"]);
  assert.match(nobody.stderr, /certificate required|The gateway may ask for a client certificate/i);
  const plain = await crest(["ps", `--server=http://127.0.0.1:${gateway.port}`, withToken]);
  assert.match(plain.stderr, /One with a certificate is at https:/);
});

test("the gateway of this machine is trusted by its own certificate, whatever host that names", async (t) => {
  const { folder, write, crest } = await newWorld(t);
  const own = createAuthority("unknown to anybody").issue("gateway");
  const files = { cert: write("tls.crt", own.cert), key: write("tls.key", own.key) };
  const gateway = await sessionGateway(t, { tls: { files, identity: await loadTls(files) } });
  const address = `https://localhost:${gateway.port}`;
  await recordLocalGateway(folder, { address, tokenFile: write("token", token), caFile: files.cert });
  const ended = await crest(["ps"]);
  assert.match(ended.stderr, /^crest: The gateway with the data folder .* has ended/);
  const lock = await takeSocketLock(join(folder, "gateway.lock"));
  assert.ok("close" in lock);
  t.after(() => lock.close());
  const listed = await crest(["ps"]);
  assert.deepEqual([listed.code, listed.stderr], [0, ""]);
  assert.equal((await crest(["ps", "--server=local"])).code, 0);
});

/** A server of HTTP that is no gateway. */
async function stranger(t: TestContext, answer: RequestListener): Promise<string> {
  const server = createServer(answer).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  t.after(() => void server.close());
  return `--server=http://127.0.0.1:${(server.address() as AddressInfo).port}/below`;
}

test("what is no gateway is told apart from a mistake", async (t) => {
  const { folder, write, crest } = await newWorld(t);
  write("token", token);
  const withToken = `--token-file=${join(folder, "token")}`;
  const asked: (string | undefined)[] = [];
  const redirecting = await stranger(t, (request, response) => {
    asked.push(request.url);
    response.writeHead(302, { location: "http://127.0.0.1:1/\u009b31m" }).end();
  });
  const redirected = await crest(["ps", redirecting, withToken]);
  assert.equal(redirected.code, 1);
  assert.match(
    redirected.stderr,
    /answers with a redirection to http:\/\/127\.0\.0\.1:1\/.*\\u009b31m, which no gateway does$/m,
  );
  assert.match(asked[0] ?? "", /^\/below\/v1\/containers\?/);

  const html = await stranger(t, (_request, response) => void response.end("<html>"));
  assert.match((await crest(["ps", html, withToken])).stderr, /not JSON\n {2}Is it a gateway of Crest\?/);
  const missing = await stranger(t, (_request, response) => void response.writeHead(404).end("<html>"));
  assert.match(
    (await crest(["ps", missing, withToken])).stderr,
    /status 404 is none of Crest's: <html>\n {2}Is it/,
  );
  const cut = await stranger(t, (request) => void request.socket.destroy());
  assert.match(
    (await crest(["ps", cut, withToken])).stderr,
    /Cannot reach .*\n {2}Is it a gateway of Crest\?/,
  );

  const nobody = await crest(["ps", "--server=http://127.0.0.1:1", withToken]);
  assert.match(
    nobody.stderr,
    /^crest: Cannot reach http:\/\/127\.0\.0\.1:1: .*ECONNREFUSED.*\n {2}Is the gateway running\?/,
  );
  for (const { stderr } of [redirected, nobody]) assert.doesNotMatch(stderr, new RegExp(token));
});

test("completion offers the names that are there, and none that a shell would run", async (t) => {
  const gateway = await sessionGateway(t);
  const { folder, write } = await newWorld(t);
  const { fake } = gateway;
  const pods = ["one", "two"].map((name) => fake.addPod({ name, namespace: "demo" }));
  for (const pod of pods) fake.addContainer({ pod, state: "running", name: "web" });
  const names = ["api", "$(reboot)", "-rf", "two words", "\u001b[31m"];
  for (const name of names) fake.addContainer({ state: "running", name });
  write("token", token);
  const flags = [`--server=http://127.0.0.1:${gateway.port}`, `--token-file=${join(folder, "token")}`];
  const offered = async (...words: readonly string[]): Promise<readonly string[]> => {
    const answer = await answerCompletion(["zsh", words[0] ?? "", ...flags, ...words.slice(1)]);
    return answer
      .trimEnd()
      .split("\n")
      .map((line) => line.split("\t")[0] ?? "");
  };
  const containers = await offered("exec", "");
  for (const name of ["api", "one/web", "two/web"]) assert.ok(containers.includes(name), `${containers}`);
  for (const name of containers) assert.match(name, /^[\w./-]+$/);
  assert.deepEqual((await offered("port-forward", "o")).toSorted(), ["one"]);
});

test("console prints a link that signs in once, and refuses what a browser cannot open", async (t) => {
  const gateway = await sessionGateway(t);
  const { folder, write, crest } = await newWorld(t);
  write("token", token);
  const withToken = `--token-file=${join(folder, "token")}`;
  const server = `http://127.0.0.1:${gateway.port}`;
  const { code, stdout } = await crest(["console", `--server=${server}`, withToken]);
  assert.equal(code, 0);
  const [, page, key] = /^(http:.*\/docs)#key=(\S+)\n$/.exec(stdout) ?? [];
  assert.equal((await fetch(page ?? "")).status, 200);
  const signIn = () =>
    fetch(`${server}/v1/sign-in`, { method: "POST", headers: { authorization: `Bearer ${key}` } });
  assert.equal((await signIn()).status, 201);
  assert.equal((await signIn()).status, 401);
  const socket = await crest(["console", "--server=unix:/nonexistent", withToken]);
  assert.match(socket.stderr, /^crest: A browser cannot open unix:/);
});

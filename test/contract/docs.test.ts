/** /docs over HTTP: what a stranger's browser gets, and that the lines of the page do what they say. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { WebSocket } from "undici";
import { createApp } from "../../src/app.ts";
import { parseCommandLine } from "../../src/config.ts";
import { connect } from "../../src/cri/channel.ts";
import { assets } from "../../src/docs/assets.ts";
import { errorTable } from "../../src/errors.ts";
import { docsPaths } from "../../src/http/docs.ts";
import { eventually } from "../support/eventually.ts";
import { tempDir } from "../support/temp-dir.ts";
import { type LiveGateway, liveGateway, token } from "./live-gateway.ts";
import { problemIn, rawAnswer } from "./raw-http.ts";
import { states } from "./table-cases.ts";

const policy =
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/** A request without a token, as a browser's navigation sends it, and as bytes: no client tidies the path. */
const ask = (gateway: LiveGateway, start: string, headers: readonly string[] = []) =>
  rawAnswer(
    gateway,
    `${start} HTTP/1.1\r\nHost: 127.0.0.1:${gateway.port}\r\n${headers.map((line) => `${line}\r\n`).join("")}\r\n`,
  );

const pages = docsPaths.filter((path) => path !== "/docs/");

test("pages and assets answer without a token, with a strict policy and their type", async (t) => {
  const gateway = await liveGateway(t);
  assert.deepEqual(pages.slice(0, 2), ["/docs", "/docs/problems"]);
  assert.equal(pages.length, 2 + assets.length);
  for (const path of pages) {
    const { status, headers, body } = await ask(gateway, `GET ${path}`);
    assert.equal(status, 200, path);
    assert.equal(headers["content-security-policy"], policy, path);
    assert.equal(headers["x-content-type-options"], "nosniff", path);
    assert.equal(headers["referrer-policy"], "no-referrer", path);
    assert.equal(headers["cross-origin-opener-policy"], "same-origin", path);
    const type = path.endsWith(".css") ? "text/css" : path.endsWith(".js") ? "text/javascript" : "text/html";
    assert.equal(headers["content-type"], `${type}; charset=utf-8`, path);
    assert.ok(body.length > 100, path);
  }
  assert.deepEqual(gateway.logged, []);
});

test("pages, assets and the document are compressed for who takes that", async (t) => {
  const gateway = await liveGateway(t);
  const get = async (path: string, coding: string) => {
    const headers = { "accept-encoding": coding };
    const response = await fetch(`http://127.0.0.1:${gateway.port}${path}`, { headers });
    return { headers: response.headers, text: await response.text() };
  };
  for (const path of [...pages, "/openapi.json"]) {
    const plain = await get(path, "identity");
    assert.equal(plain.headers.get("content-encoding"), null, path);
    const plainLength = Number(plain.headers.get("content-length"));
    const isSmall = plainLength < 1024;
    for (const coding of ["br", "gzip"]) {
      const coded = await get(path, coding);
      assert.equal(coded.text, plain.text, path);
      assert.equal(coded.headers.get("etag"), plain.headers.get("etag"), path);
      assert.equal(coded.headers.get("content-encoding"), isSmall ? null : coding, path);
      if (!isSmall) assert.ok(Number(coded.headers.get("content-length")) < plainLength * 0.6, path);
    }
    assert.equal(plain.headers.get("vary"), isSmall ? null : "Accept-Encoding", path);
  }
});

test("HEAD has the headers of GET and no body; a second GET with the ETag is 304", async (t) => {
  const gateway = await liveGateway(t);
  for (const path of pages) {
    const whole = await ask(gateway, `GET ${path}`);
    const etag = whole.headers.etag ?? "";
    assert.match(etag, /^W\/"[\w-]+"$/, path);
    const uncoded = { "accept-encoding": "identity" };
    const head = await fetch(`http://127.0.0.1:${gateway.port}${path}`, { method: "HEAD", headers: uncoded });
    assert.deepEqual([head.status, head.headers.get("etag"), await head.text()], [200, etag, ""], path);
    assert.equal(head.headers.get("content-length"), whole.headers["content-length"], path);
    const again = await ask(gateway, `GET ${path}`, [`If-None-Match: ${etag}`]);
    assert.deepEqual([again.status, again.body], [304, ""], path);
    assert.equal(again.headers["content-security-policy"], policy, path);
    assert.equal((await ask(gateway, `GET ${path}`, ['If-None-Match: "other"'])).status, 200, path);
  }
});

test("no path below /docs leads to a file that is not on the list", async (t) => {
  const gateway = await liveGateway(t);
  const outside = [
    "/docs/../package.json",
    "/docs/assets/../../errors.ts",
    "/docs/assets/../../../package.json",
    "/docs/assets/%2e%2e/%2e%2e/errors.ts",
    "/docs/assets/..%2f..%2ferrors.ts",
    "/docs/assets/..%5c..%5cerrors.ts",
    "/docs/assets//etc/passwd",
    "/docs/assets/tsconfig.json",
    "/docs/assets/",
    "/docs/assets/theme.css%00.js",
    "/docs/assets/theme.css/",
    "//docs",
  ];
  for (const path of outside) {
    const stranger = await ask(gateway, `GET ${path}`);
    assert.equal(stranger.status, 401, path);
    const known = await ask(gateway, `GET ${path}`, [`Authorization: Bearer ${token}`]);
    assert.ok(known.status === 404 || known.status === 400, `${path}: ${known.status}`);
    assert.equal(known.headers["content-type"], "application/problem+json", path);
  }
});

test("/docs/ leads to /docs, other methods are refused, and so is a foreign name of the gateway", async (t) => {
  const gateway = await liveGateway(t);
  const moved = await ask(gateway, "GET /docs/");
  assert.deepEqual([moved.status, moved.headers.location], [308, "/docs"]);
  assert.equal((await ask(gateway, "GET /docs?x=1")).status, 200);
  problemIn(await ask(gateway, "DELETE /docs"), { status: 405, code: "method_not_allowed" });
  const rebound = await rawAnswer(gateway, "GET /docs HTTP/1.1\r\nHost: evil.example\r\n\r\n");
  problemIn(rebound, { status: 403, code: "host_not_allowed" });
});

test("the type of a problem leads to its explanation", async (t) => {
  const gateway = await liveGateway(t);
  const answer = await ask(gateway, "GET /v1/pods");
  const { type } = problemIn(answer, { status: 401, code: "unauthenticated" });
  const [path, anchor] = String(type).split("#");
  const page = await ask(gateway, `GET ${path}`);
  assert.ok(page.body.includes(`id="${anchor}"`));
  for (const code of Object.keys(errorTable)) assert.ok(page.body.includes(`id="${code}"`), code);
});

/** What is wrong with a line rather than with the node: these would be the page's mistakes. */
const mistakes: ReadonlySet<unknown> = new Set([
  "invalid_request",
  "invalid_json",
  "unauthenticated",
  "route_not_found",
  "method_not_allowed",
  "unsupported_media_type",
  "not_acceptable",
  "upgrade_required",
]);

test("every curl line of the reference works in a shell", async (t) => {
  if (!(await runs("curl --json {} --version"))) return t.skip("curl does not know --json here");
  const gateway = await liveGateway(t);
  const tokenFile = join(gateway.dataDir, "token");
  await writeFile(tokenFile, `${token}\n`);
  const { body: page } = await ask(gateway, "GET /docs");
  const lines = page.split('<section class="operation" id="').flatMap((section) => {
    const markup = /<code class="curl">(.*?)<\/code>/s.exec(section)?.[1];
    return markup === undefined ? [] : [{ id: section.slice(0, section.indexOf('"')), markup }];
  });
  assert.ok(lines.length >= 36);
  for (const { id, markup } of lines) {
    const line = textOf(markup).replace("http://127.0.0.1:8585", `http://127.0.0.1:${gateway.port}`);
    const container = gateway.fake.addContainer({ state: states[id] ?? "running" });
    const variables = `CREST_TOKEN_FILE='${tokenFile}' containerId=${container.id} podSandboxId=${gateway.fake.addPod().id} pullId=a-pull tokenName=a-token sessionId=a-session image=busybox:1.36\n`;
    const output = await runs(`${variables}${line} -s -w '\\n%{http_code}'`);
    const status = Number(output?.trim().split("\n").at(-1));
    assert.ok(status >= 200 && status < 600, `${id}: ${output}`);
    const [problem = "{}"] = /^\{"type":"\/docs\/problems#.*$/m.exec(output ?? "") ?? [];
    const { code, detail } = JSON.parse(problem) as { code?: string; detail?: string };
    assert.ok(!mistakes.has(code), `${id}: ${line}\n${detail}`);
    if (id === "listPods" || id === "execSync") assert.equal(status, 200, output);
    if (id === "runPod") assert.equal(status, 201, output);
  }
});

test("the script of the guide to streams prints what happens", async (t) => {
  const gateway = await liveGateway(t);
  const { body: page } = await ask(gateway, "GET /docs");
  const guide = page.slice(page.indexOf('<section class="guide" id="streams"'));
  const [, markup = ""] = /<code class="script">(.*?)<\/code>/s.exec(guide) ?? [];
  const script = textOf(markup)
    .replace("http://127.0.0.1:8585", `http://127.0.0.1:${gateway.port}`)
    .replace("TOKEN", token);
  const printed: unknown[] = [];
  const log = (item: unknown) => printed.push(item);
  // Node 20 has none of its own.
  const socket: WebSocket = new Function("WebSocket", "console", `${script}; return socket;`)(WebSocket, {
    log,
  });
  t.after(() => socket.close());
  await eventually(() => printed.some((item) => (item as { type?: unknown }).type === "bookmark"));
});

test("the page names the token file to strangers only where everyone expects it, and its owner learns the path", async (t) => {
  const dataDir = await tempDir(t);
  const tokenFile = join(dataDir, "of alice", "token");
  for (const [env, uid, flags, shown] of [
    [{}, 0, [], "/var/lib/crest/token"],
    [{ HOME: "/home/alice" }, 1000, [], "~/.local/state/crest/token"],
    [{ HOME: "/home/alice", XDG_STATE_HOME: "/home/alice/s" }, 1000, [], '"$XDG_STATE_HOME"/crest/token'],
    [{ HOME: "/home/alice" }, 1000, ["--data-dir=/var/lib/crest"], "/var/lib/crest/token"],
    [{ HOME: "/home/alice" }, 0, [`--token-file=${tokenFile}`], '"$CREST_TOKEN_FILE"'],
    [{ HOME: "/home/alice" }, 0, ["--data-dir=/home/alice/crest"], '"$CREST_TOKEN_FILE"'],
  ] as const) {
    const command = parseCommandLine(["serve", "--listen=127.0.0.1:0", ...flags], env, { uid, cwd: "/" });
    assert.ok("config" in command);
    const { config } = command;
    const runtime = connect({ runtimeEndpoint: join(dataDir, "none.sock") });
    const app = createApp({ config, runtime, token, log: () => undefined });
    const ask = (url: string, headers = {}) =>
      app.server.inject({ url, headers: { host: "localhost", ...headers } });
    const page = await ask("/docs");
    const lines = [...page.payload.matchAll(/<code class="curl">(.*?)<\/code>/gs)].map(([, line = ""]) =>
      textOf(line),
    );
    assert.ok(lines.length > 30);
    for (const line of lines) assert.ok(line.includes(`Bearer $(cat ${shown})"`), line);
    assert.ok(!page.payload.includes("alice"), "a path of the node is nobody's business");
    const grants = await ask("/v1/grants", { authorization: `Bearer ${token}` });
    assert.equal(grants.json<{ tokenFile: string }>().tokenFile, config.tokenFile);
    await app.close();
    runtime.close();
  }
});

/** What a shell prints; undefined when it fails. */
function runs(command: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const shell = spawn("sh", ["-c", command], { stdio: ["ignore", "pipe", "ignore"] });
    let text = "";
    shell.stdout.on("data", (part: Buffer) => {
      text += part.toString("utf8");
    });
    shell.on("error", () => resolve(undefined));
    shell.on("close", (code) => resolve(code === 0 ? text : undefined));
  });
}

const entities: { readonly [name: string]: string } = { lt: "<", gt: ">", quot: '"', amp: "&" };

const textOf = (markup: string): string =>
  markup.replace(/<[^>]*>/g, "").replace(/&(\w+);/g, (_, name: string) => entities[name] ?? "");

/** A gateway inside another program: what the package's API promises. */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { Worker } from "node:worker_threads";
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  SimpleSpanProcessor,
} from "@opentelemetry/sdk-trace-base";
import { createGateway, type Gateway, type GatewayOptions, StartError, version } from "../../src/index.ts";
import { eventually } from "../support/eventually.ts";
import { createFakeRuntime, type FakeRuntime } from "../support/fake-runtime.ts";
import { selfSigned } from "../support/spdy-certificate.ts";
import { tempDir } from "../support/temp-dir.ts";

const token = "a-token-for-programs";

async function aRuntime(t: TestContext): Promise<FakeRuntime> {
  const fake = await createFakeRuntime({ manner: "containerd-2.1" });
  t.after(() => fake.close());
  return fake;
}

/** Options of a gateway that starts. */
async function optionsFor(t: TestContext, { socket }: FakeRuntime): Promise<GatewayOptions> {
  return { runtimeEndpoint: socket, dataDir: await tempDir(t), listen: "127.0.0.1:0", token };
}

async function statusOf(gateway: Gateway, path: string, bearer = token): Promise<number> {
  const answer = await fetch(gateway.address + path, { headers: { authorization: `Bearer ${bearer}` } });
  await answer.arrayBuffer();
  return answer.status;
}

test("createGateway() serves with the token and the grants that it was given, and makes no token file", async (t) => {
  const options = await optionsFor(t, await aRuntime(t));
  const gateway = createGateway({
    ...options,
    grants: { allow: { read: ["runtime", "pods"] }, deny: { read: ["pods"] } },
  });
  t.after(() => gateway.close());
  assert.throws(() => gateway.address, /await listen\(\)/);
  const address = await gateway.listen();
  assert.match(address, /^http:\/\/127\.0\.0\.1:[1-9]\d*$/);
  assert.equal(gateway.address, address);
  assert.equal(await gateway.listen(), address, "a second call gives the same");
  assert.equal(await statusOf(gateway, "/v1/version"), 200);
  assert.equal(await statusOf(gateway, "/v1/version", "another-token-altogether"), 401);
  for (const path of ["/v1/pods", "/v1/images"]) assert.equal(await statusOf(gateway, path), 403, path);
  assert.equal(gateway.tokenFile, undefined);
  assert.ok(!readdirSync(options.dataDir ?? "").includes("token"));
});

test("createGateway() without a token makes one in a file, readable to its owner only", async (t) => {
  const { token: _token, ...options } = await optionsFor(t, await aRuntime(t));
  const gateway = createGateway({ ...options, grants: { all: true } });
  t.after(() => gateway.close());
  await gateway.listen();
  assert.equal(gateway.tokenFile, join(options.dataDir ?? "", "token"));
  const made = readFileSync(gateway.tokenFile ?? "", "utf8").trim();
  assert.equal(await statusOf(gateway, "/v1/pods", made), 200);
});

test("createGateway() takes each form of an address, and certificates", async (t) => {
  const options = await optionsFor(t, await aRuntime(t));
  const path = join(await tempDir(t), "crest.sock");
  for (const listen of [{ path }, `unix:${path}`]) {
    const gateway = createGateway({ ...options, listen });
    assert.equal(await gateway.listen(), `unix:${path}`);
    await gateway.close();
    assert.equal(existsSync(path), false);
  }
  const { cert, key } = selfSigned();
  const [certFile, keyFile] = [
    join(options.dataDir ?? "", "tls.crt"),
    join(options.dataDir ?? "", "tls.key"),
  ];
  writeFileSync(certFile, cert);
  writeFileSync(keyFile, key, { mode: 0o600 });
  const listen = { host: "127.0.0.1", port: 0 };
  const gateway = createGateway({ ...options, listen, tls: { certFile, keyFile } });
  assert.match(await gateway.listen(), /^https:\/\/127\.0\.0\.1:\d+$/);
  await gateway.close();
});

test("two gateways in one process have their own tokens, grants and ends", async (t) => {
  const fake = await aRuntime(t);
  const one = createGateway({ ...(await optionsFor(t, fake)), grants: { allow: { read: true } } });
  const two = createGateway({ ...(await optionsFor(t, fake)), token: "the-token-of-the-second" });
  t.after(() => Promise.all([one.close(), two.close()]));
  await Promise.all([one.listen(), two.listen()]);
  assert.equal(await statusOf(one, "/v1/pods"), 200);
  assert.equal(await statusOf(two, "/v1/pods"), 401);
  assert.equal(await statusOf(two, "/v1/pods", "the-token-of-the-second"), 403);
  await one.close();
  await assert.rejects(statusOf(one, "/livez"));
  assert.equal(await statusOf(two, "/readyz"), 200);
});

test("a data folder is one gateway's at a time, and the next one's after close()", async (t) => {
  const options = await optionsFor(t, await aRuntime(t));
  const one = createGateway(options);
  t.after(() => one.close());
  await one.listen();
  const two = createGateway(options);
  await assert.rejects(two.listen(), {
    name: "StartError",
    message: /in use by .* choose another with dataDir$/,
  });
  await assert.rejects(two.closed, StartError);
  await two.close();
  await one.close();
  const three = createGateway(options);
  await three.listen();
  await three.close();
});

test("close() ends a gateway in whatever state it is, and may be called again", async (t) => {
  const options = await optionsFor(t, await aRuntime(t));
  const never = createGateway(options);
  await Promise.all([never.close(), never.close()]);
  await never.closed;
  await assert.rejects(never.listen(), /The gateway was closed/);
  assert.deepEqual(readdirSync(options.dataDir ?? ""), [], "nothing was made");

  const starting = createGateway(options);
  const listening = starting.listen();
  const closing = starting.close();
  await assert.rejects(listening, /The gateway was closed/);
  await closing;

  const gateway = createGateway(options);
  await gateway.listen();
  await Promise.all([gateway.close(), gateway.close()]);
  await gateway.close();
  await gateway.closed;
  await assert.rejects(statusOf(gateway, "/livez"));
});

test("listen() that fails names the option, and leaves nothing", async (t) => {
  const options = await optionsFor(t, await aRuntime(t));
  const path = join(options.dataDir ?? "", "none", "socket");
  const gateway = createGateway({ ...options, listen: { path } });
  await assert.rejects(gateway.listen(), {
    name: "StartError",
    message: `Cannot listen on ${path}: its folder does not exist, choose another with listen`,
  });
  await assert.rejects(gateway.closed, StartError);
  await gateway.close();
  const again = createGateway(options);
  await again.listen();
  await again.close();
});

test("an AbortSignal closes the gateway, and is let go of when it is closed", async (t) => {
  const options = await optionsFor(t, await aRuntime(t));
  const before = createGateway({ ...options, signal: AbortSignal.abort(new Error("too late")) });
  await assert.rejects(before.listen(), /too late/);

  const during = new AbortController();
  const starting = createGateway({ ...options, signal: during.signal });
  const listening = starting.listen();
  during.abort(new Error("changed my mind"));
  await assert.rejects(listening, /changed my mind/);
  await starting.closed;

  const after = new AbortController();
  const gateway = createGateway({ ...options, signal: after.signal });
  await gateway.listen();
  after.abort();
  await gateway.closed;
  await assert.rejects(statusOf(gateway, "/livez"));

  const kept = new AbortController();
  const added = t.mock.method(kept.signal, "addEventListener");
  const removed = t.mock.method(kept.signal, "removeEventListener");
  const closed = createGateway({ ...options, signal: kept.signal });
  await closed.listen();
  await closed.close();
  assert.equal(added.mock.callCount(), 1);
  const [, listener] = added.mock.calls[0]?.arguments ?? [];
  assert.ok(removed.mock.calls.some(({ arguments: [, one] }) => one === listener));
});

test("the logger hears in words of options that the gateway serves, and of failures with their request", async (t) => {
  const fake = await aRuntime(t);
  const heard: { level: string; message: string; details?: object | undefined }[] = [];
  const logger = Object.fromEntries(
    ["info", "warn", "error"].map((level) => [
      level,
      (message: string, details?: object) => heard.push({ level, message, details }),
    ]),
  ) as unknown as NonNullable<GatewayOptions["logger"]>;
  const gateway = createGateway({ ...(await optionsFor(t, fake)), grants: { all: true }, logger });
  t.after(() => gateway.close());
  await gateway.listen();
  assert.deepEqual(
    heard.map(({ level, message }) => [level, message.replace(/ at \S+$/, "")]),
    [
      [
        "info",
        `Crest serves ${gateway.address} in front of containerd ${/containerd (\S+)/.exec(heard[0]?.message ?? "")?.[1]}`,
      ],
    ],
  );
  fake.on("RuntimeService/Version", () => ({ version: 7 }) as never);
  assert.ok((await statusOf(gateway, "/v1/version")) >= 500);
  const failure = await eventually(() => heard.find(({ level }) => level !== "info"));
  const { path, method } = failure.details as { path?: string; method?: string };
  assert.deepEqual([method, path], ["GET", "/v1/version"]);
  const request = await eventually(() => heard.find(({ message }) => message === "GET /v1/version 502"));
  const { code, status, caller } = request.details as { code?: string; status?: number; caller?: string };
  assert.deepEqual([request.level, code, status, caller], ["info", "runtime_error", 502, "token"]);
});

test("tracerProvider receives a span for each request and each call to the runtime", async (t) => {
  const fake = await aRuntime(t);
  const exporter = new InMemorySpanExporter();
  const tracerProvider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });
  const options = { ...(await optionsFor(t, fake)), grants: { all: true } };
  const gateway = createGateway({ ...options, tracerProvider });
  t.after(() => gateway.close());
  await gateway.listen();
  assert.equal(await statusOf(gateway, "/v1/version"), 200);
  const spans = await eventually(() => {
    const ended = exporter.getFinishedSpans();
    return ended.length >= 2 && ended;
  });
  const [call, request] = spans;
  assert.deepEqual([call?.name, request?.name], ["runtime.v1.RuntimeService/Version", "GET /v1/version"]);
  assert.equal(call?.parentSpanContext?.spanId, request?.spanContext().spanId);
  assert.throws(
    () => createGateway({ tracerProvider, otlpEndpoint: "http://127.0.0.1:4318" }),
    /^StartError: tracerProvider: not together with otlpEndpoint/,
  );
  assert.throws(() => createGateway({ tracerProvider: {} as never }), /^StartError: tracerProvider: must be/);
});

test("logLevel decides what the logger hears, and debug entries need a logger that takes them", async (t) => {
  const fake = await aRuntime(t);
  const heard: string[] = [];
  const hear = (message: string): void => void heard.push(message);
  const open = async (options: Pick<GatewayOptions, "logLevel" | "logger">) => {
    const gateway = createGateway({ ...(await optionsFor(t, fake)), grants: { all: true }, ...options });
    t.after(() => gateway.close());
    await gateway.listen();
    await statusOf(gateway, "/livez");
    assert.equal(await statusOf(gateway, "/v1/version"), 200);
    await gateway.close();
    return heard.splice(0).filter((message) => message.startsWith("GET "));
  };
  const plain = { info: hear, warn: hear, error: hear };
  assert.deepEqual(await open({ logger: plain, logLevel: "warn" }), []);
  assert.deepEqual(await open({ logger: plain }), ["GET /v1/version 200"]);
  assert.deepEqual(await open({ logger: plain, logLevel: "debug" }), ["GET /v1/version 200"]);
  assert.deepEqual(await open({ logger: { ...plain, debug: hear }, logLevel: "debug" }), [
    "GET /livez 200",
    "GET /v1/version 200",
  ]);
  assert.throws(() => createGateway({ logLevel: "loud" as never }), /^StartError: logLevel: .*"loud"/);
});

test("createGateway() refuses what is no option, by the option's name", () => {
  const wrong: readonly (readonly [unknown, string | RegExp])[] = [
    [null, /^The options: must be an object/],
    [{ lisen: "127.0.0.1:0" }, "lisen: unknown option, did you mean listen?"],
    [{ listen: 8585 }, /^listen: must be an address such as 127\.0\.0\.1:8585.*, got 8585$/],
    [{ listen: { host: "127.0.0.1" } }, /^listen: must be an address .*, got \{"host":"127\.0\.0\.1"\}$/],
    [
      { listen: { host: "example.com", port: 1 } },
      /^listen "example\.com:1": "example\.com" is not an IP address/,
    ],
    [{ listen: "localhost" }, /^listen "localhost": not an address with a port/],
    [
      { listen: { host: "10.0.0.7", port: 1 } },
      "listen: not loopback, so TLS is required: add tls.certFile and tls.keyFile, or write 127.0.0.1:1",
    ],
    [
      { listen: "0.0.0.0:1", tls: { certFile: "/c", keyFile: "/k" } },
      "listen: this listens on all addresses, add acceptHost for each name that clients use",
    ],
    [{ tls: { certFile: "/c" } }, "tls.certFile: has no key, add tls.keyFile"],
    [{ tls: { cert: "/c" } }, /^tls\.cert: unknown option, did you mean tls\.certFile\?$/],
    [{ tls: true }, "tls: must be an object, got true"],
    [{ maxSessions: 0 }, "maxSessions: must be a whole number from 1 to 9999999, got 0"],
    [{ maxSessions: "10" }, /^maxSessions: must be a whole number .*, got "10"$/],
    [{ drainMs: 90_000_000 }, "drainMs: must be a whole number from 0 to 86400000, got 90000000"],
    [{ sessionIdleMs: Number.NaN }, /^sessionIdleMs: must be a whole number/],
    [{ maxBufferBytes: 1024 }, "maxBufferBytes: must be a whole number from 16777216, got 1024"],
    [{ token: "short" }, "token: must be one token of at least 16 printable characters, without spaces"],
    [{ token, tokenFile: "/t" }, "tokenFile: cannot be combined with token, omit one of them"],
    [{ runtime: "docker" }, /^runtime: unknown word "docker".*: use any of existing,embedded$/],
    [{ runtime: "embedded", runtimeEndpoint: "/r" }, /^runtimeEndpoint: only for the existing runtime/],
    [{ install: true }, /^install: only for the embedded runtime/],
    [{ runtimeEndpoint: "tcp://h:1" }, /^runtimeEndpoint "tcp:\/\/h:1": tcp is not supported/],
    [{ acceptHost: "a" }, 'acceptHost: must be a list of strings, got "a"'],
    [{ acceptHost: ["a", "*.b"] }, /^acceptHost "\*\.b": "\*\.b" has a wildcard/],
    [{ grants: { read: true } }, /^grants\.read: unknown option/],
    [
      { grants: { allow: { exce: true } } },
      "grants.allow.exce: unknown option, did you mean grants.allow.exec?",
    ],
    [
      { grants: { allow: { unmanaged: ["default"] } } },
      'grants.allow.unmanaged: must be true or false, got ["default"]',
    ],
    [
      { grants: { allow: { exec: ["a/b/c"] } } },
      /^grants\.allow\.exec "a\/b\/c": "a\/b\/c" has more than a namespace and a pod/,
    ],
    [
      { grants: { deny: { read: ["podz"] } } },
      /^grants\.deny\.read "podz": unknown word "podz" \(did you mean "pods"\?\): use any of pods,/,
    ],
    [
      { grants: { allow: { pull: ["ghcr.io/*"] } } },
      /^grants\.allow\.pull "ghcr\.io\/\*": .* has a wildcard/,
    ],
    [
      { grants: { allow: { pull: [] } } },
      /^grants\.allow\.pull: must be true or false, or a list of strings, got \[\]$/,
    ],
    [{ grants: { all: "yes" } }, 'grants.all: must be true or false, got "yes"'],
    [{ logger: { info() {} } }, /^logger: must have the functions info, warn and error/],
    [{ signal: {} }, "signal: must be an AbortSignal"],
  ];
  for (const [options, message] of wrong) {
    assert.throws(() => createGateway(options as GatewayOptions), { name: "StartError", message });
  }
});

test("a message never repeats the token that was given", () => {
  for (const secret of ["my secret token with spaces", "kurz"]) {
    assert.throws(
      () => createGateway({ token: secret }),
      (error: Error) => !error.message.includes(secret),
    );
  }
});

test("options that are undefined are as absent", async (t) => {
  const options = await optionsFor(t, await aRuntime(t));
  const gateway = createGateway({
    ...options,
    tls: undefined,
    maxSessions: undefined,
    grants: { all: undefined, allow: { read: undefined, exec: false }, deny: undefined },
    logger: undefined,
    signal: undefined,
  });
  await gateway.listen();
  assert.equal(await statusOf(gateway, "/v1/pods"), 403);
  await gateway.close();
});

const index = new URL(`../../src/index${import.meta.url.slice(-3)}`, import.meta.url).href;

test("a gateway serves in a worker thread, also on a Unix socket, and lets the thread end", async (t) => {
  const options = await optionsFor(t, await aRuntime(t));
  const path = join(await tempDir(t), "crest.sock");
  const worker = new Worker(
    `import { parentPort, workerData } from "node:worker_threads";
    const { createGateway } = await import(workerData.index);
    for (const listen of ["127.0.0.1:0", workerData.path]) {
      const gateway = createGateway({ ...workerData.options, listen, grants: { all: true } });
      const address = await gateway.listen();
      const headers = { authorization: "Bearer " + workerData.options.token };
      const status = address.startsWith("http") && (await fetch(address + "/v1/pods", { headers })).status;
      parentPort.postMessage([address, status]);
      await gateway.close();
    }`,
    { eval: true, workerData: { index, options, path: `unix:${path}` } },
  );
  const heard: unknown[][] = [];
  worker.on("message", (message: unknown[]) => heard.push(message));
  const [code] = await once(worker, "exit");
  assert.equal(code, 0);
  assert.deepEqual(
    heard.map(([, status]) => status),
    [200, false],
  );
  assert.equal(heard[1]?.[0], `unix:${path}`);
});

/** Notes what a program could see of a change, has a gateway serve, and prints what has changed. */
const observer = `
import * as grpc from "@grpc/grpc-js";
import { Http2SubchannelConnector } from "@grpc/grpc-js/build/src/transport.js";
import { createRequire, builtinModules } from "node:module";
const require = createRequire(${JSON.stringify(index)});
const { index, dial, options } = JSON.parse(process.argv[1]);

const places = { globalThis, process, "process.env": process.env };
for (const name of builtinModules) {
  if (/^(_|inspector|sys$|punycode|repl|trace_events|wasi|sea|sqlite|test)/.test(name)) continue;
  places[name] = require(name);
}
for (const [name, value] of Object.entries({ ...grpc, Http2SubchannelConnector })) {
  places["grpc " + name] = value?.prototype;
}
for (const name of Reflect.ownKeys(globalThis)) {
  const { value } = Reflect.getOwnPropertyDescriptor(globalThis, name);
  if (typeof value === "function") places[String(name)] = value;
  if (typeof value?.prototype === "object") places[String(name) + ".prototype"] = value.prototype;
}
const note = () => {
  const found = new Map();
  for (const [place, object] of Object.entries(places)) {
    if ((typeof object !== "object" && typeof object !== "function") || object === null) continue;
    for (const key of Reflect.ownKeys(object)) {
      const { value, get, set } = Reflect.getOwnPropertyDescriptor(object, key);
      for (const [what, one] of Object.entries({ value, get, set })) found.set([place, String(key), what].join(" "), one);
    }
  }
  for (const name of process.eventNames()) found.set("listeners of " + String(name), process.listenerCount(name));
  found.set("umask", process.umask());
  found.set("cwd", process.cwd());
  return found;
};
const before = note();
const { createGateway } = await import(index);
const imported = note();
const gateway = createGateway({ ...options, grants: { all: true } });
const address = await gateway.listen();
await new Promise((resolve, reject) => {
  const headers = { authorization: "Bearer " + options.token };
  require("node:http").get(address + "/v1/pods", { headers, agent: false }, (answer) => answer.resume().on("end", resolve)).on("error", reject);
});
await import(dial);
await gateway.close();
const after = note();
// Node replaces some accessors by values when they are first read: those tell nothing.
const isLazy = (from, key) => from.get(key.replace(/ (value|get|set)$/, " get")) !== undefined;
const changed = (from, to) => [...new Set([...from.keys(), ...to.keys()])].filter(
  (key) => !Object.is(from.get(key), to.get(key)) && !isLazy(from, key),
);
console.log(JSON.stringify({ byImport: changed(before, imported), byUse: changed(imported, after) }));
`;

test("importing the package and running a gateway changes nothing of the program, which then ends by itself", async (t) => {
  const options = await optionsFor(t, await aRuntime(t));
  const dial = new URL(`../../src/streaming/dial${import.meta.url.slice(-3)}`, import.meta.url).href;
  const child = spawn(
    process.execPath,
    ["--no-warnings", "--input-type=module", "--eval", observer, JSON.stringify({ index, dial, options })],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  let printed = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    printed += text;
  });
  const [code] = await once(child, "close");
  assert.equal(code, 0);
  assert.deepEqual(JSON.parse(printed), { byImport: [], byUse: [] });
});

test("the package says one version", () => {
  assert.match(version, /^\d+\.\d+\.\d+/);
});

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { type Command, type Config, envExample, parseCommandLine } from "../../src/config.ts";
import { StartError } from "../../src/errors.ts";
import { tempDir } from "../support/temp-dir.ts";

type Env = { readonly [name: string]: string | undefined };
interface Given {
  readonly env?: Env;
  /** path -> text */
  readonly files?: { readonly [path: string]: string };
  readonly uid?: number;
}

function parse(line: string | readonly string[], { env = {}, files = {}, uid = 0 }: Given = {}): Command {
  const argv = typeof line === "string" ? line.split(" ").filter((word) => word !== "") : line;
  const readFile = (path: string) => {
    const text = files[path];
    if (text === undefined) throw new Error(`ENOENT: no such file or directory, open '${path}'`);
    return text;
  };
  return parseCommandLine(argv, env, { uid, cwd: "/work", columns: 80, readFile });
}

function config(line: string | readonly string[], given?: Given): Config {
  const command = parse(line, given);
  assert.ok("config" in command, `${command.name} has no configuration`);
  return command.config;
}

function refused(line: string | readonly string[], given: Given | undefined, message: string | RegExp): void {
  assert.throws(
    () => parse(line, given),
    (error) => {
      assert.ok(error instanceof StartError, String(error));
      if (message instanceof RegExp) assert.match(error.message, message);
      else assert.equal(error.message, message);
      return true;
    },
  );
}

test("serve without flags has the defaults and no grant", () => {
  assert.deepEqual(parse("serve"), {
    name: "serve",
    config: {
      runtime: "existing",
      listen: { host: "127.0.0.1", port: 8585 },
      dataDir: "/var/lib/crest",
      tokenFile: "/var/lib/crest/token",
      tokensFile: "/var/lib/crest/tokens.json",
      tokenFileHint: "/var/lib/crest/token",
      acceptHost: ["localhost", "127.0.0.1", "[::1]"],
      maxSessions: 1000,
      sessionIdleMs: 14_400_000,
      sessionMaxMs: 0,
      sessionLingerMs: 60_000,
      execMaxMs: 3_600_000,
      statusGraceMs: 30_000,
      policy: "baseline",
      maxBufferBytes: 256 * 2 ** 20,
      anonymousLimits: { connections: 4096, requestsPerSecond: 100 },
      logLevel: "info",
      logMaxSizeBytes: 10 * 2 ** 20,
      logMaxFiles: 5,
      logKeepMs: 86_400_000,
      logTotalBytes: 2 ** 30,
      auditLevel: "changes",
      auditMaxSizeBytes: 100 * 2 ** 20,
      auditMaxFiles: 10,
      drainMs: 10_000,
      install: false,
      grants: { all: false, allow: {}, deny: {} },
    },
  });
});

test("a configuration is frozen to its depth", () => {
  const frozen = (value: unknown): boolean =>
    typeof value !== "object" ||
    value === null ||
    (Object.isFrozen(value) && Object.values(value).every(frozen));
  const line = "serve --allow-read=pods --deny-pull=docker.io --listen=unix:/run/crest.sock --accept-host=a";
  assert.ok(frozen(config(line)));
});

test("every setting arrives, from flags with = and with a space", () => {
  const expected = {
    runtime: "existing",
    runtimeEndpoint: "/run/a.sock",
    imageEndpoint: "/run/b.sock",
    listen: { host: "0.0.0.0", port: 443 },
    tls: { certFile: "/work/tls.crt", keyFile: "/tls.key", clientCaFile: "/clients.crt" },
    dataDir: "/data",
    streamHost: "::1",
    streamCaFile: "/work/ca.pem",
    tokenFile: "/secret/token",
    tokensFile: "/secret/tokens.json",
    jwt: {
      issuer: "https://login.example",
      audience: "crest",
      jwks: "/work/keys.json",
      algorithms: ["PS256"],
      grantsClaim: "rights",
    },
    tokenFileHint: '"$CREST_TOKEN_FILE"',
    acceptHost: ["localhost", "127.0.0.1", "[::1]", "crest.example", "10.1.2.3"],
    maxSessions: 7,
    sessionIdleMs: 90_000,
    sessionMaxMs: 7_200_000,
    sessionLingerMs: 60_000,
    execMaxMs: 90_000,
    statusGraceMs: 250,
    policy: "baseline",
    maxBufferBytes: 2 ** 30,
    callerLimits: {
      requestsPerSecond: 20,
      connections: 30,
      sessions: 4,
      streams: 5,
      pulls: 6,
      bodyBytes: 32 * 2 ** 20,
    },
    anonymousLimits: { connections: 70, requestsPerSecond: 8 },
    logLevel: "debug",
    otlpEndpoint: "https://collector:4318/otlp",
    logMaxSizeBytes: 64 * 1024,
    logMaxFiles: 3,
    logKeepMs: 7 * 86_400_000,
    logTotalBytes: 0,
    auditFile: "/work/audit.log",
    auditLevel: "all",
    auditMaxSizeBytes: 2 ** 20,
    auditMaxFiles: 2,
    auditWebhook: "https://audit.example/events",
    auditWebhookTokenFile: "/audit-token",
    drainMs: 0,
    install: false,
    grants: { all: true, allow: {}, deny: {} },
  };
  const flags = [
    ...["--runtime-endpoint=unix:///run/a.sock", "--image-endpoint=/run/b.sock", "--listen=0.0.0.0:443"],
    ...[
      "--tls-cert=tls.crt",
      "--tls-key=/tls.key",
      "--tls-client-ca=/clients.crt",
      "--drain=0",
      "--log-level=debug",
      "--otlp-endpoint=https://collector:4318/otlp/",
    ],
    ...["--data-dir=/data", "--stream-host=[::1]", "--stream-ca=ca.pem", "--token-file=/secret/token"],
    ...["--tokens-file=/secret/tokens.json", "--jwt-issuer=https://login.example", "--jwt-audience=crest"],
    ...["--jwt-jwks=keys.json", "--jwt-algorithms=PS256", "--jwt-grants-claim=rights"],
    ...["--accept-host=Crest.Example,10.1.2.3", "--allow-all", "--max-buffer=1GiB"],
    ...[
      "--max-sessions=7",
      "--session-idle=90s",
      "--session-max=2h",
      "--status-grace=250ms",
      "--log-max-size=64Ki",
      "--log-max-files=3",
      "--log-keep=7d",
      "--log-total=0",
      "--audit-file=audit.log",
      "--audit-level=all",
      "--audit-max-size=1Mi",
      "--audit-max-files=2",
      "--audit-webhook=https://audit.example/events",
      "--audit-webhook-token-file=/audit-token",
      "--exec-max=90s",
    ],
    ...["--caller-requests=20", "--caller-connections=30", "--caller-sessions=4", "--caller-streams=5"],
    ...["--caller-pulls=6", "--caller-bodies=32MiB", "--anonymous-connections=70", "--anonymous-requests=8"],
  ];
  assert.deepEqual(config(["serve", ...flags]), expected);
  const apart = flags.flatMap((flag) => flag.split("="));
  assert.deepEqual(config([...apart, "serve"]), expected);
});

test("flags beat the environment, which beats the file, setting by setting", () => {
  const files = {
    "/crest.env":
      "CREST_LISTEN=127.0.0.1:1\nCREST_DATA_DIR=/one\nCREST_TOKEN_FILE=/one/t\nCREST_ALLOW_READ=pods\n",
  };
  const env = { CREST_LISTEN: "127.0.0.1:2", CREST_DATA_DIR: "/two", CREST_ALLOW_READ: "images,stats" };
  const got = config("serve --config /crest.env --listen 127.0.0.1:3 --allow-read=events", { env, files });
  assert.deepEqual(got.listen, { host: "127.0.0.1", port: 3 });
  assert.equal(got.dataDir, "/two");
  assert.equal(got.tokenFile, "/one/t");
  assert.deepEqual(got.grants.allow, { read: ["events"] });
});

test("CREST_CONFIG names the file, and --config beats it", () => {
  const files = { "/a": "CREST_DATA_DIR=/from-a", "/work/b": "CREST_DATA_DIR=/from-b" };
  const env = { CREST_CONFIG: "/a" };
  assert.equal(config("serve", { env, files }).dataDir, "/from-a");
  assert.equal(config("serve --config=b", { env, files }).dataDir, "/from-b");
});

test("a file that is no text stops the start: its values would be other ones", async (t) => {
  const path = join(await tempDir(t), "crest.env");
  writeFileSync(path, Buffer.from("CREST_DATA_DIR=/srv/caf\xe9\n", "latin1"));
  assert.throws(() => parseCommandLine(["serve", `--config=${path}`], {}, { uid: 0 }), {
    name: "StartError",
    message: `--config=${path}: cannot be read: it is not UTF-8`,
  });
  writeFileSync(path, "CREST_DATA_DIR=/srv/café\n");
  const command = parseCommandLine(["serve", `--config=${path}`], {}, { uid: 0 });
  assert.equal("config" in command && command.config.dataDir, "/srv/café");
});

test("a file that cannot be read stops the start, with the place that named it", () => {
  refused("serve --config /none", {}, /^--config=\/none: cannot be read: ENOENT/);
  refused(
    "serve",
    { env: { CREST_CONFIG: "/none" } },
    /^CREST_CONFIG=\/none \(environment\): cannot be read/,
  );
});

test("the data folder is root's, or follows XDG_STATE_HOME, or HOME, or must be given", () => {
  const dataDir = (env: Env, uid = 1000) => config("serve", { env, uid }).dataDir;
  assert.equal(dataDir({ HOME: "/root", XDG_STATE_HOME: "/s" }, 0), "/var/lib/crest");
  assert.equal(dataDir({ HOME: "/home/a", XDG_STATE_HOME: "/s" }), "/s/crest");
  assert.equal(dataDir({ HOME: "/home/a", XDG_STATE_HOME: "relative" }), "/home/a/.local/state/crest");
  assert.equal(dataDir({ HOME: "/home/a" }), "/home/a/.local/state/crest");
  refused("serve", { uid: 1000 }, /^--data-dir: no default without HOME/);
  assert.equal(config("serve --data-dir=/d", { uid: 1000 }).tokenFile, "/d/token");
});

test("relative paths become absolute, and ~ is refused because nothing would expand it", () => {
  assert.equal(config("serve --data-dir=state/../d").dataDir, "/work/d");
  assert.deepEqual(config("serve --listen=unix:c.sock").listen, { path: "/work/c.sock" });
  refused("serve --data-dir=~/d", {}, "--data-dir=~/d: ~ is not expanded, write the full path");
});

test("listen takes loopback addresses with a port, and Unix sockets", () => {
  const listen = (address: string) => config(["serve", "--listen", address]).listen;
  assert.deepEqual(listen("127.0.0.1:0"), { host: "127.0.0.1", port: 0 });
  assert.deepEqual(listen("127.9.9.9:65535"), { host: "127.9.9.9", port: 65535 });
  assert.deepEqual(listen("[::1]:8585"), { host: "::1", port: 8585 });
  assert.deepEqual(listen("[0:0:0:0:0:0:0:1]:1"), { host: "::1", port: 1 });
  assert.deepEqual(listen("LocalHost:80"), { host: "localhost", port: 80 });
  assert.deepEqual(listen("unix:///run/crest.sock"), { path: "/run/crest.sock" });
  assert.deepEqual(listen(`unix:/${"a".repeat(106)}`), { path: `/${"a".repeat(106)}` });
});

test("the address of --listen may stand in a Host header", () => {
  assert.deepEqual(config("serve --listen=127.0.0.2:80 --accept-host=a").acceptHost, [
    ...["localhost", "127.0.0.1", "[::1]", "127.0.0.2", "a"],
  ]);
});

test("listen refuses what is not loopback without TLS, and takes it with TLS", () => {
  const tls = ["--tls-cert=/c", "--tls-key=/k"];
  for (const host of ["0.0.0.0", "[::]", "10.0.0.1", "[fd00::7]", "[::ffff:7f00:1]"]) {
    const remedy = "add --tls-cert=FILE and --tls-key=FILE, or write 127.0.0.1:80";
    refused(
      `serve --listen=${host}:80`,
      {},
      `--listen=${host}:80: not loopback, so TLS is required: ${remedy}`,
    );
    const { listen } = config(["serve", `--listen=${host}:80`, "--accept-host=a", ...tls]);
    assert.deepEqual(listen, { host: host.replace(/[[\]]/g, ""), port: 80 });
  }
  for (const host of ["example.org", "localhost.example", "127.1"]) {
    refused(
      ["serve", `--listen=${host}:80`, ...tls],
      {},
      /is not an IP address, and a name could later resolve to/,
    );
  }
  refused("serve --listen=:80", {}, "--listen=:80: missing host, write 0.0.0.0:80 for all addresses");
  refused(
    "serve",
    { env: { CREST_LISTEN: "10.0.0.1:80" } },
    /^CREST_LISTEN=10\.0\.0\.1:80 \(environment\): /,
  );
});

test("an address of its own may stand in a Host header, every address may not and needs another name", () => {
  const tls = ["--tls-cert=/c", "--tls-key=/k"];
  const always = ["localhost", "127.0.0.1", "[::1]"];
  const names = (...flags: readonly string[]) => config(["serve", ...tls, ...flags]).acceptHost;
  assert.deepEqual(names("--listen=[fd00::7]:80"), [...always, "[fd00::7]"]);
  assert.deepEqual(names("--listen=0.0.0.0:80", "--accept-host=n7"), [...always, "n7"]);
  for (const host of ["0.0.0.0", "[::]"]) {
    refused(
      ["serve", `--listen=${host}:80`, ...tls],
      {},
      `--listen=${host}:80: this listens on all addresses, add --accept-host=NAME for each name that clients use`,
    );
  }
});

test("TLS needs both files, and no Unix socket", () => {
  refused("serve --tls-cert=/c", {}, "--tls-cert=/c: has no key, add --tls-key=FILE");
  refused("serve --tls-key=/k", {}, "--tls-key=/k: has no certificate, add --tls-cert=FILE");
  refused("serve --tls-client-ca=/ca", {}, /^--tls-client-ca=\/ca: client certificates require TLS, add/);
  refused(
    "serve --listen=unix:/s --tls-cert=/c --tls-key=/k",
    {},
    "--listen=unix:/s: a Unix socket does not use TLS, omit --tls-cert and --tls-key",
  );
  assert.equal(config("serve --tls-cert=/c --tls-key=/k").tls?.certFile, "/c", "loopback may have it");
});

test("listen takes a socket that listens already", () => {
  assert.deepEqual(config("serve --listen=fd:3").listen, { fd: 3 });
  for (const bad of ["fd:0", "fd:2", "fd:", "fd:x", "fd:-1"]) {
    refused(`serve --listen=${bad}`, {}, /bad descriptor ".*": systemd's first socket is fd:3/);
  }
});

test("each value that does not read is refused by place, mistake and remedy", () => {
  const cases: readonly (readonly [string, string | RegExp])[] = [
    [
      "--listen=127.0.0.1:65536",
      '--listen=127.0.0.1:65536: bad port "65536": a port is a number from 0 to 65535',
    ],
    ["--listen=127.0.0.1:http", /bad port "http"/],
    ["--log-level=loud", /unknown word "loud": use any of error,warn,info,debug$/],
    ["--log-format=jsn", /unknown word "jsn" \(did you mean "json"\?\): use any of json,text$/],
    [
      "--otlp-endpoint=collector:4318",
      /not the address of an HTTP server, write http:\/\/127\.0\.0\.1:4318$/,
    ],
    ["--otlp-endpoint=http://u:p@collector", /must not contain a password, set OTEL_EXPORTER_OTLP_HEADERS/],
    ["--audit-webhook=http://audit.example", /must be https, http is for this machine only/],
    ["--audit-webhook=https://u:p@audit.example", /set --audit-webhook-token-file instead/],
    ["--audit-webhook-token-file=/t", /needs --audit-webhook=URL$/],
    ["--audit-level=none", /unknown word "none": use any of changes,all$/],
    ["--audit-max-files=1", /must be a whole number from 2 to 1000/],
    ["--otlp-endpoint=http://collector?x=1", /must not have a query or a fragment$/],
    ["--listen=127.0.0.1:-1", /bad port "-1"/],
    ["--listen=127.0.0.1:", /bad port ""/],
    [
      "--listen=127.0.0.1",
      /not an address with a port .*: write 127\.0\.0\.1:8585, \[::1\]:8585, unix:\/path or fd:3$/,
    ],
    ["--listen=8585", /not an address with a port/],
    ["--listen=::1:8585", /IPv6 in brackets/],
    ["--listen=http://127.0.0.1:1", /not an address with a port/],
    ["--listen=", "--listen=: empty, omit it for the default"],
    ["--listen=unix:", /missing path, write unix:\/path$/],
    ["--listen=unix://run/crest.sock", /missing path, write unix:\/path$/],
    [`--listen=unix:/${"a".repeat(107)}`, /the path has 108 bytes, a Unix socket allows at most 107/],
    [`--listen=unix:/${"é".repeat(54)}`, /the path has 109 bytes/],
    ["--data-dir=", /^--data-dir=: empty/],
    ["--token-file=", /^--token-file=: empty/],
    [
      "--runtime-endpoint=tcp://127.0.0.1:1",
      /tcp is not supported, only Unix sockets are: write unix:\/\/\/path$/,
    ],
    ["--runtime-endpoint=npipe:////./pipe/x", /npipe is not supported/],
    ["--runtime-endpoint=unix:", /missing path/],
    [`--image-endpoint=/${"a".repeat(107)}`, /108 bytes/],
    ["--stream-host=node.example", /not an IP address/],
    ["--stream-host=fe80::1%eth0", /not an IP address/],
    ["--accept-host=a,,b", "--accept-host=a,,b: empty item in the list, write A,B"],
    ["--accept-host=*.example", /has a wildcard/],
    ["--accept-host=crest.example:80", /has a port/],
    ["--accept-host=http://crest.example", /is not a host name/],
    ["--accept-host=a..b", /is not a host name/],
    ["--allow-verbose=maybe", "--allow-verbose=maybe: must be true or false (or 1, yes, on; 0, no, off)"],
    ["--allow-all=everything", /must be true or false/],
  ];
  for (const [flag, message] of cases) refused(["serve", flag], {}, message);
});

test("a bad value names the variable, or the line of the file", () => {
  const bad = /bad port "x"/;
  refused(
    "serve",
    { env: { CREST_LISTEN: "127.0.0.1:x" } },
    /^CREST_LISTEN=127\.0\.0\.1:x \(environment\): bad port/,
  );
  const files = { "/crest.env": "# where\n\nCREST_LISTEN=127.0.0.1:x\n" };
  refused(
    "serve --config=/crest.env",
    { files },
    /^CREST_LISTEN=127\.0\.0\.1:x \(\/crest\.env, line 3\): bad port/,
  );
  refused("serve --listen=127.0.0.1:x", { files }, bad);
});

test("an empty variable is refused, whether a default or a switch would be meant", () => {
  refused(
    "serve",
    { env: { CREST_DATA_DIR: "" } },
    "CREST_DATA_DIR= (environment): empty, omit it for the default",
  );
  refused(
    "serve",
    { env: { CREST_DENY_EXEC: "" } },
    "CREST_DENY_EXEC= (environment): empty, write true or false",
  );
  refused("serve", { env: { CREST_ALLOW_READ: " " } }, /empty, write true or false/);
});

test("an unknown flag is refused with the nearest one", () => {
  refused("serve --lisen=x", {}, "--lisen: unknown flag, did you mean --listen?");
  refused("serve -listen x", {}, "-listen: unknown flag, did you mean --listen?");
  refused("serve --allow-reed", {}, "--allow-reed: unknown flag, did you mean --allow-read?");
  refused("serve --exec", {}, "--exec: unknown flag, did you mean --allow-exec?");
  refused("serve --no-install", {}, "--no-install: unknown flag, did you mean --install?");
  refused("--lisen x serve", {}, "--lisen: unknown flag, did you mean --listen?");
  refused("serve --zzzzzz", {}, "--zzzzzz: unknown flag, see crest serve --help");
  refused("serve -x", {}, /^-x: unknown flag/);
});

test("an unknown variable is refused with the nearest one, in the environment and in the file", () => {
  const remedy = "unknown variable, did you mean CREST_LISTEN?";
  refused("serve", { env: { CREST_LISEN: "x" } }, `CREST_LISEN (environment): ${remedy}`);
  refused("serve --config=/c", { files: { "/c": "\nCREST_LISEN=x" } }, `CREST_LISEN (/c, line 2): ${remedy}`);
  refused(
    "serve",
    { env: { CREST_ZZZZZZ: "x" } },
    "CREST_ZZZZZZ (environment): unknown variable, see .env.example",
  );
  refused("serve --listen=127.0.0.1:1", { env: { CREST_LISEN: "x" } }, /^CREST_LISEN/);
});

test("what Kubernetes, the test suite and others put into the environment is left alone", () => {
  const env = {
    CREST_SERVICE_HOST: "10.0.0.1",
    CREST_SERVICE_PORT: "8585",
    CREST_SERVICE_PORT_HTTP: "8585",
    CREST_PORT: "tcp://10.0.0.1:8585",
    CREST_PORT_8585_TCP: "tcp://10.0.0.1:8585",
    CREST_PORT_8585_TCP_ADDR: "10.0.0.1",
    CREST_CONSOLE_SERVICE_HOST: "10.0.0.2",
    CREST_CONSOLE_SERVICE_PORT_HTTP: "80",
    CREST_CONSOLE_PORT: "tcp://10.0.0.2:80",
    CREST_CONSOLE_PORT_80_TCP_PROTO: "tcp",
    CREST_TEST_KEEP: "1",
    CRESTFALLEN: "1",
    PATH: "/bin",
  };
  assert.deepEqual(config("serve", { env }), config("serve"));
  refused("serve", { env: { CREST_CONSOLE_PORT: "80" } }, /^CREST_CONSOLE_PORT \(environment\): unknown/);
});

test("a file is for Crest alone: every other name in it is refused", () => {
  for (const name of ["CREST_PORT", "CREST_TEST_X", "HTTP_PROXY", "DENY_EXEC"]) {
    refused(
      "serve --config=/c",
      { files: { "/c": `${name}=1` } },
      new RegExp(`^${name} \\(/c, line 1\\): unknown`),
    );
  }
  refused("serve --config=/c", { files: { "/c": "CREST_CONFIG=/d" } }, /a file cannot name another one/);
});

test("a flag without its value does not take the next flag for it", () => {
  refused("serve --listen --data-dir /d", {}, "--listen: missing value, write --listen=ADDRESS");
  refused("serve --listen", {}, "--listen: missing value, write --listen=ADDRESS");
});

test("a single value that is given twice is refused, a switch that agrees with itself is not", () => {
  refused(
    "serve --listen=127.0.0.1:1 --listen=127.0.0.1:2",
    {},
    "--listen: given as --listen=127.0.0.1:1 and --listen=127.0.0.1:2, write it once",
  );
  assert.equal(config("up --install --install").install, true);
  refused("up --install --install=false", {}, /write it once/);
  assert.equal(config("up --install --install=yes").install, true);
});

test("commands are told from each other, and what is none is refused", () => {
  assert.deepEqual(parse("--version"), { name: "version" });
  assert.deepEqual(parse("serve --version"), { name: "version" });
  assert.equal(parse("up").name, "up");
  refused("sevre", {}, "sevre: unknown command, did you mean serve?");
  refused("frobnicate", {}, "frobnicate: unknown command, expected one of up, serve, openapi, policy, token");
  refused("--listen=x", {}, "--listen: missing command, write crest up or crest serve before the flags");
  refused("serve now", {}, "now: unexpected argument, crest serve takes only flags");
  refused("serve -- now", {}, /^now: unexpected argument/);
  refused("openapi --listen=x", {}, "--listen: crest openapi has no flags");
});

test("version does not look at the environment", () => {
  assert.deepEqual(parse("--version", { env: { CREST_LISEN: "x" } }), { name: "version" });
});

test("a flag of the other command is refused, its variable is not looked at", () => {
  refused("serve --install", {}, "--install: a flag of crest up, not of crest serve");
  refused("up --runtime-endpoint=/x", {}, "--runtime-endpoint: a flag of crest serve, not of crest up");
  const env = { CREST_INSTALL: "true", CREST_RUNTIME_ENDPOINT: "/run/x.sock" };
  assert.equal(config("serve", { env }).install, false);
  assert.equal(config("up", { env }).install, true);
  assert.equal(config("up", { env }).runtimeEndpoint, undefined);
});

test("any arguments and environment end in a command or a StartError", () => {
  const fragment = fc.oneof(
    fc.constantFrom(
      "serve",
      "up",
      "--",
      "-",
      "-A",
      "--allow-read",
      "--listen",
      "--help",
      "=",
      "--config",
      "help",
    ),
    fc.constantFrom(
      "--allow-pull=",
      "--listen=unix:",
      "--listen=[",
      "__proto__",
      "--__proto__",
      "--constructor=x",
    ),
    fc.string({ maxLength: 12 }),
    fc
      .tuple(fc.constantFrom("listen", "accept-host", "allow-pull", "stream-host"), fc.string())
      .map(([name, value]) => `--${name}=${value}`),
  );
  const env = fc.dictionary(
    fc.constantFrom("CREST_LISTEN", "CREST_DENY_READ", "CREST_X", "HOME"),
    fc.string(),
  );
  fc.assert(
    fc.property(fc.array(fragment, { maxLength: 5 }), env, (argv, variables) => {
      try {
        parse(argv, { env: variables });
      } catch (error) {
        assert.ok(error instanceof StartError, String(error));
        assert.ok(error.message.length > 10);
      }
    }),
    { numRuns: 3000 },
  );
});

test("envExample() says nothing until a line is uncommented", () => {
  const files = { "/c": envExample() };
  assert.deepEqual(config("serve --config=/c", { files }), config("serve"));
});

test("--metrics-listen, which takes no token, is refused where others reach it", () => {
  for (const [text, listen] of [
    ["127.0.0.1:9585", { host: "127.0.0.1", port: 9585 }],
    ["[::1]:0", { host: "::1", port: 0 }],
    ["localhost:9585", { host: "localhost", port: 9585 }],
    ["unix:/run/crest-metrics.sock", { path: "/run/crest-metrics.sock" }],
  ] as const)
    assert.deepEqual(config(`serve --metrics-listen=${text}`).metricsListen, listen);
  assert.equal(config("serve").metricsListen, undefined);
  for (const text of ["0.0.0.0:9585", "[::]:9585", "10.1.2.3:9585", "fd:3"])
    assert.throws(
      () => config(`serve --metrics-listen=${text} --tls-cert=/a --tls-key=/b --accept-host=a`),
      /^StartError: --metrics-listen=\S+: metrics have no token there, so it must be loopback or a Unix socket: write 127\.0\.0\.1:9585/,
    );
});

test("an allowed origin is written as browsers write it, and stands for one", () => {
  assert.deepEqual(config("serve --allow-origin=https://app.example,http://localhost:5173").allowOrigin, [
    "https://app.example",
    "http://localhost:5173",
  ]);
  const mistakes = {
    "*": /has a wildcard/,
    "https://*.example": /has a wildcard/,
    null: /any page can have the origin null/,
    "app.example": /is not an origin: write https:/,
    "ftp://app.example": /is not an origin/,
    "https://app.example/": /write https:\/\/app\.example$/,
    "https://APP.example": /write https:\/\/app\.example$/,
    "https://app.example:443": /write https:\/\/app\.example$/,
    "https://app.example/page": /write https:\/\/app\.example$/,
    "https://user@app.example": /write https:\/\/app\.example$/,
  };
  for (const [origin, message] of Object.entries(mistakes))
    assert.throws(() => config(`serve --allow-origin=${origin}`), { name: "StartError", message }, origin);
});

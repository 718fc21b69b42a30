import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { Value } from "@sinclair/typebox/value";
import { compileSchemas } from "../../src/codegen/compile-schemas.ts";
import { compiledFiles } from "../../src/codegen/compiled-files.ts";
import { checks } from "../../src/config/gen/settings.ts";
import type { GatewaySettings } from "../../src/config/options.ts";
import { optionsSchema, type Settings } from "../../src/config/schema.ts";
import { options, settings } from "../../src/config/settings.ts";
import { type Config, parseCommandLine } from "../../src/config.ts";

/** Without the difference between absent and undefined. */
type Defined<T> = T extends readonly unknown[]
  ? T
  : T extends object
    ? { readonly [K in keyof T]-?: Defined<Exclude<T[K], undefined>> }
    : T;
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : never;

test("the documented options are those of the schema, type by type", () => {
  // The compiler's side of it: true is not assignable to never.
  const isSame: {
    readonly [K in keyof Settings | keyof GatewaySettings]-?: Same<
      Defined<NonNullable<Settings[K]>>,
      Defined<NonNullable<GatewaySettings[K]>>
    >;
  } = {
    runtime: true,
    runtimeEndpoint: true,
    imageEndpoint: true,
    listen: true,
    metricsListen: true,
    token: true,
    tokenFile: true,
    tokensFile: true,
    jwt: true,
    tls: true,
    dataDir: true,
    streamHost: true,
    streamCaFile: true,
    acceptHost: true,
    allowOrigin: true,
    maxSessions: true,
    sessionIdleMs: true,
    sessionMaxMs: true,
    sessionLingerMs: true,
    execMaxMs: true,
    statusGraceMs: true,
    policy: true,
    maxBufferBytes: true,
    callerLimits: true,
    anonymousLimits: true,
    logLevel: true,
    otlpEndpoint: true,
    logMaxSizeBytes: true,
    logMaxFiles: true,
    logKeepMs: true,
    logTotalBytes: true,
    auditFile: true,
    auditLevel: true,
    auditMaxSizeBytes: true,
    auditMaxFiles: true,
    auditWebhook: true,
    auditWebhookTokenFile: true,
    drainMs: true,
    install: true,
    grants: true,
  };
  assert.deepEqual(Object.keys(isSame), Object.keys(optionsSchema.properties));
});

test("what is compiled of the schemas is current", () => {
  for (const [path, file] of Object.entries(compiledFiles)) {
    assert.ok(readFileSync(path, "utf8") === compileSchemas(file), `${path} is stale: npm run generate`);
  }
});

test("the compiled checks say the same as TypeBox", () => {
  const values: readonly unknown[] = [
    ...[undefined, null, true, false, 0, 1, -1, 1.5, 2 ** 24, 2 ** 40, "", "a", "embedded"],
    ...[
      [],
      {},
      ["a"],
      ["pods"],
      ["pods", "images"],
      [1],
      { host: "a", port: 1 },
      { host: "a", port: 65_536 },
    ],
    ...[
      { host: "a" },
      { path: "/a" },
      { path: "/a", port: 1 },
      { fd: 2 },
      { fd: 3 },
      "sixteen characters",
      "sixteen-characters",
    ],
  ];
  let accepted = 0;
  for (const [key] of options) {
    const schema = key
      .split(".")
      .reduce((at, name) => at?.properties[name], optionsSchema as never as Nested);
    for (const value of values) {
      const wanted = Value.Check(schema as never, value);
      if (wanted) accepted++;
      assert.equal(checks.options[key]?.(value), wanted, `${key}: ${JSON.stringify(value)}`);
    }
  }
  assert.ok(accepted > options.size);
});
type Nested = { readonly properties: { readonly [name: string]: Nested } } | undefined;

test("what is read has the types that the schema says", () => {
  const argv = [
    ...["serve", "--runtime-endpoint=/r", "--image-endpoint=/i", "--data-dir=/d", "--token-file=/t"],
    ...["--stream-host=::1", "--stream-ca=/c", "--accept-host=a", "--listen=127.0.0.1:1", "--drain=1s"],
    ...["--tls-cert=/c", "--tls-key=/k", "--tls-client-ca=/ca", "--allow-read=pods", "--allow-pull=a.b"],
  ];
  const command = parseCommandLine(argv, {}, { uid: 0, cwd: "/" });
  assert.ok("config" in command);
  const config: Config = command.config;
  const { tokenFileHint, ...read } = config;
  // The configuration of options is made of options.
  assert.ok(Value.Check(optionsSchema, read), JSON.stringify([...Value.Errors(optionsSchema, read)]));
  assert.equal(typeof tokenFileHint, "string");
  const change = () => {
    // @ts-expect-error frozen
    config.dataDir = "/";
  };
  assert.throws(change, TypeError);
});

test("no setting has a name that is left to Kubernetes or to the test suite", () => {
  for (const { variable } of settings) {
    assert.doesNotMatch(variable, /^CREST_(SERVICE_|PORT$|PORT_|TEST_)|_SERVICE_(HOST|PORT)|_PORT$|_PORT_/);
  }
});

test("each setting has one flag and one variable, in the same words", () => {
  for (const names of [settings.map(({ flag }) => flag), settings.map(({ variable }) => variable)]) {
    assert.equal(new Set(names).size, settings.length);
  }
  const setting = settings.find(({ key }) => key === "grants.allow.image-remove");
  assert.equal(setting?.flag, "--allow-image-remove");
  assert.equal(setting?.variable, "CREST_ALLOW_IMAGE_REMOVE");
});

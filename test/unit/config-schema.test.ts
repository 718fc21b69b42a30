import assert from "node:assert/strict";
import { test } from "node:test";
import * as TypeBox from "@sinclair/typebox";
import { schema, settings } from "../../src/config/schema.ts";
import { Type } from "../../src/config/setting.ts";
import { type Config, parseCommandLine } from "../../src/config.ts";

test("the builders make what TypeBox's own make", () => {
  const annotations = { group: "where", description: "d", format: "path" } as const;
  const unsafe = { ...annotations, type: "string" } as const;
  const build = (from: typeof Type) => {
    const text = from.String(annotations);
    const list = from.Array(from.String({ enum: ["a"] }), annotations);
    return from.Object({
      text,
      list,
      maybe: from.Optional(text),
      either: from.Union([from.Boolean({}), list], annotations),
      other: from.Unsafe<URL>(unsafe),
    });
  };
  assert.deepEqual(build(Type), build(TypeBox.Type as unknown as typeof Type));
});

test("TypeBox takes the schema for one of its own", () => {
  assert.ok(TypeBox.KindGuard.IsObject(schema));
  for (const [key, property] of Object.entries(schema.properties)) {
    assert.ok(TypeBox.KindGuard.IsSchema(property), key);
    const { form } = settings.find((setting) => setting.key === key) ?? {};
    assert.equal(form === "switch", TypeBox.KindGuard.IsBoolean(property), key);
    assert.equal(form === "switch-or-list", TypeBox.KindGuard.IsUnion(property), key);
    assert.equal(form === "list", TypeBox.KindGuard.IsArray(property), key);
  }
});

test("what is read has the types that the schema says", () => {
  const argv = [
    ...["serve", "--runtime-endpoint=/r", "--image-endpoint=/i", "--data-dir=/d", "--token-file=/t"],
    ...["--stream-host=::1", "--stream-ca=/c", "--accept-host=a", "--listen=127.0.0.1:1"],
  ];
  const command = parseCommandLine(argv, {}, { uid: 0, cwd: "/" });
  assert.ok("config" in command);
  const config: Config = command.config;
  for (const { key, form, text } of settings) {
    if (!(key in config) || key === "listen") continue;
    if (["duration", "count", "size"].includes(text.format ?? "")) {
      assert.equal(typeof config[key as keyof Config], "number", key);
      continue;
    }
    const value = config[key as keyof Config];
    const types = { text: "string", switch: "boolean", list: "object", "switch-or-list": "" };
    assert.equal(typeof value, types[form], key);
    assert.equal(Array.isArray(value), form === "list", key);
  }
  // The compiler's side of it.
  const listen:
    | { readonly host: string; readonly port: number }
    | { readonly path: string }
    | { readonly fd: number } = config.listen;
  const texts: readonly (string | undefined)[] = [
    config.runtimeEndpoint,
    config.streamHost,
    config.configFile,
  ];
  const given: readonly [string, string, boolean, readonly string[]] = [
    ...([config.dataDir, config.tokenFile] as const),
    config.install,
    config.acceptHost,
  ];
  const change = () => {
    // @ts-expect-error frozen
    config.dataDir = "/";
  };
  assert.throws(change, TypeError);
  assert.ok(listen && texts && given);
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
  const setting = settings.find(({ key }) => key === "allowImageRemove");
  assert.equal(setting?.flag, "--allow-image-remove");
  assert.equal(setting?.variable, "CREST_ALLOW_IMAGE_REMOVE");
});

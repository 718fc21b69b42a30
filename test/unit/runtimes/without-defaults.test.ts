/** Canonical JSON in short. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { encodeRequest, readLenient } from "../../../src/cri/codec.ts";
import { withoutDefaults } from "../../../src/runtimes/without-defaults.ts";
import { seed } from "../gen/dice.ts";
import { jsonOf } from "../gen/random.ts";
import { schemaOf } from "../gen/reference.ts";

const config = "PodSandboxConfig";
const wireOf = (value: object): string =>
  encodeRequest("RuntimeService/RunPodSandbox", { config: value }).toString("hex");

test("what has its type's default goes without saying", () => {
  const whole = readLenient(config, { hostname: "h", linux: { securityContext: {} } }) as object;
  assert.ok(JSON.stringify(whole).length > 200);
  assert.deepEqual(withoutDefaults(config, whole), { hostname: "h", linux: { securityContext: {} } });
});

test("messages, entries of maps and items of lists stay, whatever they hold", () => {
  const value = {
    dnsConfig: {},
    portMappings: [{}, { containerPort: 80 }],
    linux: {
      sysctls: { "net.a": "0", "net.b": "" },
      securityContext: { runAsUser: {}, supplementalGroups: ["0"], seccomp: { profileType: "Unconfined" } },
    },
  };
  const whole = readLenient(config, value) as object;
  assert.deepEqual(withoutDefaults(config, whole), value);
});

test(`the short form encodes to the same bytes (seed ${seed})`, () => {
  const property = fc.property(jsonOf(schemaOf(config)), (json) => {
    const whole = readLenient(config, json) as object;
    const short = withoutDefaults(config, whole);
    assert.equal(wireOf(short), wireOf(whole));
    assert.ok(JSON.stringify(short).length <= JSON.stringify(whole).length);
  });
  fc.assert(property, { seed, numRuns: 100 });
});

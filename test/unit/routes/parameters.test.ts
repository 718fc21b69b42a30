import assert from "node:assert/strict";
import { test } from "node:test";
import { Value } from "@sinclair/typebox/value";
import { checks } from "../../../src/routes/gen/parameters.ts";
import { routes } from "../../../src/routes/index.ts";
import { parameterSchemas } from "../../../src/routes/parameter-schemas.ts";
import { parametersFor } from "../../../src/routes/parameters.ts";

const ids = Object.keys(parameterSchemas) as (keyof typeof parameterSchemas)[];

test("the compiled checks of parameters say the same as TypeBox", () => {
  const values = [
    true,
    false,
    0,
    -1,
    3600,
    3601,
    86_400,
    86_401,
    1.5,
    Number.NaN,
    "",
    "utf8",
    "Warn",
    "warn",
    null,
  ];
  let accepted = 0;
  for (const id of ids) {
    for (const [name, schema] of Object.entries(parameterSchemas[id].properties)) {
      for (const value of values) {
        const wanted = Value.Check(schema, value);
        if (wanted) accepted++;
        assert.equal(checks[id][name]?.(value), wanted, `${id}.${name}: ${value}`);
      }
    }
  }
  assert.ok(accepted > ids.length);
});

test("parametersFor() has the default of each parameter, and it is one that the schema takes", () => {
  for (const id of ids) {
    for (const [name, parameter] of Object.entries(parametersFor(id))) {
      assert.notEqual(parameter.description, "", name);
      if (parameter.default !== undefined) assert.ok(parameter.check(parameter.default), name);
    }
  }
  assert.deepEqual(parametersFor("execSync").encoding?.words, ["utf8", "base64"]);
});

test("every schema of parameters belongs to a route, by its id", () => {
  const withOwn = routes.filter((route) => route.gatewayParams !== undefined).map(({ id }) => id);
  for (const id of ids.filter((one) => one !== "withBody")) assert.ok(withOwn.includes(id), id);
});

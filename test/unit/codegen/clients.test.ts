/** What the published document must keep to, so that generated clients are pleasant to use. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { methods } from "../../../src/gen/methods.ts";
import { routes } from "../../../src/routes/index.ts";
import { inputComponents, publishedDocument } from "../../support/openapi-document.ts";

const document = publishedDocument();
const components = document.components.schemas;

/** Each schema below `value`, by its JSON pointer. */
function* schemasIn(value: unknown, pointer = ""): Generator<readonly [pointer: string, schema: object]> {
  if (typeof value !== "object" || value === null) return;
  if (!Array.isArray(value)) yield [pointer, value];
  for (const [key, part] of Object.entries(value)) yield* schemasIn(part, `${pointer}/${key}`);
}

test("every object with properties is a component, so that its type has a name", () => {
  // Generators do not read what is in an extension of OpenAPI.
  const isRead = (pointer: string): boolean => !pointer.includes("/x-crest-");
  const nameless = [...schemasIn(document)].filter(
    ([pointer, schema]) =>
      "properties" in schema && isRead(pointer) && !/^\/components\/schemas\/\w+$/.test(pointer),
  );
  assert.deepEqual(nameless, []);
});

test("nothing is a choice of schemas: clients make a type of its own of each", () => {
  const choices = [...schemasIn(document)].filter(([, schema]) =>
    ["anyOf", "oneOf", "allOf"].some((keyword) => keyword in schema),
  );
  assert.deepEqual(choices, []);
});

test("what callers send is closed, what they get is open: a later gateway may say more", () => {
  const inputs = inputComponents(document);
  for (const [name, { properties, additionalProperties }] of Object.entries(components)) {
    if (properties === undefined) continue;
    assert.equal(additionalProperties, inputs.has(name) ? false : undefined, name);
  }
});

test("what an answer would be 404 without is required in it", () => {
  const demanding = routes.flatMap((route) =>
    route.kind === "unary" && route.notFoundUnless !== undefined
      ? [{ ...route, answer: route.notFoundUnless }]
      : [],
  );
  assert.ok(demanding.length > 0);
  for (const { id, rpc, answer } of demanding) {
    const component = components[methods[rpc].response.replace(/Response$/, "Reply")];
    assert.ok(component?.required?.includes(answer), `${id} may lack ${answer}`);
  }
});

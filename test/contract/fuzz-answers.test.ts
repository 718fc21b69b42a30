/** Random requests to every operation, right, nearly right and wrong: each is answered as the document says. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, test } from "node:test";
import fc, { type Arbitrary } from "fast-check";
import { narrowedDocument } from "../support/narrowed-document.ts";
import {
  bodySchemaOf,
  operationsOf,
  type Parameter,
  type PlacedOperation,
  publishedDocument,
  resolved,
} from "../support/openapi-document.ts";
import { createDice } from "../unit/gen/dice.ts";
import { createFuzzGateway, type FuzzGateway, type Subjects } from "./fuzz-gateway.ts";
import { valid } from "./fuzz-values.ts";
import { tornText } from "./fuzz-wounds.ts";
import { seed } from "./table-gateway.ts";

const numRuns = 60;
const image = "busybox:1.36";
const published = publishedDocument();
const narrowed = narrowedDocument(published);

let gateway: FuzzGateway;
let subjects: Subjects;
before(async () => {
  gateway = await createFuzzGateway();
});
after(() => gateway.close());

const word = fc.stringMatching(/^[a-z]{1,8}$/);
const strange = fc.oneof(
  fc.string({ unit: "binary", maxLength: 6 }),
  fc.string({ unit: "grapheme-ascii", maxLength: 12 }),
  fc.constantFrom(
    "",
    "%",
    "%zz",
    "a/b",
    "\u0000",
    "0",
    "-1",
    "true",
    "1e3",
    "007",
    "9".repeat(40),
    "x".repeat(2000),
  ),
);

/** What a person might name: what is there, by a part of its id too, and what is not. */
function subjectOf(name: string): Arbitrary<string> {
  const id = /^pod/.test(name)
    ? subjects.pod.id
    : /^(containerId|id)$/.test(name)
      ? subjects.container.id
      : image;
  return fc.oneof(
    { weight: 3, arbitrary: fc.constant(id) },
    { weight: 1, arbitrary: fc.nat(3).map((length) => id.slice(0, length)) },
    // A dot or two are no name: every client resolves them.
    { weight: 2, arbitrary: strange.filter((text) => !/^\.{1,2}$/.test(text)) },
  );
}

/** Values of a parameter: mostly right ones. A wait is never long, and what is followed would never end. */
function textOf(parameter: Parameter): Arbitrary<string> {
  if (parameter.name === "follow")
    return fc.oneof(
      fc.constantFrom("false", "0"),
      strange.filter((text) => !/^(1|t|true)?$/i.test(text)),
    );
  if (parameter.name === "timeout")
    return fc.oneof(
      fc.constant("0"),
      strange.filter((text) => !/^[1-9]/.test(text)),
    );
  if (/^(id|pod|image)$/.test(parameter.name)) return subjectOf(parameter.name);
  const { type, items } = resolved(published, parameter.schema);
  const schema = type === "array" ? (items ?? {}) : parameter.schema;
  return fc.oneof(
    { weight: 2, arbitrary: valid(published, schema, {}).map(String) },
    { weight: 1, arbitrary: strange },
  );
}

function urlOf({ path, parameters = [] }: PlacedOperation): Arbitrary<string> {
  const [subject] = parameters.filter((parameter) => parameter.in === "path");
  const known = parameters
    .filter((parameter) => parameter.in === "query")
    .map((parameter) => fc.tuple(fc.constant(parameter.name), textOf(parameter)));
  const unknown = fc.array(fc.tuple(word, strange), { maxLength: 1 });
  const given = known.length === 0 ? fc.constant([]) : fc.array(fc.oneof(...known), { maxLength: 3 });
  // Without a time it waits for a minute.
  const first: readonly [string, string][] = path.endsWith("/wait")
    ? [["timeout", "0"]]
    : path.endsWith("/watch")
      ? [["interval", "1s"]]
      : [];
  return fc
    .tuple(
      subject === undefined ? fc.constant("") : subjectOf(subject.name),
      fc.oneof({ weight: 5, arbitrary: given }, { weight: 1, arbitrary: unknown }),
    )
    .map(([named, pairs]) => {
      const query = new URLSearchParams([...first, ...pairs]);
      return `${path.replace(/\{\w+\}/, encodeURIComponent(named))}${query.size > 0 ? `?${query}` : ""}`;
    });
}

/** Text for an operation that takes a body, now and then for one that takes none. */
function bodyOf(operation: PlacedOperation): Arbitrary<string | undefined> {
  const schema = bodySchemaOf(operation);
  if (schema === undefined) {
    const some =
      operation.method === "GET" ? [undefined] : [undefined, undefined, "", "{}", "[]", "{", '{"a":1}'];
    return fc.constantFrom(...some);
  }
  const logDirectory = word.map((name) => join(gateway.dataDir, "logs", name));
  const value = valid(narrowed, schema, { logDirectory, logPath: word });
  return fc.tuple(value, fc.nat()).map(([body, wounds]) => tornText(body, createDice(wounds)));
}

test("every answer has a status, a media type and a body that its operation documents", async (t) => {
  for (const operation of operationsOf(published)) {
    await t.test(operation.operationId, async () => {
      subjects = gateway.newSubjects();
      const property = fc.asyncProperty(urlOf(operation), bodyOf(operation), async (url, body) => {
        await gateway.ask(operation, url, body);
      });
      // Usage takes two readings, a second apart.
      const isSlow = operation.path.endsWith("/watch");
      await fc.assert(property, { seed, numRuns: isSlow ? 12 : numRuns });
      assert.deepEqual(gateway.errors, []);
    });
  }
});

/** Random bodies that are right: taken in every form, and the runtime gets the same bytes of each. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { Ajv2020 } from "ajv/dist/2020.js";
import fc, { type Arbitrary } from "fast-check";
import { descriptors } from "../../src/gen/descriptors.ts";
import { narrowedDocument } from "../support/narrowed-document.ts";
import {
  bodySchemaOf,
  inputComponents,
  operationsOf,
  type PlacedOperation,
  publishedDocument,
  resolved,
} from "../support/openapi-document.ts";
import { protoName, tolerantDocument } from "../support/tolerant-document.ts";
import { createDice } from "../unit/gen/dice.ts";
import { createFuzzGateway, type FuzzGateway, type Subjects } from "./fuzz-gateway.ts";
import { type Json, type Peculiar, reformed, valid } from "./fuzz-values.ts";
import { unaryRoutes } from "./table-cases.ts";
import { fixedAnswer, ignoreNothing } from "./table-checks.ts";
import { seed } from "./table-gateway.ts";

const numRuns = 30;
const document = narrowedDocument(publishedDocument());
/** Those whose body goes to the runtime. */
const withBody = operationsOf(document).filter(
  (operation) =>
    bodySchemaOf(operation) !== undefined && unaryRoutes.some(({ id }) => id === operation.operationId),
);

let gateway: FuzzGateway;
let subjects: Subjects;
before(async () => {
  gateway = await createFuzzGateway();
  ignoreNothing(gateway.fake);
  subjects = gateway.newSubjects();
});
after(() => gateway.close());

const word = fc.stringMatching(/^[a-z]{1,8}$/);

const capabilities = fc.subarray(["NET_ADMIN", "CHOWN", "ALL"]);

/** What the gateway looks at itself: folders are really made, and a pod that has no uid gets a random one. */
const peculiar = (): Peculiar => ({
  uid: word,
  logDirectory: word.map((name) => join(gateway.dataDir, "logs", name)),
  logPath: word.map((name) => `${name}/0.log`),
  // With the node's network it is refused.
  hostname: word,
  network: fc.constantFrom("POD", "CONTAINER"),
  // Two of one pod are never the same.
  hostPort: fc.noBias(fc.integer({ min: 1, max: 65_535 })),
  hostIp: fc.constantFrom("", "127.0.0.1", "2001:db8::1"),
  addCapabilities: capabilities,
  dropCapabilities: capabilities,
  addAmbientCapabilities: capabilities,
  // 64-bit integers are strings, of which JSON Schema cannot say a range.
  timeout: fc.constantFrom("0", "10", "9223372036"),
  serverAddress: fc.constantFrom("", "https://registry.example", "registry.example:5000"),
  // containerd would ignore one.
  registryToken: fc.constant(""),
  oomScoreAdj: fc.constantFrom("-1000", "0", "1000"),
  cpuPeriod: fc.constantFrom("0", "1000", "1000000"),
  cpuQuota: fc.constantFrom("-1", "0", "1000", "9223372036854775807"),
});

const bodyOf = (operation: PlacedOperation): Arbitrary<Json> =>
  valid(document, bodySchemaOf(operation) ?? {}, peculiar());

const urlOf = ({ path }: PlacedOperation): string =>
  path.replace("{podSandboxId}", subjects.pod.id).replace("{containerId}", subjects.container.id);

test("a valid body is taken, in every form, and reaches the runtime as the same bytes", async (t) => {
  assert.ok(withBody.length > 0);
  for (const operation of withBody) {
    const route = unaryRoutes.find(({ id }) => id === operation.operationId);
    assert.ok(route, `${operation.operationId} is no unary route`);
    await t.test(operation.operationId, async () => {
      gateway.fake.on(route.rpc, fixedAnswer(route.rpc));
      const send = async (body: Json): Promise<readonly Buffer[]> => {
        const text = JSON.stringify(body);
        gateway.sent.length = 0;
        const answer = await gateway.ask(operation, urlOf(operation), text);
        assert.equal(answer.status, route.success, `${text}: ${answer.text}`);
        return gateway.sent.filter(({ rpc }) => rpc === route.rpc).map(({ bytes }) => bytes);
      };
      const property = fc.asyncProperty(bodyOf(operation), fc.nat(), async (body, choices) => {
        const canonical = await send(body);
        assert.equal(canonical.length, 1);
        const other = reformed(document, bodySchemaOf(operation) ?? {}, body, createDice(choices));
        assert.deepEqual(await send(other), canonical, JSON.stringify(other));
      });
      await fc.assert(property, { seed, numRuns });
    });
  }
  assert.deepEqual(gateway.errors, []);
});

test("the tolerant document has the proto file's names, and takes what the published one takes", () => {
  const known = new Set(
    Object.values(descriptors.messages).flatMap(({ fields }) =>
      fields.map(({ name, proto }) => `${name} ${proto}`),
    ),
  );
  for (const component of inputComponents(document, withBody)) {
    const { properties = {} } = resolved(document, { $ref: `#/components/schemas/${component}` });
    for (const name of Object.keys(properties)) assert.ok(known.has(`${name} ${protoName(name)}`), name);
  }
  const ajv = new Ajv2020({ strict: false, validateFormats: false });
  ajv.addSchema({ ...tolerantDocument(document), $id: "tolerant.json" });
  for (const operation of withBody) {
    const { $ref = "" } = bodySchemaOf(operation) ?? {};
    const validate = ajv.compile({ $ref: `tolerant.json${$ref}` });
    const property = fc.property(bodyOf(operation), (body) => {
      assert.ok(validate(body), ajv.errorsText(validate.errors));
    });
    fc.assert(property, { seed, numRuns });
  }
});

/**
 * Nothing of an answer is lost: every field comes back as the runtime sent it. Messages are derived from the
 * descriptor table and written by protobuf-es.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { methods } from "../../src/gen/methods.ts";
import type { UnaryRoute } from "../../src/routes/define.ts";
import { caseOf, listRoutes, targetOf, unaryRoutes } from "./table-cases.ts";
import { seed, sharedGateway } from "./table-gateway.ts";
import {
  canonicalResponse,
  fieldAt,
  fieldsOf,
  fullMessage,
  leafPaths,
  type Message,
  messageArbitrary,
  pathsIn,
  responseBytes,
  valueAt,
} from "./table-messages.ts";

const runs = { seed, numRuns: 15, includeErrorInReport: true };

const { fake, open } = await sharedGateway();

let readings = 0;

/** Readings of an id that was seen before get a CPU rate; these are all new. A rate of 0 is none in a first reading. */
function withNewIds(message: string, value: Message): Message {
  const copy: Message = {};
  for (const [name, member] of Object.entries(value)) {
    if (name === "usageNanoCores" && ((member as Message).value ?? "0") === "0") continue;
    const field = fieldAt(message, name);
    if (field.kind !== "message" || field.map) copy[name] = member;
    else if (field.repeated) copy[name] = (member as Message[]).map((item) => withNewIds(field.type, item));
    else copy[name] = withNewIds(field.type, member as Message);
  }
  if (!fieldsOf(message).some(({ name }) => name === "attributes")) return copy;
  readings++;
  return { ...copy, attributes: { ...(copy.attributes as object | undefined), id: `reading ${readings}` } };
}

/** A response that its route does not take for an absence. */
function present(route: UnaryRoute, message: Message): Message {
  if (route.notFoundUnless !== undefined) message[route.notFoundUnless] ??= {};
  return withNewIds(methods[route.rpc].response, message);
}

async function answerOf(route: UnaryRoute, response: Message): Promise<{ said: object; sent: object }> {
  const wire = responseBytes(route.rpc, response);
  const it = caseOf(fake, route);
  const stop = fake.on(route.rpc, wire);
  const answer = await open.ask(targetOf(it), it.json === undefined ? {} : { json: it.json });
  stop();
  assert.equal(answer.status, route.success, answer.text);
  assert.ok(answer.text.endsWith("}\n"));
  return { said: answer.json(), sent: canonicalResponse(route.rpc, wire) };
}

const answering = unaryRoutes.filter(({ success, renderer }) => success !== 204 && renderer === undefined);

test("every field of every answer comes back as it was sent", async (t) => {
  for (const route of answering) {
    await t.test(`${route.id}: ${route.rpc}`, async () => {
      const { response } = methods[route.rpc];
      const { said, sent } = await answerOf(route, present(route, fullMessage(response)));
      assert.deepEqual(said, sent);
      const missing = leafPaths(response).filter((path) => !pathsIn(response, said as Message).has(path));
      assert.deepEqual(missing, []);
    });
  }
});

test("an answer of which nothing is set has its defaults", async (t) => {
  for (const route of answering) {
    await t.test(`${route.id}: ${route.rpc}`, async () => {
      const { said, sent } = await answerOf(
        route,
        route.notFoundUnless === undefined ? {} : { [route.notFoundUnless]: {} },
      );
      assert.deepEqual(said, sent);
      for (const field of fieldsOf(methods[route.rpc].response)) {
        const alone = field.kind === "message" && !field.map && !field.repeated;
        assert.equal(field.name in said, !alone || field.name === route.notFoundUnless, field.name);
      }
    });
  }
});

test(`random answers come back as they were sent (seed ${seed})`, async (t) => {
  for (const route of answering) {
    await t.test(`${route.id}: ${route.rpc}`, async () => {
      const property = fc.asyncProperty(messageArbitrary(methods[route.rpc].response), async (message) => {
        const { said, sent } = await answerOf(route, present(route, message));
        assert.deepEqual(said, sent);
      });
      await fc.assert(property, runs);
    });
  }
});

test(`random lists come back as they were sent, in the order of the table (seed ${seed})`, async (t) => {
  for (const route of listRoutes) {
    await t.test(`${route.id}: ${route.rpc}`, async () => {
      const item = fieldAt(methods[route.rpc].response, route.items).type;
      const property = fc.asyncProperty(
        fc.array(messageArbitrary(item), { maxLength: 12 }),
        async (items) => {
          const wire = responseBytes(route.rpc, { [route.items]: items.map((one) => withNewIds(item, one)) });
          const stop = fake.on(route.rpc, wire);
          const answer = await open.ask(route.http);
          stop();
          assert.equal(answer.status, 200, answer.text);
          const said = answer.json();
          assert.deepEqual(Object.keys(said), [route.items]);
          const sent = canonicalResponse(route.rpc, wire)[route.items] as Message[];
          sent.sort((a, b) => compare(route.order, a, b));
          const got = said[route.items] as Message[];
          assert.deepEqual(keysOf(route.order, got), keysOf(route.order, sent));
          // Items of one position may stand in any order among themselves.
          const texts = (list: readonly Message[]): string[] => list.map((one) => stable(one)).sort();
          assert.deepEqual(texts(got), texts(sent));
        },
      );
      await fc.assert(property, runs);
    });
  }
});

const keysOf = (order: readonly string[], items: readonly Message[]): unknown[] =>
  items.map((item) => order.map((name) => valueAt(item, name.replace(/^-/, "")) ?? null));

/** By the fields of an order: numbers by size, text by its UTF-16 units; absent ones as their default. */
function compare(order: readonly string[], a: Message, b: Message): number {
  for (const name of order) {
    const path = name.replace(/^-/, "");
    const [left, right] = [a, b].map((item) => {
      const value = valueAt(item, path);
      return path === "createdAt" ? BigInt(String(value ?? 0)) : String(value ?? "");
    }) as [string | bigint, string | bigint];
    if (left === right) continue;
    return left < right === name.startsWith("-") ? 1 : -1;
  }
  return 0;
}

/** Text that is the same for equal values, whatever the order of their members. */
function stable(value: unknown): string {
  return JSON.stringify(value, (_key, member: unknown) =>
    typeof member === "object" && member !== null && !Array.isArray(member)
      ? Object.fromEntries(Object.entries(member).sort(([a], [b]) => (a < b ? -1 : 1)))
      : member,
  );
}

test("a command's output comes as text, or exactly", async (t) => {
  const route = unaryRoutes.find(({ renderer }) => renderer === "execOutput");
  assert.ok(route);
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 64 }),
    fc.string({ unit: "binary" }).map((text) => Buffer.from(text)),
  );
  const it = caseOf(fake, route);
  const property = fc.asyncProperty(
    bytes,
    bytes,
    fc.integer({ min: 0 }),
    async (stdout, stderr, exitCode) => {
      const stop = fake.on(route.rpc, { stdout, stderr, exitCode });
      const exact = await open.ask(targetOf(it, "?encoding=base64"), { json: it.json });
      const text = await open.ask(targetOf(it), { json: it.json });
      stop();
      const base64 = (part: Uint8Array): string => Buffer.from(part).toString("base64");
      assert.deepEqual(exact.json(), {
        ...{ exitCode, encoding: "base64", lossy: false },
        ...{ stdout: base64(stdout), stderr: base64(stderr) },
      });
      const decoded = [stdout, stderr].map((part) => Buffer.from(part).toString("utf8")) as [string, string];
      const lossy = [stdout, stderr].some(
        (part, index) => Buffer.compare(Buffer.from(decoded[index] ?? ""), Buffer.from(part)) !== 0,
      );
      const [out, err] = decoded;
      assert.deepEqual(text.json(), { exitCode, stdout: out, stderr: err, encoding: "utf8", lossy });
    },
  );
  t.diagnostic(`seed ${seed}`);
  await fc.assert(property, { seed, numRuns: 60, includeErrorInReport: true });
});

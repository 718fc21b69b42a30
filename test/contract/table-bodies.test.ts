/** Bodies: what is taken of every route that has one, and refused of every other. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { methods } from "../../src/gen/methods.ts";
import { bodyFields, caseOf, targetOf, unaryRoutes } from "./table-cases.ts";
import { answerUnserved, each, statusOn, subjectIn, writing } from "./table-checks.ts";
import { everything, problemOf, sharedGateway } from "./table-gateway.ts";
import { fieldAt, recordedForm } from "./table-messages.ts";

const { gateway, fake, open } = await sharedGateway();

test("a body that is not JSON is 400 with the place, and asks nothing", async (t) => {
  const broken = [
    "{",
    '{"a":1,"a":2}',
    '{"a":1e999}',
    "{} {}",
    "\ufeff{}",
    "[",
    "nul",
    Buffer.from([0x22, 0xff, 0x22]),
  ];
  await each(t, writing, async (route) => {
    const it = caseOf(fake, route);
    fake.calls.length = 0;
    for (const body of broken) {
      const problem = problemOf(await open.ask(targetOf(it), { body }), {
        status: 400,
        code: "invalid_json",
      });
      assert.equal(typeof problem.errors?.[0]?.pointer, "string");
    }
    for (const body of ["[]", '"text"', "null", "1", "true"]) {
      problemOf(await open.ask(targetOf(it), { body }), { status: 400, code: "invalid_request" });
    }
    assert.deepEqual(fake.calls, []);
  });
});

test("a body that is no JSON by its type is 415", async (t) => {
  await each(t, writing, async (route) => {
    const it = caseOf(fake, route);
    fake.calls.length = 0;
    for (const type of [
      "application/x-www-form-urlencoded",
      "text/plain",
      "multipart/form-data; boundary=x",
    ]) {
      const answer = await open.ask(targetOf(it), { body: "{}", headers: { "content-type": type } });
      const problem = problemOf(answer, { status: 415, code: "unsupported_media_type", path: it.path });
      assert.match(problem.detail, /curl --json/);
    }
    assert.deepEqual(fake.calls, []);
  });
});

test("a route that takes no body refuses one, and takes an empty one", async (t) => {
  const bodiless = writing.filter((route) => !("body" in route) || route.body === undefined);
  await each(t, bodiless, async (route) => {
    const it = caseOf(fake, route, await subjectIn(open, route));
    fake.calls.length = 0;
    const answer = await open.ask(targetOf(it), { json: { containerId: "x" } });
    const problem = problemOf(answer, { status: 400, code: "invalid_request" });
    assert.deepEqual(
      problem.errors?.map(({ pointer }) => pointer),
      ["/containerId"],
    );
    assert.deepEqual(fake.calls, []);
    assert.equal((await open.ask(targetOf(it), { json: {} })).status, statusOn("containerd-2.1", route));
    const other = caseOf(fake, route, await subjectIn(open, route));
    const typed = await open.ask(targetOf(other), {
      headers: { "content-type": "application/json" },
    });
    assert.equal(typed.status, statusOn("containerd-2.1", route), typed.text);
  });
});

test("a field that a body does not have is 400, with its place as the caller wrote it", async (t) => {
  const withBody = unaryRoutes.filter(({ body }) => body !== undefined);
  await each(t, withBody, async (route) => {
    const it = caseOf(fake, route);
    const wrong: (readonly [pointer: string, body: object])[] = [["/noSuchField", { noSuchField: 1 }]];
    wrong.push(
      ["/no~1such~0field", { "no/such~field": 1 }],
      ["/__proto__", JSON.parse('{"__proto__":{"a":1}}')],
    );
    for (const field of bodyFields(route)) {
      if (field.kind === "message" && !field.map && !field.repeated) {
        for (const name of new Set([field.name, field.proto])) {
          wrong.push([`/${name}/noSuchField`, { [name]: { noSuchField: 1 } }]);
        }
      }
      for (const name of new Set([field.name, field.proto])) wrong.push([`/${name}`, { [name]: [[1]] }]);
    }
    const allowed = gateway.open(everything);
    fake.calls.length = 0;
    for (const [pointer, body] of wrong) {
      // Names in snake_case alone would be those of crictl's files.
      const target = targetOf(it, "?fieldValidation=Strict");
      const problem = problemOf(await allowed.ask(target, { json: { ...it.json, ...body } }), {
        status: 400,
        code: "invalid_request",
      });
      const pointers = problem.errors?.map((error) => error.pointer) ?? [];
      assert.ok(
        pointers.some((found) => found === pointer || found?.startsWith(`${pointer}/`)),
        `${pointer} is not among ${pointers.join(", ")}`,
      );
    }
    assert.deepEqual(fake.calls, []);
  });
});

test("a body may not set what path and query set", async (t) => {
  const both = unaryRoutes.filter(({ body, path }) => body !== undefined && path !== undefined);
  await each(t, both, async (route) => {
    const it = caseOf(fake, route);
    fake.calls.length = 0;
    for (const bound of Object.values({ ...route.path, ...route.query })) {
      const field = fieldAt(methods[route.rpc].request, bound);
      for (const name of new Set([field.name, field.proto])) {
        const answer = await open.ask(targetOf(it), { json: { ...it.json, [name]: "another" } });
        const problem = problemOf(answer, { status: 400, code: "invalid_request" });
        assert.equal(problem.errors?.[0]?.pointer, `/${name}`);
      }
    }
    assert.deepEqual(fake.calls, []);
  });
});

test("snake_case names are taken as camelCase ones are", async (t) => {
  await each(
    t,
    unaryRoutes.filter(({ body }) => body !== undefined),
    async (route) => {
      answerUnserved(fake);
      const it = caseOf(fake, route);
      fake.calls.length = 0;
      const snake = (value: unknown): unknown => {
        if (Array.isArray(value)) return value.map(snake);
        if (typeof value !== "object" || value === null) return value;
        return Object.fromEntries(
          Object.entries(value).map(([key, member]) => [
            key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
            snake(member),
          ]),
        );
      };
      const answer = await open.ask(targetOf(it), { json: snake(it.json) });
      assert.equal(answer.status, statusOn("containerd-2.1", route), answer.text);
      const sent = recordedForm(route.rpc, {});
      assert.notDeepEqual(fake.callsOf(route.rpc)[0]?.request, sent);
    },
  );
});

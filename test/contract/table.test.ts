/**
 * What holds for every route because it stands in the table: cases derived from the declarations, against a
 * fake runtime that speaks real gRPC.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { methods } from "../../src/gen/methods.ts";
import { allGrants } from "../../src/grants.ts";
import type { Route } from "../../src/routes/define.ts";
import { routes } from "../../src/routes/index.ts";
import { mannerOf } from "../support/fake-runtime/manners/all.ts";
import { type MannerName, mannerNames } from "../support/fake-runtime.ts";
import { caseOf, grantsOf, listRoutes, type PlainRoute, plainRoutes, unaryRoutes } from "./table-cases.ts";
import {
  answering,
  answerUnserved,
  each,
  fixedAnswer,
  reading,
  send,
  statusOn,
  subjectIn,
  successOf,
  withId,
} from "./table-checks.ts";
import { createGateway, nothing, problemOf, sharedGateway } from "./table-gateway.ts";
import { fieldAt, valueAt } from "./table-messages.ts";

const { gateway, fake, open } = await sharedGateway();

for (const manner of mannerNames) {
  test(`every route answers its success on ${manner}, asking its own RPC with what path and query say`, async (t) => {
    const own = await createGateway(manner);
    t.after(() => own.close());
    answerUnserved(own.fake);
    const app = own.open();
    await each(t, answering, async (route) => {
      const it = caseOf(own.fake, route, await subjectIn(app, route));
      own.fake.calls.length = 0;
      const answer = await send(app, it, it.query);
      const status = statusOn(manner, route);
      assert.equal(answer.status, status, answer.text);
      for (const rpc of "rpc" in route ? [route.rpc] : []) {
        const [call] = own.fake.callsOf(rpc).slice(-1);
        assert.ok(call, `${rpc} was not asked`);
        for (const [field, value] of it.lands) assert.deepEqual(valueAt(call.request, field), value, field);
      }
      if (status === 501) problemOf(answer, { status: 501, code: "not_implemented", path: it.path });
      else if (status === 204) assert.equal(answer.text, "");
      else assert.equal(typeof answer.json(), "object");
    });
    assert.deepEqual(
      app.logged.filter(({ level }) => level === "error"),
      [],
    );
  });
}

test("a route that creates says where what it made is", async (t) => {
  const creating = unaryRoutes.filter(({ location }) => location !== undefined);
  answerUnserved(fake);
  await each(t, creating, async (route) => {
    const answer = await send(open, caseOf(fake, route));
    assert.equal(answer.status, 201, answer.text);
    const made = answer.json<{ readonly [field: string]: string }>();
    const expected = route.location?.replace(/\{(\w+)\}/, (_, field: string) =>
      encodeURIComponent(made[field] ?? ""),
    );
    assert.equal(answer.headers.location, expected);
    assert.ok(
      routes.some(({ http }) => http === `GET ${route.location}`),
      "nobody can get what is there",
    );
  });
});

test("a parameter that is not given has the default of its declaration", async (t) => {
  await each(
    t,
    unaryRoutes.filter(({ defaults }) => defaults !== undefined),
    async (route) => {
      fake.calls.length = 0;
      const answer = await send(open, caseOf(fake, route));
      assert.equal(answer.status, route.success, answer.text);
      for (const [name, value] of Object.entries(route.defaults ?? {})) {
        const at = route.query?.[name] ?? "";
        assert.equal(valueAt(fake.callsOf(route.rpc)[0]?.request, at), value);
      }
    },
  );
});

test("a parameter that a route does not have is 400, and named", async (t) => {
  await each(t, answering, async (route) => {
    const it = caseOf(fake, route);
    fake.calls.length = 0;
    const answer = await send(open, it, "?no-such-parameter=1");
    const problem = problemOf(answer, { status: 400, code: "invalid_request", path: it.path });
    assert.deepEqual(
      problem.errors?.map(({ parameter }) => parameter),
      ["no-such-parameter"],
    );
    assert.deepEqual(fake.calls, []);
  });
});

test("a parameter that is given twice is 400, and named", async (t) => {
  await each(
    t,
    plainRoutes.filter((route) => caseOf(fake, route).query !== ""),
    async (route) => {
      const it = caseOf(fake, route);
      for (const [name, value] of new URLSearchParams(it.query)) {
        fake.calls.length = 0;
        const twice = new URLSearchParams([name, name].map((key): [string, string] => [key, value]));
        const problem = problemOf(await send(open, it, `?${twice}`), {
          status: 400,
          code: "invalid_request",
        });
        assert.deepEqual(
          problem.errors?.map(({ parameter }) => parameter),
          [name],
        );
        assert.deepEqual(fake.calls, []);
      }
    },
  );
});

test("a value that its field cannot have is 400, and the parameter is named", async (t) => {
  await each(
    t,
    plainRoutes.filter((route) => Object.keys(bindingsOf(route)).length > 0),
    async (route) => {
      const it = caseOf(fake, route);
      for (const [name, path] of Object.entries(bindingsOf(route))) {
        const field = fieldAt(methods[route.rpc].request, path);
        if (field.kind !== "enum" && field.type === "string") continue;
        fake.calls.length = 0;
        const answer = await send(open, it, `?${name}=no-such-value`);
        const problem = problemOf(answer, { status: 400, code: "invalid_request" });
        assert.equal(problem.errors?.[0]?.parameter, name);
        assert.deepEqual(fake.calls, []);
      }
    },
  );
});

const bindingsOf = (route: PlainRoute): { readonly [name: string]: string } =>
  (route.kind === "list" ? route.filters : route.query) ?? {};

/** Some runtimes have not what a route asks for: they say so whatever the id. */
const hasNot = (manner: MannerName, route: Route): boolean =>
  (route.kind === "unary" && mannerOf(manner).unimplemented.has(route.rpc)) ||
  statusOn(manner, route) === 501;

test("what is not there is 404, on every runtime", async (t) => {
  for (const manner of mannerNames) {
    await t.test(manner, async (t) => {
      const own = await createGateway(manner);
      t.after(() => own.close());
      const app = own.open();
      for (const route of withId) {
        for (const absent of ["f".repeat(64), "f00", "no/such-image:1"]) {
          const named = Object.values(route.path ?? {}).includes("image.image");
          if (named !== absent.includes("/")) continue;
          const it = caseOf(own.fake, route, { subject: absent });
          const answer = await send(app, it);
          const what = `${route.id} ${absent} ${answer.text}`;
          if (answer.status === 501) {
            assert.ok(hasNot(manner, route), what);
            continue;
          }
          assert.equal(answer.status, 404, what);
          problemOf(answer, { status: 404, code: answer.json<{ code: string }>().code, path: it.path });
        }
      }
    });
  }
});

test("an empty id is 400 and asks nothing: it would mean the first that comes", async (t) => {
  await each(t, withId, async (route) => {
    const it = caseOf(fake, route, { subject: "" });
    fake.calls.length = 0;
    const problem = problemOf(await send(open, it), {
      status: 400,
      code: "invalid_request",
      path: it.path,
    });
    assert.deepEqual(
      problem.errors?.map(({ parameter }) => parameter),
      Object.keys(route.path ?? {}),
    );
    assert.deepEqual(fake.calls, []);
  });
});

test("an image's name may be written with its slashes or without", async (t) => {
  const byImage = answering.filter((route) => Object.values(route.path ?? {}).includes("image.image"));
  await each(t, byImage, async (route) => {
    for (const write of [String, encodeURIComponent]) {
      fake.addImage({ tags: ["quay.io/team/sub/app:1"] });
      fake.calls.length = 0;
      const it = caseOf(fake, route, { subject: write("quay.io/team/sub/app:1") });
      assert.equal((await send(open, it)).status, successOf(route));
      assert.equal(valueAt(fake.calls[0]?.request, "image.image"), "quay.io/team/sub/app:1");
    }
  });
});

test("HEAD is GET without the body", async (t) => {
  await each(t, reading, async (route) => {
    const it = caseOf(fake, route, await subjectIn(open, route));
    const stops = plainRoutes
      .filter((plain) => plain === route)
      .map(({ rpc }) => fake.on(rpc, fixedAnswer(rpc)));
    const get = await open.ask(`GET ${it.path}${it.query}`);
    const head = await open.ask(`HEAD ${it.path}${it.query}`);
    for (const stop of stops) stop();
    assert.equal(get.status, 200, get.text);
    assert.equal(head.status, 200);
    assert.equal(head.text, "");
    for (const name of ["content-type", "content-length", "etag"]) {
      assert.equal(head.headers[name], get.headers[name], name);
    }
    assert.equal(Number(get.headers["content-length"]), get.bytes.length);
    const refusal = await gateway.open(nothing).ask(`HEAD ${it.path}`);
    assert.equal(refusal.status, grantsOf(route).length > 0 ? 403 : 200);
    assert.equal((await open.ask(`HEAD ${it.path}`, { authorization: null })).status, 401);
  });
});

test("the table names each operation and each target once, and grants that exist", () => {
  assert.equal(new Set(routes.map(({ id }) => id)).size, routes.length);
  assert.equal(new Set(routes.map(({ http }) => http)).size, routes.length);
  for (const { allow } of routes) assert.ok(allow === "authenticated" || allGrants.includes(allow), allow);
  assert.ok(listRoutes.every(({ http }) => http.startsWith("GET ")));
});

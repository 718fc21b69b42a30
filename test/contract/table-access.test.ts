/** Who may use a route: the token, the grants of the route and of its fields, and whose pod it is. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Grant } from "../../src/grants.ts";
import { routes } from "../../src/routes/index.ts";
import { type Case, caseOf, grantsOf, targetOf, unaryRoutes } from "./table-cases.ts";
import { answering, answerUnserved, each, send, statusOn, successOf } from "./table-checks.ts";
import {
  type Answer,
  allBut,
  everything,
  exactly,
  flagOf,
  nothing,
  problemOf,
  sharedGateway,
  token,
} from "./table-gateway.ts";

const { gateway, fake, open } = await sharedGateway();

test("without the token a route is a bare 401, whatever else is wrong", async (t) => {
  const closed = gateway.open(nothing);
  const bodies = new Set<string>();
  await each(t, routes, async (route) => {
    const it = caseOf(fake, route);
    fake.calls.length = 0;
    const wrong = [
      null,
      "Bearer",
      `Bearer ${token}x`,
      `Bearer ${token.slice(1)}`,
      `Basic ${token}`,
      token,
      "Bearer  ",
    ];
    for (const authorization of wrong) {
      for (const app of [open, closed]) {
        const answer = await app.ask(targetOf(it, "?no-such-parameter=1"), { authorization, body: "{" });
        const problem = problemOf(answer, { status: 401, code: "unauthenticated", path: it.path });
        assert.equal(answer.headers["www-authenticate"], "Bearer");
        const { instance: _path, requestId: _id, ...rest } = problem;
        bodies.add(JSON.stringify(rest));
      }
    }
    assert.deepEqual(fake.calls, []);
  });
  const absent = await open.ask("GET /v1/no/such/route", { authorization: null });
  const {
    instance: _path,
    requestId: _id,
    ...rest
  } = problemOf(absent, { status: 401, code: "unauthenticated" });
  bodies.add(JSON.stringify(rest));
  assert.equal(bodies.size, 1, "all say the same, so that nothing can be learnt");
  assert.deepEqual(Object.keys(JSON.parse([...bodies][0] ?? "")).sort(), [
    "code",
    "detail",
    "retryable",
    "status",
    "title",
    "type",
  ]);
});

test("each route's refusal names the one grant that is missing, before the runtime is asked", async (t) => {
  const guarded = routes.filter((route) => grantsOf(route).length > 0);
  await each(t, guarded, async (route) => {
    for (const grant of grantsOf(route)) {
      const it = caseOf(fake, route);
      fake.calls.length = 0;
      const answer = await send(gateway.open(allBut(grant)), it, "?no-such-parameter=1");
      holdRefusal(answer, grant, it);
      assert.deepEqual(fake.calls, []);
    }
  });
});

function holdRefusal(answer: Answer, grant: Grant, it: Case, flag = `with ${flagOf(grant)}`): void {
  const problem = problemOf(answer, { status: 403, code: "not_capable", path: it.path });
  assert.equal(problem.title, "NotCapable");
  assert.equal(problem.grant, grant);
  assert.ok(problem.detail.endsWith(`, run again ${flag}`), problem.detail);
  assert.match(problem.detail, new RegExp(`^Requires ${grant.split(":")[0]} access`));
}

test("a deny of a route's grant beats -A", async (t) => {
  await each(
    t,
    routes.filter((route) => grantsOf(route).length > 0),
    async (route) => {
      for (const grant of grantsOf(route)) {
        const it = caseOf(fake, route);
        fake.calls.length = 0;
        const denied = gateway.open({ ...everything, deny: exactly([grant]).allow });
        holdRefusal(await send(denied, it), grant, it, `without --deny-${flagOf(grant).slice(8)}`);
        assert.deepEqual(fake.calls, []);
      }
    },
  );
});

test("exactly the grants that a route needs are enough", async (t) => {
  answerUnserved(fake);
  await each(t, answering, async (route) => {
    const it = caseOf(fake, route);
    const answer = await send(gateway.open(exactly(grantsOf(route))), it);
    assert.equal(answer.status, statusOn("containerd-2.1", route), answer.text);
  });
});

test("a field that needs a grant of its own is refused without it, before the runtime is asked", async (t) => {
  const fields = routes.flatMap((route) =>
    Object.entries(route.needs ?? {}).map(([field, grant]) => ({ route, field, grant })),
  );
  assert.ok(fields.length > 0);
  for (const { route, field, grant } of fields) {
    await t.test(`${route.id} ${field}`, async () => {
      // What the route itself needs would hide what the field needs.
      if (grantsOf(route).includes(grant)) return;
      const it = caseOf(fake, route);
      fake.calls.length = 0;
      holdRefusal(await send(gateway.open(allBut(grant)), it, `?${field}=true`), grant, it);
      assert.deepEqual(fake.calls, []);
      const unasked = await send(gateway.open(allBut(grant)), it, `?${field}=false`);
      assert.equal(unasked.status, successOf(route), "false asks for nothing");
      const granted = await send(gateway.open(exactly([...grantsOf(route), grant])), it, `?${field}=true`);
      assert.equal(granted.status, successOf(route), granted.text);
    });
  }
});

test("changing a pod that Crest did not make needs the grant `unmanaged`", async (t) => {
  const changing = unaryRoutes.filter(
    (route) => route.path !== undefined && !/^(read|verbose|image|pull)/.test(route.allow),
  );
  answerUnserved(fake);
  await each(t, changing, async (route) => {
    const it = caseOf(fake, route, { labels: { app: "of a kubelet" } });
    fake.calls.length = 0;
    const answer = await send(gateway.open(allBut("unmanaged")), it);
    holdRefusal(answer, "unmanaged", it);
    assert.match(answer.json<{ resource: string }>().resource, /^default\/pod-\d+$/);
    assert.deepEqual(fake.callsOf(route.rpc), []);
    assert.notEqual((await send(open, it)).status, 403);
  });
});

test("a pull narrowed to prefixes takes what is below one of them", async () => {
  const narrowed = gateway.open({
    all: false,
    allow: { pull: ["docker.io/library", "quay.io/team"] },
    deny: {},
  });
  for (const image of ["busybox:1.36", { image: "docker.io/library/busybox:1.36" }, "quay.io/team/app:1"]) {
    const answer = await narrowed.ask("POST /v1/images/pull", { json: { image } });
    assert.equal(answer.status, 200, answer.text);
  }
  fake.calls.length = 0;
  for (const image of [
    "quay.io/private/app:1",
    { image: "quay.io/team2/app:1" },
    "docker.io/libraryx/busybox",
  ]) {
    const answer = await narrowed.ask("POST /v1/images/pull", { json: { image } });
    const problem = problemOf(answer, { status: 403, code: "not_capable" });
    assert.equal(problem.grant, "pull");
    assert.match(problem.detail, /run again with --allow-pull=(quay|docker)\.io\//);
  }
  assert.deepEqual(fake.calls, []);
});

/** Who may use a route: the token, the grants of the route and of its fields, and whose pod it is. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { hasPolicy } from "../../src/access/policy/pod-policy.ts";
import type { Grant } from "../../src/grants.ts";
import { routes } from "../../src/routes/index.ts";
import { type Case, caseOf, grantsOf, targetOf, unaryRoutes } from "./table-cases.ts";
import { answering, answerUnserved, each, send, statusOn, subjectIn, successOf } from "./table-checks.ts";
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

test("without the right token every route is 401, which tells a missing from a wrong one and nothing else", async (t) => {
  const closed = gateway.open(nothing);
  /** What was sent -> all that was answered to it. */
  const answers = new Map<string, Set<string>>();
  const note = (sent: string, answer: Answer): void => {
    const problem = problemOf(answer, { status: 401, code: "unauthenticated" });
    const { instance: _path, requestId: _id, ...rest } = problem;
    assert.deepEqual(Object.keys(rest).sort(), ["code", "detail", "retryable", "status", "title", "type"]);
    const told = answers.get(sent) ?? new Set();
    answers.set(sent, told.add(`${answer.headers["www-authenticate"]} ${rest.detail}`));
  };
  await each(t, routes, async (route) => {
    const it = caseOf(fake, route);
    fake.calls.length = 0;
    for (const [sent, authorization] of [
      ["none", null],
      ["no bearer token", "Bearer"],
      ["no bearer token", `Basic ${token}`],
      ["no bearer token", token],
      ["no bearer token", "Bearer  "],
      ["a wrong token", `Bearer ${token}x`],
      ["a wrong token", `Bearer ${token.slice(1)}`],
      ["a wrong token", "Bearer x"],
    ] as const) {
      for (const app of [open, closed]) {
        note(sent, await app.ask(targetOf(it, "?no-such-parameter=1"), { authorization, body: "{" }));
      }
    }
    assert.deepEqual(fake.calls, []);
  });
  note("none", await open.ask("GET /v1/no/such/route", { authorization: null }));
  note("a wrong token", await open.ask("GET /v1/no/such/route", { authorization: "Bearer wrong" }));
  // Callers are told what they sent, and nothing of routes, grants or the right token.
  assert.deepEqual(Object.fromEntries([...answers].map(([sent, told]) => [sent, [...told]])), {
    none: ["Bearer The request has no token: send Authorization: Bearer TOKEN"],
    "no bearer token": [
      "Bearer The Authorization header holds no bearer token: send Authorization: Bearer TOKEN",
    ],
    "a wrong token": [
      'Bearer error="invalid_token" The token is wrong, or was revoked: send the content of this gateway\'s token file, whose path crest prints when it starts, or a token made with crest token create',
    ],
  });
});

test("each route's refusal names the grant that is missing, before the runtime is asked", async (t) => {
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
  assert.deepEqual([problem.grant, problem.grants], [grant, [grant]]);
  assert.ok(problem.detail.endsWith(`, run again ${flag}`), problem.detail);
  assert.match(problem.detail, new RegExp(`^Requires ${grant.split(":")[0]} access`));
}

test("a refusal names all that is missing, also what depends on whose pod it is", async (t) => {
  const closed = gateway.open(nothing);
  const guarded = routes.filter((route) => grantsOf(route).length > 0);
  await each(t, guarded, async (route) => {
    const it = caseOf(fake, route);
    fake.calls.length = 0;
    const problem = problemOf(await send(closed, it), { status: 403, code: "not_capable", path: it.path });
    const grants = grantsOf(route);
    assert.deepEqual([problem.grant, problem.grants], [grants[0], grants]);
    // Whose pod a kept session is in was decided when it began, too.
    const isNamed = route.path !== undefined && route.kind !== "resume";
    const ofPod = /^(run|stop|remove|exec|forward|checkpoint)$/.test(route.allow) && isNamed;
    const unmanaged = ofPod ? ", and with --allow-unmanaged if Crest did not create the pod" : "";
    assert.ok(
      problem.detail.endsWith(`, run again with ${grants.map(flagOf).join(" ")}${unmanaged}`),
      problem.detail,
    );
    assert.deepEqual(fake.calls, []);
  });
});

test("a refusal names what a parameter of the query needs besides", async (t) => {
  const closed = gateway.open(nothing);
  for (const [query, grants] of [
    ["?verbose=true", ["read:pods", "verbose"]],
    ["?verbose", ["read:pods", "verbose"]],
    ["?verbose=false", ["read:pods"]],
    ["?verbose=maybe", ["read:pods"]],
  ] as const) {
    await t.test(query, async () => {
      const answer = await closed.ask(`GET /v1/pods/abc${query}`);
      const problem = problemOf(answer, { status: 403, code: "not_capable" });
      assert.deepEqual(problem.grants, grants);
      assert.ok(problem.detail.endsWith(` with ${grants.map(flagOf).join(" ")}`), problem.detail);
    });
  }
});

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

test("exactly the grants that a route needs are enough, with host for a body that asks for the node", async (t) => {
  answerUnserved(fake);
  await each(t, answering, async (route) => {
    const asksForNode = route.kind === "unary" && route.body !== undefined && hasPolicy(route.rpc);
    const app = gateway.open(exactly([...grantsOf(route), ...(asksForNode ? ["host" as const] : [])]));
    const it = caseOf(fake, route, await subjectIn(app, route));
    const answer = await send(app, it);
    assert.equal(answer.status, statusOn("containerd-2.1", route), answer.text);
  });
});

test("a field that needs a grant of its own is refused without it, before the runtime is asked", async (t) => {
  const fields = routes.flatMap((route) =>
    Object.entries(route.fieldGrants ?? {})
      // Those of a body are in pod-policy.test.ts.
      .filter(([field]) => field in { ...route.query, ...route.gatewayParams })
      .map(([field, grant]) => ({ route, field, grant })),
  );
  assert.ok(fields.length > 0);
  for (const { route, field, grant } of fields) {
    await t.test(`${route.id} ${field}`, async () => {
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

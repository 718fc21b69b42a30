/** How every route fails: a runtime that is down or hangs, and requests that reach no handler. */
import assert from "node:assert/strict";
import { METHODS } from "node:http";
import { test } from "node:test";
import { rpcRules } from "../../src/cri/rpc-rules.ts";
import { openPaths } from "../../src/http/health.ts";
import type { Route } from "../../src/routes/define.ts";
import { routes } from "../../src/routes/index.ts";
import { eventually } from "../support/eventually.ts";
import { hanging, rpcNames } from "../support/fake-runtime.ts";
import { caseOf, methodOf, patternOf, rpcsOf, sessionRoutes, targetOf } from "./table-cases.ts";
import { answering, answerUnserved, asking, each, reading, send, successOf } from "./table-checks.ts";
import { createGateway, everything, problemOf, sharedGateway } from "./table-gateway.ts";

const { fake, open } = await sharedGateway();

test("a runtime that is down is 503 with Retry-After, and may be asked again", async (t) => {
  const down = await createGateway("containerd-2.1");
  t.after(() => down.close());
  const app = down.open();
  const cases = asking.map((route) => ({ route, it: caseOf(down.fake, route) }));
  await down.fake.stop();
  const answers = await Promise.all(cases.map(({ it }) => send(app, it, it.query)));
  for (const [index, { route, it }] of cases.entries()) {
    await t.test(`${route.id}: ${route.http}`, () => {
      const answer = answers[index];
      assert.ok(answer);
      const problem = problemOf(answer, { status: 503, code: "runtime_unavailable", path: it.path });
      assert.equal(problem.retryable, true);
      assert.equal(problem.grpcCode, "UNAVAILABLE");
      assert.match(answer.headers["retry-after"] ?? "", /^[1-9][0-9]*$/);
    });
  }
  await down.fake.start();
  const [first] = cases;
  assert.ok(first);
  await eventually(async () => (await send(app, first.it)).status === 200);
});

const asksForLists = (route: Route): boolean =>
  route.kind === "list" ||
  rpcsOf(route).some((rpc) => /List(Containers|PodSandbox|ContainerStats|Images)$/.test(rpc));

test("a runtime that does not answer in time is 504, and its call is given up", async (t) => {
  const deadlineMs = 500;
  const slow = await createGateway("containerd-2.1");
  t.after(() => slow.close());
  const app = slow.open(everything, { deadlineMs });
  // What the gateway asks once and remembers, it has asked then.
  let tries = 0;
  await eventually(async () => {
    const body = { metadata: { name: `first-${tries++}` } };
    return (await app.ask("POST /v1/pods", { json: body })).status === 201;
  });
  // Lists, and what reads them to find what to do, come after the rest, which reads them to find what an id means.
  for (const lists of [false, true]) {
    const some = asking.filter((route) => asksForLists(route) === lists);
    const cases = some.map((route) => ({ route, it: caseOf(slow.fake, route) }));
    for (const rpc of new Set(some.flatMap(rpcsOf))) {
      const about = cases.flatMap(({ route, it }) => {
        const named = Object.values(route.path ?? {}).map((field) => String(it.lands.get(field)));
        return rpcsOf(route).includes(rpc) ? [named] : [];
      });
      slow.fake.on(rpc, (request, call) => {
        const text = JSON.stringify(request);
        // Other routes may ask it about what is theirs.
        const isOwn = lists || about.some((named) => named.every((id) => text.includes(id)));
        return isOwn ? hanging()(request, call) : call.next();
      });
    }
    const answers = await Promise.all(cases.map(({ it }) => send(app, it)));
    for (const [index, { route, it }] of cases.entries()) {
      await t.test(`${route.id}: ${route.http}`, async () => {
        const answer = answers[index];
        assert.ok(answer);
        // A run begins with reads.
        const first = route.id === "run" ? rpcsOf(route).slice(0, 1) : rpcsOf(route);
        const repeatable = first.every((rpc) => rpcRules[rpc].lookWith === undefined);
        const code = repeatable ? "deadline_exceeded" : "outcome_unknown";
        const problem = problemOf(answer, { status: 504, code, path: it.path });
        assert.equal(problem.retryable, repeatable);
        assert.equal(problem.grpcCode, "DEADLINE_EXCEEDED");
        const asked = rpcsOf(route).flatMap((rpc) => slow.fake.callsOf(rpc));
        await eventually(() => asked.some(({ cancelled, deadline }) => cancelled && deadline !== undefined));
      });
    }
  }
});

test("a method that a path does not take is 405 and says which it takes", async (t) => {
  const patterns = [...new Set(routes.map(patternOf))];
  for (const pattern of patterns) {
    await t.test(pattern, async () => {
      const path = pattern.replace(/\{image\}/, "quay.io/team/app:1").replace(/\{\w+\}/, "f".repeat(64));
      const matching = routes.filter((route) => {
        const source = patternOf(route)
          .replace(/\{image\}/, ".+")
          .replace(/\{\w+\}/, "[^/]+");
        return new RegExp(`^${source}$`).test(path);
      });
      const taken = new Set(matching.map(methodOf));
      if (taken.has("GET")) taken.add("HEAD");
      fake.calls.length = 0;
      // CONNECT has no path.
      for (const method of METHODS.filter((name) => name !== "CONNECT")) {
        if (taken.has(method)) continue;
        const answer = await open.ask(`${method} ${path}`);
        assert.equal(answer.headers.allow, [...taken].sort().join(", "), method);
        if (method === "HEAD") assert.equal(answer.status, 405);
        else problemOf(answer, { status: 405, code: "method_not_allowed", path });
      }
      // One per path: strangers may send only so many a second.
      const untaken = METHODS.find((name) => name !== "CONNECT" && !taken.has(name));
      assert.equal((await open.ask(`${untaken} ${path}`, { authorization: null })).status, 401);
      assert.deepEqual(fake.calls, []);
    });
  }
});

test("a body does not hide that nobody takes it", async () => {
  const body = { body: "text", headers: { "content-type": "text/plain" } };
  problemOf(await open.ask("PUT /v1/pods", body), { status: 405, code: "method_not_allowed" });
  problemOf(await open.ask("POST /v1/nope", body), { status: 404, code: "route_not_found" });
});

test("a runtime whose replies are no protobuf is 502, and no bug of the gateway", async (t) => {
  const broken = await createGateway("containerd-2.1");
  t.after(() => broken.close());
  const app = broken.open();
  const some = reading.filter((route) => rpcsOf(route).length > 0);
  const cases = some.map((route) => ({ route, it: caseOf(broken.fake, route) }));
  for (const rpc of rpcNames) broken.fake.on(rpc, new Uint8Array(12).fill(0xff));
  for (const { route, it } of cases) {
    await t.test(`${route.id}: ${route.http}`, async () => {
      const answer = await send(app, it, it.query);
      const { detail } = problemOf(answer, { status: 502, code: "runtime_error", path: it.path });
      assert.equal(
        detail,
        "Cannot read the runtime's reply: Malformed protobuf: a number has more than ten bytes",
      );
    });
  }
});

test("what answers without a token takes GET and HEAD, and says so", async () => {
  for (const path of openPaths) {
    const answer = await open.ask(`POST ${path}`, {
      body: "text",
      headers: { "content-type": "text/plain" },
    });
    problemOf(answer, { status: 405, code: "method_not_allowed", path });
    assert.equal(answer.headers.allow, "GET, HEAD", path);
  }
});

test("a path that no route has is 404", async () => {
  for (const path of [
    "/",
    "/v1",
    "/v1/",
    "/v2/pods",
    "/v1/pods/a/b/c",
    "/V1/pods",
    "/v1/Pods",
    "/v1//pods",
  ]) {
    problemOf(await open.ask(`GET ${path}`), { status: 404, code: "route_not_found", path });
  }
});

test("a WebSocket route without an upgrade is 426", async (t) => {
  if (sessionRoutes.length === 0) return t.skip("the table has no WebSocket route yet");
  await each(t, sessionRoutes, async (route) => {
    const it = caseOf(fake, route);
    problemOf(await send(open, it), { status: 426, code: "upgrade_required", path: it.path });
  });
});

test("an answer that the caller does not accept is 406, but for 204", async (t) => {
  answerUnserved(fake);
  await each(t, answering, async (route) => {
    const it = caseOf(fake, route);
    const headers = { accept: "text/html" };
    const answer = await open.ask(
      targetOf(it),
      it.json === undefined ? { headers } : { headers, json: it.json },
    );
    if (successOf(route) !== 204) problemOf(answer, { status: 406, code: "not_acceptable", path: it.path });
    else assert.notEqual(answer.status, 406, answer.text);
  });
});

test("X-Request-Id is answered when it is one, and made otherwise", async (t) => {
  await each(t, routes, async (route) => {
    const it = caseOf(fake, route, { subject: "f".repeat(64) });
    const answer = await open.ask(targetOf(it), { headers: { "x-request-id": "from-the-caller" } });
    assert.equal(answer.headers["x-request-id"], "from-the-caller");
    for (const id of ["a", "A-b_c.9", "x".repeat(64)]) {
      const refusal = await open.ask(targetOf(it), { headers: { "x-request-id": id }, authorization: null });
      assert.equal(refusal.headers["x-request-id"], id);
      assert.equal(refusal.json<{ requestId: string }>().requestId, id);
    }
    const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
    for (const id of ["", "x".repeat(65), "a b", "a/b", "<script>"]) {
      const answer = await open.ask(targetOf(it), { headers: { "x-request-id": id }, authorization: null });
      assert.match(answer.headers["x-request-id"] ?? "", uuid);
    }
  });
});

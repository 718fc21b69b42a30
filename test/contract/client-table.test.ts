/** The client has every operation of the route table, and sends what the cases of the table send. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Client, CrestError, createClient, type Fetch } from "../../src/client/index.ts";
import type { Route } from "../../src/routes/define.ts";
import { routes } from "../../src/routes/index.ts";
import { type LiveGateway, liveGateway, token } from "./live-gateway.ts";
import { type Case, caseOf, patternOf, sessionRoutes } from "./table-cases.ts";
import { answering, answerUnserved, each, statusOn } from "./table-checks.ts";

const manner = "containerd-2.1";

/** A request as the client sent it. */
interface Sent {
  readonly method: string;
  readonly url: URL;
  readonly body: unknown;
  readonly headers: { readonly [name: string]: string };
}

/** A client that records its requests. */
function recordingClient({ port }: Pick<LiveGateway, "port">): { client: Client; sent: Sent[] } {
  const sent: Sent[] = [];
  const fetch: Fetch = (url, init) => {
    const body = init.body === undefined ? undefined : JSON.parse(init.body);
    sent.push({ method: init.method, url: new URL(url), body, headers: init.headers });
    return globalThis.fetch(url, init);
  };
  return { client: createClient({ server: `http://127.0.0.1:${port}`, token, fetch }), sent };
}

/** The parameters of a case, flat, as the client takes them. */
function parametersOf(route: Route, { path, query, json }: Case): object {
  const names = [...patternOf(route).matchAll(/\{(\w+)\}/g)].map(([, name = ""]) => name);
  const pattern = patternOf(route).replace(/\{(\w+)\}/g, (_, name) =>
    name === "image" ? "(.+)" : "([^/]+)",
  );
  const [, ...values] = new RegExp(`^${pattern}$`).exec(path) ?? [];
  return {
    ...Object.fromEntries(names.map((name, index) => [name, decodeURIComponent(values[index] ?? "")])),
    ...Object.fromEntries(new URLSearchParams(query)),
    ...(json === undefined ? {} : { body: json }),
  };
}

/** What an operation gives: a promise, or a list or a stream. */
interface Given extends Partial<AsyncIterable<unknown>>, Partial<PromiseLike<unknown>> {
  page?(): Promise<unknown>;
  answer?(): Promise<unknown>;
}

const call = (client: Client, id: string, ...args: readonly object[]): Given =>
  (client as unknown as { readonly [id: string]: (...args: readonly object[]) => Given })[id]?.(...args) ??
  assert.fail(`the client has no ${id}`);

async function pulledId(gateway: LiveGateway): Promise<string> {
  await gateway.ask("POST /v1/images/pull", { image: "busybox:1.36" });
  return String((await gateway.ask("GET /v1/pulls")).at("pulls.0.id"));
}

/** The name of a token to revoke. */
async function tokenNamed(gateway: LiveGateway): Promise<string> {
  const made = await gateway.ask("POST /v1/tokens", { name: "subject", grants: { allow: { exec: true } } });
  return String(made.at("name"));
}

async function optionsFor(gateway: LiveGateway, route: Route): Promise<{ readonly subject?: string }> {
  const fields = Object.values(route.path ?? {});
  if (fields.includes("tokenName")) return { subject: await tokenNamed(gateway) };
  return fields.includes("pullId") ? { subject: await pulledId(gateway) } : {};
}

test("each operation sends what its case sends, and gives what the gateway answers", async (t) => {
  const gateway = await liveGateway(t, manner);
  answerUnserved(gateway.fake);
  const { client, sent } = recordingClient(gateway);
  await each(t, answering, async (route) => {
    const it = caseOf(gateway.fake, route, await optionsFor(gateway, route));
    const given = call(client, route.id, parametersOf(route, it), { headers: { "X-Request-Id": route.id } });
    const single = given.page?.() ?? given.answer?.() ?? Promise.resolve(given);
    const status = statusOn(manner, route);
    if (status >= 400) {
      await assert.rejects(single, (error) => error instanceof CrestError && error.status === status);
    } else {
      const answer = await single;
      assert.equal(typeof answer, status === 204 ? "undefined" : "object");
      if (given[Symbol.asyncIterator] !== undefined) await assert.doesNotReject(oneOf(given));
    }
    const [first = assert.fail("nothing was sent")] = sent;
    sent.length = 0;
    assert.equal(first.method, it.method);
    assert.equal(decodeURIComponent(first.url.pathname), decodeURIComponent(it.path));
    assert.equal(first.url.search, it.query);
    assert.deepEqual(first.body, it.json);
    assert.equal(first.headers["x-request-id"], route.id);
    assert.equal(first.headers.authorization, `Bearer ${token}`);
  });
});

/** The first item, if there is any. */
async function oneOf(given: Given): Promise<void> {
  for await (const item of given as AsyncIterable<unknown>) {
    assert.equal(typeof item, "object");
    return;
  }
}

test("each operation fails with the gateway's problem", async (t) => {
  const gateway = await liveGateway(t, manner, { grants: { all: false, allow: {}, deny: {} } });
  const { client } = recordingClient(gateway);
  const guarded = answering.filter(({ allow }) => allow !== "authenticated");
  await each(t, guarded, async (route) => {
    const given = call(
      client,
      route.id,
      parametersOf(route, caseOf(gateway.fake, route, { subject: "abcd" })),
    );
    const single = given.page?.() ?? given.answer?.() ?? Promise.resolve(given);
    await assert.rejects(single, (error: unknown) => {
      assert.ok(error instanceof CrestError);
      assert.deepEqual([error.code, error.status, error.grant], ["not_capable", 403, route.allow]);
      assert.equal(error.message, error.detail);
      assert.match(error.requestId ?? "", /^[0-9a-f-]{36}$/);
      return true;
    });
  });
});

test("the client has nothing but the operations, the short names of sessions, and request", () => {
  const { client } = recordingClient({ port: 1 });
  assert.deepEqual(
    Object.keys(client).sort(),
    [...routes.map(({ id }) => id), "exec", "attach", "portForward", "request"].sort(),
  );
  assert.equal(sessionRoutes.length, 3);
});

test("a list gives all items of all pages, and a page with its continuation", async (t) => {
  const gateway = await liveGateway(t, manner);
  const ids = Array.from({ length: 25 }, () => gateway.fake.addPod({ labels: { app: "many" } }).id);
  const { client, sent } = recordingClient(gateway);
  const seen: string[] = [];
  for await (const pod of client.listPods({ labelSelector: "app=many", limit: 10 })) seen.push(pod.id);
  assert.deepEqual(seen.sort(), ids.sort());
  assert.equal(sent.length, 3);
  const page = await client.listPods({ labelSelector: "app=many", limit: 20 }).page();
  assert.equal(page.items.length, 20);
  const rest = await client.listPods({ labelSelector: "app=many", continue: page.continue }).page();
  assert.equal(rest.items.length, 5);
  assert.equal(rest.continue, undefined);
  const sizes: number[] = [];
  for await (const { items } of client.listPods({ labelSelector: "app=many", limit: 12 }).pages())
    sizes.push(items.length);
  assert.deepEqual(sizes, [12, 12, 1]);
});

test("request sends to any path, in any form", async (t) => {
  const gateway = await liveGateway(t, manner);
  const { client } = recordingClient(gateway);
  const { containers } = (await (await client.request("GET", "/v1/containers")).json()) as {
    readonly containers: readonly object[];
  };
  assert.deepEqual(containers, []);
  const text = await client.request("GET", "/v1/events", { headers: { Accept: "text/plain" } });
  assert.match(text.headers.get("content-type") ?? "", /^text\/plain/);
  await text.text();
  await assert.rejects(client.request("GET", "/v1/nothing"), { code: "route_not_found", status: 404 });
});

/** Lists: one order, pages and validators, whatever the order and the manners of the runtime. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { methods } from "../../src/gen/methods.ts";
import { listRoutes } from "./table-cases.ts";
import { createGateway, problemOf, seed, sharedGateway } from "./table-gateway.ts";
import { type Item, idsOf, metricsOf, type Page, populate } from "./table-list-world.ts";
import { fieldAt, valueAt } from "./table-messages.ts";

const { fake, open } = await sharedGateway();
populate(fake, 40);

const etagged = listRoutes.filter(({ volatile }) => !volatile);

test("50 listings of what does not change give one body and one ETag, whatever the runtime's order", async (t) => {
  for (const route of etagged) {
    await t.test(route.http, async () => {
      const wires = new Set<string>();
      const stop = fake.on(route.rpc, async (_request, call) => {
        const answer = await call.next();
        wires.add(JSON.stringify(answer, (_, value) => (typeof value === "bigint" ? String(value) : value)));
        return answer;
      });
      const bodies = new Set<string>();
      const etags = new Set<string | undefined>();
      for (let count = 0; count < 50; count++) {
        const answer = await open.ask(route.http);
        bodies.add(answer.text);
        etags.add(answer.headers.etag);
      }
      stop();
      assert.ok(wires.size > 1, "the runtime did answer in different orders");
      assert.equal(bodies.size, 1);
      assert.equal(etags.size, 1);
      assert.match([...etags][0] ?? "", /^W\/"[\w-]{22}"$/);
    });
  }
});

test("a list is in the order of its declaration", async (t) => {
  for (const route of listRoutes) {
    await t.test(`${route.http}: ${route.order.join(", ")}`, async () => {
      const stop = route.rpc.includes("Metrics") ? fake.on(route.rpc, metricsOf(fake)) : undefined;
      const answer = await open.ask(route.http);
      stop?.();
      const items = answer.json<{ [field: string]: object[] }>()[route.items] ?? [];
      assert.ok(items.length > 1);
      const item = fieldAt(methods[route.rpc].response, route.items).type;
      for (const [index, next] of items.slice(1).entries()) {
        const keys = route.order.map((name) => {
          const path = name.replace(/^-/, "");
          const number = fieldAt(item, path).type === "int64";
          const [a, b] = [items[index], next].map((one) => String(valueAt(one, path)));
          return {
            descends: name.startsWith("-"),
            a: number ? BigInt(a ?? 0) : a,
            b: number ? BigInt(b ?? 0) : b,
          };
        });
        const decides = keys.find(({ a, b }) => a !== b);
        assert.ok(decides?.a !== undefined && decides.b !== undefined, "two items have one position");
        assert.equal(decides.a > decides.b, decides.descends);
      }
    });
  }
});

test("If-None-Match answers 304 without a body for a list of validators and for *", async (t) => {
  for (const route of etagged) {
    await t.test(route.http, async () => {
      const { headers, text } = await open.ask(route.http);
      const etag = headers.etag ?? "";
      const strong = etag.replace("W/", "");
      for (const match of [etag, strong, "*", ` ${etag} `, `"a", ${etag}`, `W/"x,y",${strong}, "z"`]) {
        const answer = await open.ask(route.http, { headers: { "if-none-match": match } });
        assert.equal(answer.status, 304, match);
        assert.equal(answer.text, "");
        assert.equal(answer.headers.etag, etag);
        assert.equal(answer.headers["content-length"] ?? "0", "0");
      }
      for (const match of ['"a"', `W/"${"A".repeat(22)}"`, '"a", "b"', "", strong.replaceAll('"', "")]) {
        const answer = await open.ask(route.http, { headers: { "if-none-match": match } });
        assert.equal(answer.status, 200, match);
        assert.equal(answer.text, text);
      }
    });
  }
});

test("an ETag belongs to its filters, its page and its content", async () => {
  const seen = new Map<string, string>();
  for (const query of [
    "",
    "?limit=5",
    "?limit=6",
    "?state=running",
    "?labelSelector=app",
    "?labelSelector=app%3Ddb",
  ]) {
    const { headers, text } = await open.ask(`GET /v1/containers${query}`);
    const before = seen.get(headers.etag ?? "");
    assert.ok(before === undefined || before === text, query);
    seen.set(headers.etag ?? "", text);
  }
  const { headers } = await open.ask("GET /v1/containers");
  const { id } = fake.addContainer({});
  const after = await open.ask("GET /v1/containers", { headers: { "if-none-match": headers.etag ?? "" } });
  assert.equal(after.status, 200);
  assert.ok(idsOf(after).includes(id));
});

test("readings change by themselves: they have no ETag", async () => {
  for (const route of listRoutes.filter(({ volatile }) => volatile)) {
    const stop = route.rpc.includes("Metrics") ? fake.on(route.rpc, metricsOf(fake)) : undefined;
    const answer = await open.ask(route.http, { headers: { "if-none-match": "*" } });
    stop?.();
    assert.equal(answer.status, 200, answer.text);
    assert.equal(answer.headers.etag, undefined);
  }
});

test(`paging through 5,000 containers that come and go gives none twice and all that stayed once (seed ${seed})`, async (t) => {
  const own = await createGateway("containerd-2.1");
  t.after(() => own.close());
  const app = own.open();
  const moment = 1_700_000_000_000_000_000n;
  const pods = Array.from({ length: 50 }, () => own.fake.addPod());
  const podOf = (number: number) => pods[number % pods.length] ?? own.fake.addPod();
  const add = (number: number): string =>
    own.fake.addContainer({
      pod: podOf(number),
      state: "created",
      // Ten of one moment: there the id decides.
      createdAtNanos: moment + BigInt(Math.trunc(number / 10)),
    }).id;
  const stayed = new Set(Array.from({ length: 5000 }, (_, number) => add(number)));
  const dice = fc.sample(fc.nat(4999), { seed, numRuns: 2000 }).values();
  const next = (): number => dice.next().value ?? 0;

  const got: Item[] = [];
  let token: string | undefined;
  let pages = 0;
  do {
    const limit = 300 + (next() % 701);
    const query = new URLSearchParams({
      limit: String(limit),
      ...(token === undefined ? {} : { continue: token }),
    });
    const page = (await app.ask(`GET /v1/containers?${query}`)).json<Page>();
    assert.ok(page.containers.length <= limit);
    assert.ok(
      page.continue === undefined || page.containers.length === limit,
      "only the last page may be short",
    );
    got.push(...page.containers);
    token = page.continue;
    pages++;
    // Some of those that were shown go, some of those that were not, and new ones come everywhere.
    const all = [...own.fake.containers.keys()];
    for (let count = 0; count < 40; count++) {
      const gone = all[next() % all.length] ?? "";
      await own.fake.perform("RuntimeService/RemoveContainer", { containerId: gone });
      stayed.delete(gone);
      add(next());
    }
  } while (token !== undefined);

  assert.ok(pages > 4, `${pages} pages`);
  const ids = got.map(({ id }) => id);
  assert.equal(new Set(ids).size, ids.length, "one came twice");
  const missed = [...stayed].filter((id) => !ids.includes(id));
  assert.deepEqual(missed, [], "one that was there all the time did not come");
  const inOrder = got.every(({ createdAt, id }, index) => {
    const before = got[index - 1];
    if (!before) return true;
    const [a, b] = [BigInt(before.createdAt), BigInt(createdAt)];
    return a > b || (a === b && before.id < id);
  });
  assert.ok(inOrder, "the pages continue one order");
});

test("pages of every list together are the list", async (t) => {
  for (const route of listRoutes) {
    await t.test(route.http, async () => {
      const stop = route.rpc.includes("Metrics") ? fake.on(route.rpc, metricsOf(fake)) : undefined;
      const field = route.items as "containers";
      const keyOf = (item: object): string =>
        JSON.stringify(route.order.map((name) => valueAt(item, name.replace("-", ""))));
      const whole = (await open.ask(route.http)).json<Page>();
      assert.equal(whole.continue, undefined);
      const paged: object[] = [];
      let token: string | undefined;
      do {
        const query = token === undefined ? "limit=7" : `limit=7&continue=${token}`;
        const page = (await open.ask(`${route.http}?${query}`)).json<Page>();
        paged.push(...page[field]);
        token = page.continue;
      } while (token !== undefined);
      stop?.();
      assert.deepEqual(paged.map(keyOf), whole[field].map(keyOf));
    });
  }
});

test("continue with other filters, of another list, or changed is 400", async () => {
  const query = "state=running&labelSelector=app&limit=3";
  const { continue: token = "" } = (await open.ask(`GET /v1/containers?${query}`)).json<Page>();
  assert.equal((await open.ask(`GET /v1/containers?${query}&continue=${token}`)).status, 200);
  const relaxed = `state=CONTAINER_RUNNING&labelSelector=app&limit=9&continue=${token}`;
  assert.equal(
    (await open.ask(`GET /v1/containers?${relaxed}`)).status,
    200,
    "the same filters, another limit",
  );
  const wrong = [
    `/v1/containers?labelSelector=app&limit=3&continue=${token}`,
    `/v1/containers?state=exited&labelSelector=app&limit=3&continue=${token}`,
    `/v1/containers?state=running&labelSelector=app,tier&limit=3&continue=${token}`,
    `/v1/containers?state=running&limit=3&continue=${token}`,
    `/v1/containers?${query}&id=f&continue=${token}`,
    `/v1/pods?limit=3&continue=${token}`,
    `/v1/images?limit=3&continue=${token}`,
    ...[
      "",
      "x",
      token.slice(1),
      `${token}A`.repeat(2),
      "bnVsbA",
      "W10",
      "eyJhIjoxfQ",
      "%00",
      "%F0%9F%98%80",
    ].map((changed) => `/v1/containers?${query}&continue=${changed}`),
    `/v1/containers?${query}&continue=${token}&continue=${token}`,
  ];
  fake.calls.length = 0;
  for (const target of wrong) {
    const problem = problemOf(await open.ask(`GET ${target}`), { status: 400, code: "invalid_request" });
    assert.equal(problem.errors?.[0]?.parameter, "continue", target);
  }
  assert.deepEqual(fake.calls, []);
});

test("limit is an integer from 1 to 1,000", async () => {
  assert.equal(idsOf(await open.ask("GET /v1/containers?limit=1")).length, 1);
  assert.ok(idsOf(await open.ask("GET /v1/containers?limit=1000")).length > 1);
  fake.calls.length = 0;
  for (const limit of ["0", "-1", "1001", "1.5", "1e2", "", "all", "01", "%201", "9".repeat(30)]) {
    const problem = problemOf(await open.ask(`GET /v1/containers?limit=${limit}`), {
      status: 400,
      code: "invalid_request",
    });
    assert.equal(problem.errors?.[0]?.parameter, "limit", limit);
  }
  problemOf(await open.ask("GET /v1/containers?limit=1&limit=2"), { status: 400, code: "invalid_request" });
  assert.deepEqual(fake.calls, []);
});

/** Lists as lines: one item each, as they come. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { mannerOf } from "../support/fake-runtime/manners/all.ts";
import { type MannerName, mannerNames } from "../support/fake-runtime.ts";
import { listRoutes } from "./table-cases.ts";
import { createGateway, problemOf, sharedGateway } from "./table-gateway.ts";
import { type Item, lines, type Page, parseLines, populate } from "./table-list-world.ts";
import { valueAt } from "./table-messages.ts";

const { fake, open } = await sharedGateway();
populate(fake, 40);

test("lines come from the streaming RPC where the runtime has it, and from the list elsewhere", async (t) => {
  for (const manner of mannerNames) {
    await t.test(manner, async (t) => {
      const own = await createGateway(manner);
      t.after(() => own.close());
      populate(own.fake, 12);
      const app = own.open();
      for (const route of listRoutes) {
        if (mannerOf(manner).unimplemented.has(route.rpc)) continue;
        const { stream } = route;
        assert.ok(stream, "CRI has a stream for each list");
        const streams = !mannerOf(manner).unimplemented.has(stream);
        for (const round of [1, 2]) {
          own.fake.calls.length = 0;
          const items = parseLines(await app.ask(route.http, lines));
          const asked = own.fake.calls.map(({ rpc }) => rpc).filter((rpc) => !rpc.endsWith("/Version"));
          // That a runtime has no such stream is asked once; and which runtime it is.
          const expected: readonly string[] = streams
            ? [stream]
            : round === 1
              ? [stream, route.rpc]
              : [route.rpc];
          assert.deepEqual(asked, expected, route.http);
          const whole = (await app.ask(route.http)).json<Page>()[route.items as "containers"];
          const keys = (list: readonly object[]): string[] =>
            list.map((item) => route.order.map((name) => valueAt(item, name.replace("-", ""))).join()).sort();
          assert.deepEqual(keys(items), keys(whole));
          assert.ok(items.length > 0);
        }
      }
    });
  }
});

test("a line is the item as the list has it, and filters hold for lines too", async (t) => {
  for (const manner of ["cri-o", "containerd-2.1"] as const satisfies readonly MannerName[]) {
    await t.test(manner, async (t) => {
      const own = await createGateway(manner);
      t.after(() => own.close());
      populate(own.fake, 12);
      const app = own.open();
      for (const query of [
        "",
        "?state=running",
        "?labelSelector=app%3Dweb,tier+notin+(tier-1)",
        "?labelSelector=!app",
      ]) {
        const byId = (a: object, b: object): number => ((a as Item).id < (b as Item).id ? -1 : 1);
        const inLines = parseLines(await app.ask(`GET /v1/containers${query}`, lines)).sort(byId);
        const inList = [...(await app.ask(`GET /v1/containers${query}`)).json<Page>().containers].sort(byId);
        assert.deepEqual(inLines, inList);
      }
    });
  }
});

test("limit and continue have no meaning with lines: 400", async () => {
  const { continue: token = "" } = (await open.ask("GET /v1/containers?limit=1")).json<Page>();
  fake.calls.length = 0;
  for (const query of ["limit=5", `continue=${token}`, `limit=1&continue=${token}`]) {
    const answer = await open.ask(`GET /v1/containers?${query}`, lines);
    const problem = problemOf(answer, { status: 400, code: "invalid_request" });
    const given = [...new URLSearchParams(query).keys()];
    assert.deepEqual(
      problem.errors?.map(({ parameter }) => parameter),
      given,
    );
  }
  assert.deepEqual(fake.calls, []);
});

test("JSON wins where lines are liked no better", async () => {
  const accepts = {
    json: [
      "*/*",
      "application/*",
      "application/json, application/x-ndjson",
      "application/x-ndjson;q=0.5, */*",
      "",
    ],
    lines: [
      "application/x-ndjson",
      "application/json;q=0.9, application/x-ndjson",
      "application/json;q=0, */*",
    ],
  };
  for (const accept of accepts.json) {
    const answer = await open.ask("GET /v1/containers", { headers: { accept } });
    assert.equal(answer.headers["content-type"], "application/json", accept);
  }
  for (const accept of accepts.lines)
    parseLines(await open.ask("GET /v1/containers", { headers: { accept } }));
});

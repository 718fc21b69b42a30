/** Lists by name and namespace, as JSON and as lines, with pages and ETags, and for callers with scopes. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Grants } from "../../src/grants.ts";
import { mannerNames } from "../support/fake-runtime.ts";
import { type LiveGateway, liveGateway } from "./live-gateway.ts";

const config = { linux: { cgroupParent: "/crest" } };

/** Each pod of two namespaces, with a container `main` and one of its own. */
function populate({ fake }: LiveGateway): void {
  for (const namespace of ["demo", "prod"])
    for (const name of ["web", "db"]) {
      const pod = fake.addPod({ namespace, name, config });
      fake.addContainer({ pod, name: "main", state: "running" });
      fake.addContainer({ pod, name: `${name}-side`, state: "running" });
    }
}

const lists = ["pods", "containers", "stats/pods", "stats/containers"] as const;
const itemsOf = {
  pods: "items",
  containers: "containers",
  "stats/pods": "stats",
  "stats/containers": "stats",
};
const lines = { accept: "application/x-ndjson" };

for (const manner of mannerNames) {
  test(`name and namespace select exactly, in every list on ${manner}`, async (t) => {
    const gateway = await liveGateway(t, manner);
    populate(gateway);
    for (const list of lists) {
      // cri-dockerd does not have the RPC.
      if (manner === "cri-dockerd" && list === "stats/pods") continue;
      const ofPods = list.endsWith("pods");
      for (const [query, pods, containers] of [
        ["namespace=demo", 2, 4],
        ["name=web", 2, 0],
        ["name=main", 0, 4],
        ["name=web&namespace=prod", 1, 0],
        ["name=main&namespace=demo", 0, 2],
        ["name=web-side&namespace=demo", 0, 1],
        ["namespace=dem", 0, 0],
        ["name=WEB", 0, 0],
        ["name=w*", 0, 0],
        ["name=web,db", 0, 0],
      ] as const) {
        const expected = ofPods ? pods : containers;
        const json = await gateway.ask(`GET /v1/${list}?${query}`);
        const items = json.at(itemsOf[list]) as readonly unknown[];
        assert.equal(items.length, expected, `${list}?${query}: ${json.text}`);
        const asLines = await gateway.ask(`GET /v1/${list}?${query}`, undefined, lines);
        assert.equal(asLines.text.split("\n").filter((line) => line !== "").length, expected, query);
      }
      for (const name of ["name", "namespace"])
        for (const query of [name, `${name}=`, `${name}=a&${name}=b`]) {
          const refused = await gateway.ask(`GET /v1/${list}?${query}`);
          assert.deepEqual([refused.status, refused.at("errors.0.parameter")], [400, name], query);
        }
    }
  });
}

test("pages and ETags go with the names, and a page of other names is refused", async (t) => {
  const gateway = await liveGateway(t);
  populate(gateway);
  const first = await gateway.ask("GET /v1/containers?name=main&namespace=demo&limit=1");
  const next = encodeURIComponent(String(first.at("continue")));
  const second = await gateway.ask(`GET /v1/containers?name=main&namespace=demo&limit=1&continue=${next}`);
  assert.notEqual(second.at("containers.0.id"), first.at("containers.0.id"));
  assert.equal(second.at("continue"), undefined);
  const other = await gateway.ask(`GET /v1/containers?name=main&namespace=prod&limit=1&continue=${next}`);
  assert.deepEqual([other.status, other.at("errors.0.parameter")], [400, "continue"]);

  const etag = String((await gateway.ask("GET /v1/pods?name=web")).headers.etag);
  const asked = (query: string) => gateway.ask(`GET /v1/pods?${query}`, undefined, { "if-none-match": etag });
  assert.equal((await asked("name=web")).status, 304);
  assert.equal((await asked("name=db")).status, 200);
});

test("a caller with a scope selects among what it sees", async (t) => {
  const grants: Grants = { all: false, allow: { read: ["demo/*"] }, deny: {} };
  const gateway = await liveGateway(t, "containerd-2.1", { grants });
  populate(gateway);
  for (const list of lists) {
    const key = itemsOf[list];
    const seen = (await gateway.ask(`GET /v1/${list}`)).at(key) as readonly unknown[];
    for (const [query, count] of [
      ["namespace=demo", seen.length],
      ["namespace=prod", 0],
    ] as const) {
      const answer = await gateway.ask(`GET /v1/${list}?${query}`);
      assert.equal((answer.at(key) as readonly unknown[]).length, count, `${list}?${query}`);
    }
  }
});

test("logs select by the name of the container, and usage by names", async (t) => {
  const gateway = await liveGateway(t);
  populate(gateway);
  for (const query of ["container=main", "namespace=demo&pod=web&container=web-side"]) {
    const answer = await gateway.ask(`GET /v1/logs?${query}`, undefined, { accept: "application/json" });
    assert.equal(answer.status, 200, answer.text);
  }
  const usage = await gateway.ask("GET /v1/stats/containers/watch?name=main&namespace=demo");
  const items = usage.at("items") as readonly { readonly name: string; readonly namespace: string }[];
  assert.ok(items.every(({ name, namespace }) => name === "main" && namespace === "demo"));
});

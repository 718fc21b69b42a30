/** Grants that are narrowed to some pods: what is out of scope is not there. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import type { GrantSet } from "../../src/grants.ts";
import { mannerNames } from "../support/fake-runtime.ts";
import { type Answer, liveGateway } from "./live-gateway.ts";

const config = { linux: { cgroupParent: "/crest" } };
const ndjson = { accept: "application/x-ndjson" };

/** Two pods with a container each, and a gateway with these grants. */
async function withTwoPods(
  t: TestContext,
  allow: GrantSet,
  {
    deny = {},
    all = false,
    manner = mannerNames[0],
  }: { deny?: GrantSet; all?: boolean; manner?: (typeof mannerNames)[number] } = {},
) {
  const gateway = await liveGateway(t, manner, { grants: { all, allow, deny } });
  const { fake } = gateway;
  fake.addImage({ tags: ["tiny:1"] });
  const podOf = (namespace: string, name: string) => {
    const pod = fake.addPod({ namespace, name, uid: name, config, labels: { app: name } });
    const container = fake.addContainer({ pod, image: "tiny:1", state: "running" });
    return { pod: pod.id, container: container.id };
  };
  return { gateway, web: podOf("demo", "web"), db: podOf("secret", "db") };
}

const idsIn = (answer: Answer, list: string): readonly unknown[] => {
  assert.equal(answer.status, 200, answer.text);
  return (
    answer.at(list) as readonly { readonly id?: string; readonly attributes?: { readonly id: string } }[]
  )
    .map((item) => item.id ?? item.attributes?.id)
    .toSorted();
};

for (const manner of mannerNames) {
  test(`lists and reads by id show a scoped caller only its pods, on ${manner}`, async (t) => {
    const { gateway, web, db } = await withTwoPods(t, { read: ["demo/*"] }, { manner });
    const { ask } = gateway;
    assert.deepEqual(idsIn(await ask("GET /v1/pods"), "items"), [web.pod]);
    assert.deepEqual(idsIn(await ask("GET /v1/containers"), "containers"), [web.container]);
    assert.deepEqual(idsIn(await ask("GET /v1/stats/containers"), "stats"), [web.container]);
    // The Docker daemon has no such list.
    const ofPods = manner === "cri-dockerd" ? [] : ["stats/pods"];
    for (const path of ofPods) assert.deepEqual(idsIn(await ask(`GET /v1/${path}`), "stats"), [web.pod]);
    for (const path of ["pods", "containers", "stats/containers", ...ofPods]) {
      const { text } = await ask(`GET /v1/${path}`, undefined, ndjson);
      assert.ok(!text.includes(db.pod) && !text.includes(db.container), path);
      assert.ok(text.includes(web.pod) || text.includes(web.container), path);
    }
    for (const [hidden, seen, path] of [
      [db.pod, web.pod, "pods/ID"],
      [db.container, web.container, "containers/ID"],
      [db.container, web.container, "containers/ID/stats"],
    ] as const) {
      const absent = "f".repeat(64);
      const ofHidden = await ask(`GET /v1/${path.replace("ID", hidden)}`);
      const ofAbsent = await ask(`GET /v1/${path.replace("ID", absent)}`);
      assert.equal(ofHidden.status, 404);
      const plain = ({ text }: Answer, id: string): string =>
        text.replaceAll(id, "ID").replace(/"requestId":"[^"]*"/, "");
      assert.equal(plain(ofHidden, hidden), plain(ofAbsent, absent));
      assert.equal((await ask(`GET /v1/${path.replace("ID", hidden.slice(0, 10))}`)).status, 404);
      assert.equal((await ask(`GET /v1/${path.replace("ID", seen.slice(0, 10))}`)).status, 200, path);
    }
  });
}

test("what may be read but not used is refused by naming the scope that is missing", async (t) => {
  const { gateway, web, db } = await withTwoPods(t, { read: true, stop: ["demo/web"] });
  const refused = await gateway.ask(`POST /v1/pods/${db.pod}/stop`);
  assert.equal(refused.status, 403, refused.text);
  assert.equal(
    refused.at("detail"),
    'Requires stop access to "secret/db", run again with --allow-stop=secret/db',
  );
  assert.equal(refused.at("resource"), "secret/db");
  const other = await gateway.ask(`POST /v1/pods/${web.pod}/stop`);
  assert.equal(
    other.at("detail"),
    'Requires unmanaged access to "demo/web", run again with --allow-unmanaged',
  );
});

test("a denial hides pods from someone who may do everything else", async (t) => {
  const { gateway, web, db } = await withTwoPods(
    t,
    {},
    { all: true, deny: { read: ["label:app=db"], exec: ["secret"] } },
  );
  const { ask } = gateway;
  assert.deepEqual(idsIn(await ask("GET /v1/pods"), "items"), [web.pod]);
  const exec = await ask(`POST /v1/containers/${db.container}/exec`, { cmd: ["true"] });
  assert.equal(exec.status, 404, exec.text);
  assert.equal((await ask(`DELETE /v1/pods/${db.pod}`)).status, 204);
});

test("pods are created only within the scope, by namespace, name and label", async (t) => {
  const run = async (scope: string, body: object): Promise<Answer> => {
    const { gateway } = await withTwoPods(t, { run: [scope] });
    return await gateway.ask("POST /v1/pods", body);
  };
  const pod = (namespace: string, name: string, labels = {}) => ({ metadata: { namespace, name }, labels });
  assert.equal((await run("demo", pod("demo", "a"))).status, 201);
  assert.equal((await run("demo/web-*", pod("demo", "web-1"))).status, 201);
  assert.equal((await run("default", { metadata: { name: "a" } })).status, 201);
  assert.equal((await run("label:team=x", pod("any", "a", { team: "x" }))).status, 201);
  for (const [scope, body, flag] of [
    ["demo", pod("demo2", "a"), "demo2/a"],
    ["demo/web-*", pod("demo", "web"), "demo/web"],
    ["label:team=x", pod("any", "a", { team: "y" }), "any/a"],
  ] as const) {
    const answer = await run(scope, body);
    assert.equal(answer.status, 403, answer.text);
    assert.equal(answer.at("detail"), `Requires run access to "${flag}", run again with --allow-run=${flag}`);
  }
});

test("GET /v1/grants tells the scopes", async (t) => {
  const { gateway } = await withTwoPods(
    t,
    { read: ["images", "demo/*", "stats:label:app=web"], exec: ["demo/web"] },
    { deny: { exec: ["demo/web-9"] } },
  );
  const answer = await gateway.ask("GET /v1/grants");
  assert.deepEqual(answer.at("grants"), [
    { grant: "read:pods", only: ["demo/*"] },
    { grant: "read:containers", only: ["demo/*"] },
    { grant: "read:images" },
    { grant: "read:stats", only: ["demo/*", "label:app=web"] },
    { grant: "read:events", only: ["demo/*"] },
    { grant: "exec", only: ["demo/web"], except: ["demo/web-9"] },
  ]);
});

test("events, usage and metrics are only of the pods in the scope", async (t) => {
  const { gateway, web, db } = await withTwoPods(t, { read: ["demo/*"] });
  const { ask } = gateway;
  const checkText = async (target: string): Promise<void> => {
    const { status, text } = await ask(target, undefined, ndjson);
    assert.equal(status, 200, text);
    assert.ok(text.includes("web") || text.includes(web.container), target);
    for (const hidden of ["secret", db.pod, db.container])
      assert.ok(!text.includes(hidden), `${target}: ${text}`);
  };
  await checkText("GET /v1/events");
  await checkText("GET /metrics/cadvisor");
  const whole = await ask("GET /metrics");
  assert.equal(whole.at("detail"), "Requires read access to all pods, run again with --allow-read=stats");
});

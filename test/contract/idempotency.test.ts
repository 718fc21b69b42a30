/** Requests that create something, sent twice: by name, and with an Idempotency-Key. */
import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import { request } from "node:http";
import { join } from "node:path";
import { test } from "node:test";
import type { Caller } from "../../src/access/authorize.ts";
import type { Grants } from "../../src/grants.ts";
import { testAudit } from "../support/audit-log.ts";
import { eventually } from "../support/eventually.ts";
import { failing, hanging, held, mannerNames } from "../support/fake-runtime.ts";
import { liveGateway, token } from "./live-gateway.ts";

const web = { metadata: { name: "web", namespace: "demo" } };
const keyed = (key: string) => ({ "idempotency-key": key });

for (const manner of mannerNames) {
  test(`runPod: a second pod of a name without a uid is 409 with the path of the first on ${manner}`, async (t) => {
    const { ask, fake, dataDir } = await liveGateway(t, manner);
    const first = await ask("POST /v1/pods", web);
    assert.equal(first.status, 201, first.text);
    const second = await ask("POST /v1/pods", web);
    assert.deepEqual([second.status, second.at("code")], [409, "name_reserved"], second.text);
    assert.equal(second.headers.location, first.headers.location);
    assert.equal(second.at("podSandboxId"), first.at("podSandboxId"));
    assert.equal((await readdir(join(dataDir, "logs"))).length, 1, "a refused request makes no folder");
    for (const metadata of [
      { ...web.metadata, namespace: "prod" },
      { ...web.metadata, uid: "u-2" },
    ])
      assert.equal((await ask("POST /v1/pods", { metadata })).status, 201);
    // With a uid, CRI decides.
    const same = await ask("POST /v1/pods", { metadata: { ...web.metadata, uid: "u-2" } });
    assert.equal(same.at("code"), "name_reserved");
    assert.match(String(same.headers.location), /^\/v1\/pods\/[0-9a-f]{64}$/);
    assert.equal(fake.pods.size, 3);
  });

  test(`createContainer: a taken name is 409 with the path of the container on ${manner}`, async (t) => {
    const { ask, fake } = await liveGateway(t, manner);
    const { id } = fake.addPod({ name: "web" });
    const [image] = fake.addImage({ tags: ["tiny:1"] }).repoTags;
    const create = () => ask(`POST /v1/pods/${id}/containers`, { metadata: { name: "main" }, image });
    const first = await create();
    assert.equal(first.status, 201, first.text);
    const second = await create();
    assert.deepEqual([second.status, second.at("code")], [409, "name_reserved"], second.text);
    assert.equal(second.headers.location, first.headers.location);
    assert.equal(second.at("containerId"), first.at("containerId"));
  });
}

test("runPod: of concurrent requests for a name one creates it, the others are told where it is", async (t) => {
  const { ask, fake } = await liveGateway(t);
  const answers = await Promise.all(Array.from({ length: 8 }, () => ask("POST /v1/pods", web)));
  const [created] = answers.filter(({ status }) => status === 201);
  assert.equal(answers.filter(({ status }) => status === 201).length, 1);
  for (const answer of answers) assert.equal(answer.headers.location, created?.headers.location, answer.text);
  assert.equal(fake.pods.size, 1);
});

test("runPod: a name is free again after a failure, after a stop, and beside a pod of others", async (t) => {
  const { ask, fake } = await liveGateway(t);
  fake.addPod(web.metadata);
  fake.on("RuntimeService/RunPodSandbox", failing(2, "no space left on device"), { once: true });
  assert.equal((await ask("POST /v1/pods", web)).status, 507);
  assert.equal((await ask("POST /v1/pods", web)).status, 201);
  const { location } = (await ask("POST /v1/pods", web)).headers;
  assert.equal((await ask(`POST ${location}/stop`)).status, 204);
  assert.equal((await ask("POST /v1/pods", web)).status, 201);
});

test("runPod: a pod that the caller does not see has no name", async (t) => {
  const grants: Grants = {
    all: true,
    allow: {},
    deny: { run: ["label:team=others"], read: ["label:team=others"] },
  };
  const { ask, fake } = await liveGateway(t, "containerd-2.1", { grants });
  const hidden = fake.addPod({
    ...web.metadata,
    uid: "u-1",
    labels: { "crest/managed": "true", team: "others" },
  });
  assert.equal((await ask("POST /v1/pods", web)).status, 201);
  const same = await ask("POST /v1/pods", { metadata: { ...web.metadata, uid: "u-1" } });
  assert.equal(same.status, 409);
  assert.equal(same.headers.location, undefined);
  assert.ok(!same.text.includes(hidden.id), same.text);
});

test("the same key and body get the same answer, and nothing is done twice", async (t) => {
  const { ask, fake, requests } = await liveGateway(t);
  const send = (key = "k-1") => ask("POST /v1/pods", web, keyed(key));
  const first = await send();
  assert.equal(first.status, 201, first.text);
  for (const key of ["k-1", '"k-1"']) {
    const again = await send(key);
    assert.deepEqual([again.status, again.text], [201, first.text]);
    assert.equal(again.headers.location, first.headers.location);
    assert.equal(again.headers["idempotent-replayed"], "true");
  }
  assert.equal(first.headers["idempotent-replayed"], undefined);
  assert.equal(fake.callsOf("RuntimeService/RunPodSandbox").length, 1);
  assert.deepEqual(
    requests.map(({ replayed }) => replayed),
    [undefined, true, true],
  );
  assert.equal((await send("k-2")).at("code"), "name_reserved");

  const [image] = fake.addImage({ tags: ["tiny:1"] }).repoTags;
  const path = `POST ${first.headers.location}/containers`;
  const container = { metadata: { name: "main" }, image };
  const made = await ask(path, container, keyed("k-3"));
  assert.equal(made.status, 201, made.text);
  const repeated = await ask(path, container, keyed("k-3"));
  assert.deepEqual([repeated.status, repeated.text], [201, made.text]);
  assert.equal(repeated.headers.location, made.headers.location);
});

test("a key with another body, path or query is 422", async (t) => {
  const { ask, fake } = await liveGateway(t);
  assert.equal((await ask("POST /v1/pods", web, keyed("k"))).status, 201);
  for (const [target, body] of [
    ["POST /v1/pods", { metadata: { name: "web", namespace: "prod" } }],
    ["POST /v1/pods?fieldValidation=Warn", web],
    ["POST /v1/pods/web/containers", { metadata: { name: "main" }, image: "tiny:1" }],
  ] as const) {
    const answer = await ask(target, body, keyed("k"));
    assert.deepEqual([answer.status, answer.at("code")], [422, "idempotency_key_reused"], answer.text);
  }
  assert.equal(fake.pods.size, 1);
});

test("a key must be 1 to 255 printable characters, given once", async (t) => {
  const { ask, fake } = await liveGateway(t);
  for (const key of ["", '""', "a b", 'a"b', '"a', "x".repeat(256), "a, b", "é"]) {
    const answer = await ask("POST /v1/pods", web, {
      "idempotency-key": Buffer.from(key).toString("latin1"),
    });
    assert.deepEqual([answer.status, answer.at("errors.0.parameter")], [400, "Idempotency-Key"], key);
  }
  assert.equal(fake.pods.size, 0);
  // Others have no use for one.
  assert.equal((await ask("GET /v1/pods", undefined, keyed("a b"))).status, 200);
});

test("a second request waits for the first, also when the client of the first has left", async (t) => {
  const { ask, fake, port } = await liveGateway(t);
  const slow = held();
  fake.on("RuntimeService/RunPodSandbox", slow.answer);
  const body = JSON.stringify(web);
  const leaving = request({
    port,
    method: "POST",
    path: "/v1/pods",
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json", ...keyed("k") },
  });
  leaving.on("error", () => undefined);
  leaving.end(body);
  await slow.arrived;
  const second = ask("POST /v1/pods", web, keyed("k"));
  const third = ask("POST /v1/pods", web, keyed("k"));
  leaving.destroy();
  slow.release();
  const answers = await Promise.all([second, third]);
  assert.deepEqual(
    answers.map(({ status }) => status),
    [201, 201],
  );
  assert.equal(answers[0]?.text, answers[1]?.text);
  assert.equal(fake.pods.size, 1);
});

test("the work goes on when its client leaves, and its answer is kept for it", async (t) => {
  const { ask, fake, port } = await liveGateway(t);
  const slow = held();
  fake.on("RuntimeService/RunPodSandbox", slow.answer, { once: true });
  const leaving = request({
    port,
    method: "POST",
    path: "/v1/pods",
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json", ...keyed("k") },
  });
  leaving.on("error", () => undefined);
  leaving.end(JSON.stringify(web));
  await slow.arrived;
  leaving.destroy();
  slow.release();
  await eventually(() => fake.pods.size === 1);
  const answer = await ask("POST /v1/pods", web, keyed("k"));
  assert.deepEqual([answer.status, answer.headers["idempotent-replayed"]], [201, "true"], answer.text);
  assert.equal(fake.pods.size, 1);
});

test("a failure is forgotten, so that a retry tries again; an unknown outcome is not", async (t) => {
  const { ask, fake } = await liveGateway(t, "containerd-2.1", { deadlineMs: 500 });
  const send = (key: string) => ask("POST /v1/pods", web, keyed(key));
  fake.on("RuntimeService/RunPodSandbox", failing(2, "no space left on device"), { once: true });
  assert.equal((await send("k")).status, 507);
  const retried = await send("k");
  assert.deepEqual([retried.status, retried.headers["idempotent-replayed"]], [201, undefined]);

  fake.on("RuntimeService/RunPodSandbox", hanging(), { once: true });
  const other = { metadata: { name: "other" } };
  const lost = await ask("POST /v1/pods", other, keyed("lost"));
  assert.equal(lost.at("code"), "outcome_unknown", lost.text);
  const again = await ask("POST /v1/pods", other, keyed("lost"));
  assert.deepEqual([again.status, again.at("code")], [504, "outcome_unknown"]);
  assert.equal(fake.callsOf("RuntimeService/RunPodSandbox").length, 3);
  assert.equal((await ask("POST /v1/pods", other, keyed("looked"))).status, 201);
});

test("keys belong to their caller, and a repetition needs the grant", async (t) => {
  const all: Grants = { all: true, allow: {}, deny: {} };
  const callers: { readonly [authorization: string]: Caller } = {
    "Bearer one": { name: "one", by: "token", grants: all },
    "Bearer two": { name: "two", by: "token", grants: all },
    "Bearer reader": { name: "one", by: "token", grants: { all: false, allow: { read: true }, deny: {} } },
  };
  const { ask } = await liveGateway(t, "containerd-2.1", {
    otherCallers: (authorization) => callers[authorization ?? ""],
  });
  const send = (name: string) =>
    ask("POST /v1/pods", web, { ...keyed("k"), authorization: `Bearer ${name}` });
  assert.equal((await send("one")).status, 201);
  const other = await send("two");
  assert.deepEqual([other.status, other.at("code")], [409, "name_reserved"]);
  assert.equal((await send("reader")).status, 403);
  assert.equal((await send("one")).status, 201);
});

test("a repetition is audited as one", async (t) => {
  const { audit, lines } = await testAudit(t);
  const { ask } = await liveGateway(t, "containerd-2.1", { audit });
  const first = await ask("POST /v1/pods", web, keyed("k"));
  await ask("POST /v1/pods", web, keyed("k"));
  const created = `pods/${first.at("podSandboxId")}`;
  const written = await eventually(async () => {
    const found = await lines();
    return found.length === 3 && found;
  });
  assert.deepEqual(
    written.map(({ stage, annotations }) => [
      stage,
      annotations["object.crest/created"],
      annotations["request.crest/replayed"],
    ]),
    [
      ["RequestReceived", undefined, undefined],
      ["ResponseComplete", created, undefined],
      ["ResponseComplete", created, "true"],
    ],
  );
});

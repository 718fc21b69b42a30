/** Names in place of ids, and creates that are repeated, on the real containerd. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import type { ListContainersResponse, ListPodSandboxResponse } from "../../src/gen/messages.ts";
import { assertDone, bodyOf, problemOf } from "./support/api.ts";
import { reasonToSkip } from "./support/machine.ts";
import { type ExecAnswer, exited, image, removePod, runContainer, runPod, shell } from "./support/pods.ts";
import { useGateway } from "./support/suite.ts";

const skip = await reasonToSkip();
const crest = useGateway(skip);
const demoWeb = { metadata: { name: "web", namespace: "demo" } };

test("names stand for ids: two pods with a container of one name, and its attempts", { skip }, async () => {
  const web = await runPod(crest(), demoWeb);
  const db = await runPod(crest(), { metadata: { name: "db", namespace: "demo" } });
  const first = await runContainer(crest(), web, { metadata: { name: "main" }, ...shell("exit 3") });
  await exited(crest(), first);
  const second = await runContainer(crest(), web, { metadata: { name: "main", attempt: 1 } });
  const other = await runContainer(crest(), db, { metadata: { name: "main" } });

  const exec = (name: string) =>
    crest().post<ExecAnswer>(`/v1/containers/${name}/exec`, { cmd: ["echo", "here"], timeout: "30" });
  assert.equal(bodyOf(await exec("demo%2Fweb%2Fmain")).stdout, "here\n");
  assert.equal(bodyOf(await exec("db%2Fmain")).stdout, "here\n");
  const ambiguous = problemOf(await exec("main"), 409, "ambiguous_id");
  assert.deepEqual(ambiguous.candidates, [second.id, other.id].sort());
  const refused = await crest().delete("/v1/containers/web%2Fmain");
  assert.deepEqual(problemOf(refused, 409, "ambiguous_id").candidates, [first.id, second.id].sort());

  const { containers } = bodyOf(
    await crest().get<ListContainersResponse>("/v1/containers?name=main&namespace=demo&pod=web"),
  );
  assert.deepEqual(containers.map(({ id }) => id).sort(), [first.id, second.id].sort());

  assertDone(await crest().post("/v1/containers/demo%2Fweb%2Fmain/stop?timeout=0"));
  // Nothing else has a name like this.
  assertDone(await crest().delete("/v1/containers/db%2Fmain"));
  assertDone(await crest().delete("/v1/pods/demo%2Fdb"));
  await removePod(crest(), web);
  problemOf(await crest().get("/v1/pods/web"), 404, "not_found");
});

test("a name is given once, and a repeated create gets the first answer", { skip }, async () => {
  const answers = await Promise.all(Array.from({ length: 4 }, () => crest().post("/v1/pods", demoWeb)));
  assert.deepEqual(answers.map(({ status }) => status).sort(), [201, 409, 409, 409]);
  assert.equal(new Set(answers.map(({ headers }) => headers.location)).size, 1);
  const path = answers[0]?.headers.location ?? "";

  const send = (key: string, body: object) =>
    crest().send("POST", `${path}/containers`, { body, headers: { "idempotency-key": key } });
  const key = randomUUID();
  const absent = { metadata: { name: "main" }, image: "registry.example/absent:1" };
  problemOf(await send(key, absent), 404, "image_not_found");
  // The key of a failed attempt is free: the same attempt, mended.
  const mended = { ...absent, image, command: ["sleep", "3600"] };
  const created = await send(key, mended);
  bodyOf(created, 201);
  const again = await send(key, mended);
  assert.deepEqual([again.status, again.text], [201, created.text]);
  assert.equal(again.headers.location, created.headers.location);
  assert.equal(again.headers["idempotent-replayed"], "true");
  problemOf(await send(key, absent), 422, "idempotency_key_reused");
  const reserved = await crest().post(`${path}/containers`, mended);
  problemOf(reserved, 409, "name_reserved");
  assert.equal(reserved.headers.location, created.headers.location);

  assertDone(await crest().delete(path));
  const { items } = bodyOf(await crest().get<ListPodSandboxResponse>("/v1/pods?name=web&namespace=demo"));
  assert.deepEqual(items, []);
});

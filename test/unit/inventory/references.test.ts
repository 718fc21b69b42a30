/** Which of several pods and containers a text means. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { GatewayError } from "../../../src/errors.ts";
import { type Candidate, namePartsOf, type Purpose, pickOne } from "../../../src/inventory/references.ts";

const container = (id: string, more: Partial<Candidate> = {}): Candidate => ({
  ...{ id: id.padEnd(64, "0"), namespace: "demo", pod: "web", container: "main", podSandboxId: "p1" },
  ...{ attempt: 0, state: "CONTAINER_EXITED", age: 1n },
  ...more,
});

function codeOf(text: string, all: readonly Candidate[], purpose?: Purpose): string {
  try {
    return pickOne("container", text, all, purpose).id.replace(/0+$/, "");
  } catch (error) {
    assert.ok(error instanceof GatewayError);
    return error.code;
  }
}

test("namePartsOf() takes as many parts as a name can have, and none that is empty", () => {
  assert.deepEqual(namePartsOf("container", "demo/web/main"), ["demo", "web", "main"]);
  assert.deepEqual(namePartsOf("pod", "demo/web"), ["demo", "web"]);
  assert.equal(namePartsOf("pod", "demo/web/main"), undefined);
  for (const text of ["", "/", "a/", "/a", "a//b", "a/b/c/d", "x".repeat(65_536), "/".repeat(65_536)])
    assert.equal(namePartsOf("container", text), undefined, text.slice(0, 10));
});

test("pickOne() prefers the living, then the attempt of a pod, then the time", () => {
  const old = container("a", { attempt: 1, age: 9n });
  const newer = container("b", { attempt: 2, age: 2n });
  assert.equal(codeOf("main", [old, newer]), "b");
  assert.equal(codeOf("main", [newer, old]), "b");
  // The sandbox was made anew, so that attempts are counted anew.
  assert.equal(codeOf("web/main", [newer, container("c", { podSandboxId: "p2", age: 3n })]), "c");
  const running = container("d", { state: "CONTAINER_RUNNING" });
  assert.equal(codeOf("demo/web/main", [old, running, newer]), "d");
  assert.equal(codeOf("main", [running, container("e", { state: "CONTAINER_CREATED" })]), "ambiguous_id");
  assert.equal(codeOf("main", [old, newer], "remove"), "ambiguous_id");
  assert.equal(codeOf("main", [old, newer], "change"), "b");
  assert.equal(codeOf("main", [old], "remove"), "a");
});

test("pickOne() takes an id before a name, unless a change could hit what was not meant", () => {
  const byId = container("db1");
  const byName = container("f", { container: "db" });
  assert.equal(codeOf("db", [byId, byName]), "db1");
  assert.equal(codeOf("db", [byId, byName], "change"), "ambiguous_id");
  assert.equal(codeOf("web/db", [byId, byName], "remove"), "f");
  assert.equal(codeOf("db", [byName], "remove"), "f");
  assert.equal(codeOf(byId.id, [byId, container("9", { container: byId.id })], "remove"), "db1");
  // One and the same.
  assert.equal(codeOf("db", [container("db1", { container: "db" })], "remove"), "db1");
  assert.equal(codeOf("nothing", [byId]), "not_found");
});

test("pickOne() lists for an ambiguous name what each longer name would mean", () => {
  const all = [
    container("a", { attempt: 0 }),
    container("b", { attempt: 1 }),
    container("c", { pod: "db", podSandboxId: "p2" }),
  ];
  assert.throws(
    () => pickOne("container", "main", all),
    (error: unknown) =>
      error instanceof GatewayError &&
      JSON.stringify(error.members.candidates) === JSON.stringify([all[1]?.id, all[2]?.id]),
  );
});

/** Ids, prefixes of ids, and what never changes about pods. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { connect } from "../../../src/cri/channel.ts";
import { GatewayError } from "../../../src/errors.ts";
import { createInventory, type Inventory, type Kind } from "../../../src/inventory/inventory.ts";
import {
  createFakeRuntime,
  type FakeRuntime,
  type MannerName,
  mannerNames,
} from "../../support/fake-runtime.ts";
import { stubRuntime } from "../cri/stub-runtime.ts";

async function bench(
  t: TestContext,
  manner: MannerName = "containerd-2.1",
): Promise<{ fake: FakeRuntime; inventory: Inventory }> {
  const fake = await createFakeRuntime({ manner });
  const runtime = connect({ runtimeEndpoint: fake.socket });
  t.after(async () => {
    runtime.close();
    await fake.close();
  });
  return { fake, inventory: createInventory(runtime) };
}

/** 64 digits that begin so. */
const id = (prefix: string): string => prefix.padEnd(64, "0");

async function refusal(promise: Promise<unknown>): Promise<GatewayError> {
  const error = await promise.then(
    () => assert.fail("it should have been refused"),
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof GatewayError);
  return error;
}

test("64 digits are taken at their word, without asking", async (t) => {
  const { fake, inventory } = await bench(t);
  for (const kind of ["pod", "container"] as const)
    assert.equal(await inventory.resolve(kind, id("a")), id("a"));
  assert.equal(fake.calls.length, 0);
});

test("64 digits that must exist are looked for", async (t) => {
  for (const manner of mannerNames) {
    const { fake, inventory } = await bench(t, manner);
    const { id: podId } = fake.addPod();
    const container = fake.addContainer({ pod: podId });
    assert.equal(await inventory.resolve("pod", podId, { mustExist: true }), podId);
    assert.equal(await inventory.resolve("container", container.id, { mustExist: true }), container.id);
    for (const kind of ["pod", "container"] as const) {
      const error = await refusal(inventory.resolve(kind, id("f"), { mustExist: true }));
      assert.equal(error.code, "not_found");
      assert.match(error.message, new RegExp(`^Cannot find ${kind} "f0+"`));
    }
    // A pod's id is no container's.
    assert.equal(
      (await refusal(inventory.resolve("container", podId, { mustExist: true }))).code,
      "not_found",
    );
  }
});

test("a unique prefix is the whole id, of pods and of containers", async (t) => {
  for (const manner of mannerNames) {
    const { fake, inventory } = await bench(t, manner);
    const pod = fake.addPod({ id: id("abc1") });
    fake.addPod({ id: id("abd2") });
    fake.addContainer({ pod, id: id("abc9") });
    assert.equal(await inventory.resolve("pod", "abc"), id("abc1"));
    assert.equal(await inventory.resolve("container", "ab"), id("abc9"));
    assert.equal(await inventory.resolve("pod", "abc1", { mustExist: true }), id("abc1"));
  }
});

test("a prefix of several ids is refused with the candidates, twenty at most, in order", async (t) => {
  const { fake, inventory } = await bench(t);
  const ids = Array.from({ length: 25 }, (_, i) => id(`ab${String(i).padStart(2, "0")}`));
  for (const each of ids) fake.addPod({ id: each });
  const few = await refusal(inventory.resolve("pod", "ab00".slice(0, 3)));
  assert.equal(few.code, "ambiguous_id");
  assert.equal(few.status, 409);
  assert.deepEqual(few.members.candidates, ids.slice(0, 10));
  const many = await refusal(inventory.resolve("pod", "a"));
  assert.deepEqual(many.members.candidates, ids.slice(0, 20));
  assert.match(many.message, /25 pods match/);
});

test("an id that another one begins with is itself", async () => {
  const containers = ["abcd", "abcd00", "abcdef"].map((each) => ({
    ...{ id: each, podSandboxId: "p", createdAt: "1" },
  }));
  const inventory = createInventory(
    stubRuntime({
      "RuntimeService/ListContainers": () => ({ containers }),
      "RuntimeService/ListPodSandbox": () => ({ items: [] }),
    }),
  );
  assert.equal(await inventory.resolve("container", "abcd"), "abcd");
  assert.equal((await refusal(inventory.resolve("container", "abc"))).code, "ambiguous_id");
});

test("what begins no id is not found, digits or not", async (t) => {
  const { fake, inventory } = await bench(t);
  fake.addContainer();
  for (const absent of ["no-such", "ABC", "é", "f".repeat(65), "z".repeat(64), "/"]) {
    for (const kind of ["pod", "container"] satisfies Kind[]) {
      assert.equal((await refusal(inventory.resolve(kind, absent))).code, "not_found", absent);
    }
  }
});

test("the pod of a container is found once and remembered", async (t) => {
  for (const manner of mannerNames) {
    const { fake, inventory } = await bench(t, manner);
    const pod = fake.addPod({ name: "web", namespace: "prod", uid: "u-1", labels: { app: "web" } });
    const container = fake.addContainer({ pod });
    const facts = await inventory.podOf("container", container.id);
    assert.equal(facts.id, pod.id);
    assert.equal(facts.namespace, "prod");
    assert.equal(facts.name, "web");
    assert.equal(facts.uid, "u-1");
    assert.equal(facts.labels.app, "web");
    const asked = fake.calls.length;
    assert.deepEqual(await inventory.podOf("container", container.id), facts);
    assert.deepEqual(await inventory.podOf("pod", pod.id), facts);
    assert.equal(fake.calls.length, asked);
  }
});

test("the pod of what is not there is not found", async (t) => {
  const { inventory } = await bench(t);
  for (const kind of ["pod", "container"] as const)
    assert.equal((await refusal(inventory.podOf(kind, id("f")))).code, "not_found");
});

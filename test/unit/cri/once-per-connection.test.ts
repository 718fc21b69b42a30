/** What is asked once, and again behind a lost connection. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { connect } from "../../../src/cri/channel.ts";
import { oncePerConnection } from "../../../src/cri/once-per-connection.ts";
import { identify, isRuntime } from "../../../src/runtimes/identity.ts";
import { eventually } from "../../support/eventually.ts";
import { createFakeRuntime } from "../../support/fake-runtime.ts";
import { stubRuntime } from "./stub-runtime.ts";

test("an answer is remembered for each runtime, also while it is awaited", async () => {
  let asked = 0;
  const count = oncePerConnection(async () => ++asked);
  const [one, other] = [stubRuntime({}), stubRuntime({})];
  assert.deepEqual(await Promise.all([count(one), count(one), count(other), count(one)]), [1, 1, 2, 1]);
  one.drop();
  assert.deepEqual([await count(one), await count(other)], [3, 2]);
});

test("a failure reaches all who wait for it, and the next one asks again", async () => {
  let asked = 0;
  const fail = oncePerConnection(async () => {
    asked++;
    throw new Error("no");
  });
  const runtime = stubRuntime({});
  const waiting = [fail(runtime), fail(runtime)];
  for (const each of waiting) await assert.rejects(each, /no/);
  assert.equal(asked, 1);
  await assert.rejects(fail(runtime), /no/);
  assert.equal(asked, 2);
});

test("a connection that is lost while the answer is on its way is told at once", async () => {
  let asked = 0;
  const count = oncePerConnection(async () => ++asked);
  const dropped = { ...stubRuntime({}), whenDropped: (tell: () => void) => tell() };
  assert.equal(await count(dropped), 1);
  await eventually(async () => (await count(dropped)) === 2);
});

test("a runtime says its name once, and its new one behind a restart", async (t) => {
  const fake = await createFakeRuntime({ manner: "cri-o", recoveryMs: 20 });
  const runtime = connect({ runtimeEndpoint: fake.socket });
  t.after(async () => {
    runtime.close();
    await fake.close();
  });
  assert.deepEqual(await identify(runtime), { name: "cri-o", version: "1.37.0" });
  assert.equal(await isRuntime(runtime, "cri-o"), true);
  assert.equal(await isRuntime(runtime, "docker"), false);
  assert.equal(fake.callsOf("RuntimeService/Version").length, 1);
  await fake.restart();
  fake.on("RuntimeService/Version", { runtimeName: "containerd", runtimeVersion: "2.3.0" });
  await eventually(async () => (await identify(runtime)).name === "containerd");
});

/** Variables that packages read by themselves: none of them makes the gateway print what a request holds. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { spawnGateway } from "./spawned-gateway.ts";

const canary = "canary-4b1c";

test("a YAML body is not printed, whatever the packages' own variables are", async (t) => {
  const env = { LOG_STREAM: "1", LOG_TOKENS: "1" };
  const gateway = await spawnGateway(t, { env });
  const { id } = gateway.fake.addPod();
  const answer = await fetch(`http://127.0.0.1:${gateway.port}/v1/pods/${id}/containers`, {
    method: "POST",
    headers: { authorization: `Bearer ${gateway.token}`, "content-type": "application/yaml" },
    body: `metadata: {name: app}\nimage: busybox:1.36\nenvs:\n- {key: PASSWORD, value: ${canary}}\n`,
  });
  assert.equal(answer.status, 201, await answer.text());
  const stopped = await gateway.process.stop();
  assert.equal(stopped.code, 0);
  assert.ok(!gateway.process.output().includes(canary), gateway.process.output());
  assert.doesNotMatch(gateway.process.stdout(), /PASSWORD|busybox/);
});

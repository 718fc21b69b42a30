/** What a gateway takes on at the same time, and how it refuses more. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually } from "../support/eventually.ts";
import { held } from "../support/fake-runtime.ts";
import { type LiveGateway, liveGateway } from "./live-gateway.ts";

const execSync = "RuntimeService/ExecSync";

async function containerOf({ fake }: LiveGateway): Promise<string> {
  const pod = fake.addPod({ labels: { "crest/managed": "true" } });
  return `/v1/containers/${fake.addContainer({ pod, state: "running" }).id}`;
}

test("32 commands of a caller run at once; more wait, and run when one has ended", async (t) => {
  const gateway = await liveGateway(t);
  const target = `POST ${await containerOf(gateway)}/exec`;
  const gates = Array.from({ length: 40 }, () => held({ exitCode: 7 }));
  let begun = 0;
  gateway.fake.on(execSync, (request, call) => gates[begun++]?.answer(request, call) ?? {});
  const asked = gates.map(() => gateway.ask(target, { cmd: ["true"] }));
  await eventually(() => begun === 32);
  // All of the others have come as well.
  assert.equal((await gateway.ask("GET /v1/pods")).status, 200);
  assert.equal(begun, 32);
  gates[0]?.release();
  await eventually(() => begun === 33);
  for (const gate of gates) gate.release();
  for (const answer of await Promise.all(asked)) assert.equal(answer.at("exitCode"), 7);
});

test("a command that has waited in vain is 503 before it runs", async (t) => {
  const gateway = await liveGateway(t, "containerd-2.1", { roomWaitMs: 100 });
  const target = `POST ${await containerOf(gateway)}/exec`;
  const command = { cmd: ["true"] };
  const gate = held({ exitCode: 7 });
  gateway.fake.on(execSync, gate.answer);
  const running = Array.from({ length: 32 }, () => gateway.ask(target, command));
  await eventually(() => gateway.fake.callsOf(execSync).length === 32);

  const refused = await gateway.ask(target, command);
  assert.deepEqual(
    [refused.status, refused.at("code"), refused.at("retryable"), refused.headers["retry-after"]],
    [503, "overloaded", true, "1"],
  );
  assert.match(String(refused.at("detail")), /128 MiB.*for each caller.*--max-buffer/);
  assert.equal(gateway.fake.callsOf(execSync).length, 32, "it did not run");

  gate.release();
  for (const answer of await Promise.all(running)) assert.equal(answer.at("exitCode"), 7);
  await eventually(async () => (await gateway.ask(target, command)).status === 200);
});

test("lists of one kind are asked for 8 at a time, and all are answered", async (t) => {
  const gateway = await liveGateway(t);
  await containerOf(gateway);
  const gate = held();
  gateway.fake.on("RuntimeService/ListContainers", gate.answer);
  const asked = Array.from({ length: 40 }, (_, number) =>
    gateway.ask(`GET /v1/containers?labelSelector=!absent-${number}`),
  );
  await eventually(() => gateway.fake.callsOf("RuntimeService/ListContainers").length === 8);
  // Other lists do not wait for them.
  assert.equal((await gateway.ask("GET /v1/pods")).status, 200);
  assert.equal(gateway.fake.callsOf("RuntimeService/ListContainers").length, 8);
  gate.release();
  for (const answer of await Promise.all(asked)) assert.equal(answer.status, 200);
});

test("an answer that is over a caller's share is 502: waiting would not help; its call is ended", async (t) => {
  const gateway = await liveGateway(t, "cri-o", { maxBufferBytes: 16 * 1024 * 1024 });
  const annotations = { notes: "n".repeat(9 * 1024 * 1024) };
  gateway.fake.addContainer({ annotations });
  const streamContainers = "RuntimeService/StreamContainers";
  gateway.fake.on(streamContainers, async function* (_request, call) {
    yield await call.next();
    await new Promise((resolve) => call.signal.addEventListener("abort", resolve));
  });
  for (const accept of ["application/json", "application/x-ndjson"]) {
    const answer = await gateway.ask("GET /v1/containers", undefined, { accept });
    assert.deepEqual([answer.status, answer.at("code")], [502, "reply_too_large"], accept);
    assert.match(String(answer.at("detail")), /8 MiB for each caller, half of --max-buffer/);
  }
  const [call] = gateway.fake.callsOf(streamContainers);
  await eventually(() => call?.cancelled);
  assert.equal((await gateway.ask("GET /v1/version")).status, 200);
});

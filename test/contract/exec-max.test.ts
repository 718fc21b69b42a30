/** A command that is waited for has a limit, which the runtime is told too. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { mannerNames } from "../support/fake-runtime.ts";
import { type LiveGateway, liveGateway } from "./live-gateway.ts";

const hourMs = 3_600_000;
/** What the gateway waits for besides the command's own time. */
const slackMs = 20_000;

/** Runs a command in a new container. */
function exec({ ask, fake }: LiveGateway, body: object) {
  const { id } = fake.addContainer({ state: "running" });
  return ask(`POST /v1/containers/${id}/exec`, { cmd: ["true"], ...body });
}

/** The timeout that the runtime was told, and the deadline of the call, in milliseconds from its arrival. */
function told({ fake }: LiveGateway): { readonly timeout: unknown; readonly deadlineMs: number | undefined } {
  const call = fake.callsOf("RuntimeService/ExecSync").at(-1);
  assert.ok(call);
  const deadlineMs = call.deadline && call.deadline.getTime() - call.at.getTime();
  return { timeout: call.request.timeout, deadlineMs };
}

test("a command without a timeout has an hour, and the call a little longer", async (t) => {
  const gateway = await liveGateway(t);
  for (const body of [{}, { timeout: 0 }, { timeout: "0" }, { timeout: null }]) {
    assert.equal((await exec(gateway, body)).status, 200);
    const { timeout, deadlineMs = 0 } = told(gateway);
    assert.equal(timeout, "3600");
    assert.ok(deadlineMs > hourMs && deadlineMs <= hourMs + slackMs, String(deadlineMs));
  }
});

test("a timeout within the limit goes down as it is, one above it is 400 and names the flag", async (t) => {
  const gateway = await liveGateway(t, "containerd-2.1", { execMaxMs: 59_001 });
  for (const timeout of ["1", 60, "60"]) {
    assert.equal((await exec(gateway, { timeout })).status, 200);
    assert.equal(told(gateway).timeout, String(timeout));
  }
  gateway.fake.calls.length = 0;
  for (const timeout of ["61", 61, "9223372036"]) {
    const answer = await exec(gateway, { timeout });
    assert.equal(answer.status, 400, answer.text);
    assert.equal(answer.at("errors.0.pointer"), "/timeout");
    assert.match(
      String(answer.at("detail")),
      /at most 60 seconds \(the limit that --exec-max sets\), got \d+$/,
    );
  }
  assert.deepEqual(gateway.fake.callsOf("RuntimeService/ExecSync"), []);
});

test("with 0 a command may take as long as it likes", async (t) => {
  const gateway = await liveGateway(t, "containerd-2.1", { execMaxMs: 0 });
  assert.equal((await exec(gateway, {})).status, 200);
  assert.deepEqual(told(gateway), { timeout: undefined, deadlineMs: undefined });
  assert.equal((await exec(gateway, { timeout: "100000" })).status, 200);
  assert.equal(told(gateway).timeout, "100000");
});

for (const manner of mannerNames) {
  test(`a command without a timeout ends at the limit on ${manner}`, async (t) => {
    const gateway = await liveGateway(t, manner, { execMaxMs: 1 });
    const answer = await exec(gateway, { cmd: ["sleep", "30"] });
    assert.deepEqual([answer.status, answer.at("code")], [504, "exec_timeout"], answer.text);
  });
}

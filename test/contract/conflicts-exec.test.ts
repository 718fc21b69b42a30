/** Commands that cannot run, or whose end the runtime does not tell. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { liveGateway } from "./live-gateway.ts";
import {
  commandNotFound,
  containerd,
  containerIn,
  echo,
  exec,
  invalid,
  notFound,
  notRunning,
  testEverywhere,
} from "./situations.ts";

testEverywhere("commands", [
  { situation: "exec in what was not started", run: containerIn("created", echo), ...notRunning },
  { situation: "exec in what has exited", run: containerIn("exited", echo), ...notRunning },
  { situation: "exec in what is not there", run: echo, ...notFound },
  { situation: "exec without a command", run: containerIn("running", exec({ cmd: [] })), ...invalid },
  {
    situation: "exec of a command that does not exist",
    run: containerIn("running", exec({ cmd: ["/bin/nope"] })),
    ...commandNotFound,
  },
  {
    situation: "exec that takes longer than its timeout",
    run: containerIn("running", exec({ cmd: ["sleep", "30"], timeout: "1" })),
    status: 504,
    code: "exec_timeout",
  },
  {
    situation: "exec whose background process holds its output longer than its timeout",
    run: containerIn("running", exec({ cmd: ["sh", "-c", "sleep 30 & echo started"], timeout: "1" })),
    status: 504,
    code: "exec_timeout",
    only: containerd,
  },
  {
    situation: "exec whose background process does not keep the runtime",
    run: containerIn("running", exec({ cmd: ["sh", "-c", "sleep 30 & echo started"], timeout: "3" })),
    status: 200,
    only: ["cri-o", "cri-dockerd"],
  },
  {
    situation: "exec with more output than the runtime gives back",
    run: containerIn("running", exec({ cmd: ["head", "-c", "20971520", "/dev/zero"] })),
    status: 422,
    code: "output_too_large",
  },
  {
    situation: "exec that fails by itself",
    run: containerIn("running", exec({ cmd: ["sh", "-c", "exit 127"] })),
    status: 200,
  },
  {
    situation: "exec that says what a runtime would say",
    run: containerIn("running", exec({ cmd: ["sh", "-c", "echo no such container; exit 1"] })),
    status: 200,
  },
]);

test("execSync: no answer is waited for longer than the timeout and a second", async (t) => {
  const { ask, fake } = await liveGateway(t, "containerd-2.1", { execMaxMs: 0 });
  const { id } = fake.addContainer();
  for (const timeout of [3, "3"]) await ask(`POST /v1/containers/${id}/exec`, { cmd: ["true"], timeout });
  await ask(`POST /v1/containers/${id}/exec`, { cmd: ["true"] });
  const calls = fake.callsOf("RuntimeService/ExecSync");
  const limitsMs = calls.map(({ at, deadline }) => deadline && deadline.getTime() - at.getTime());
  assert.equal(limitsMs.length, 3);
  for (const limitMs of limitsMs.slice(0, 2)) assert.ok(Number(limitMs) <= 4100, `${limitMs} ms`);
  assert.equal(limitsMs[2], undefined, "a command without a timeout has no deadline");
});

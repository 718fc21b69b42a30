import assert from "node:assert/strict";
import { test } from "node:test";
import { type Cause, type CauseFacts, likelyCause } from "../../../src/api/likely-cause.ts";
import { signalOf } from "../../../src/events/signal-names.ts";
import type { StopRequest } from "../../../src/events/stop-requests.ts";

const exit = (exitCode: number, reason = "Error", message = "") => ({
  exitCode,
  signal: signalOf(exitCode),
  reason,
  message,
});

function causeOf(facts: Partial<CauseFacts>): Cause {
  return likelyCause({ state: "CONTAINER_EXITED", hasStarted: true, oomKilled: false, ...facts });
}

const stop = (more: Partial<StopRequest> = {}): StopRequest => ({
  ...{ subject: "container", removes: false, atMs: 0, graceSeconds: 10 },
  ...more,
});

test("a container that has not ended says so", () => {
  assert.equal(causeOf({ state: "CONTAINER_RUNNING" }).text, "It is running.");
  assert.equal(causeOf({ state: "CONTAINER_CREATED" }).code, "not_started");
  assert.deepEqual(causeOf({ state: "CONTAINER_RUNNING", oomKilled: true, memoryLimitBytes: 2 ** 26 }), {
    code: "running",
    text: "It is running, but the kernel killed one of its processes because it ran out of memory (limit: 64.0 MiB).",
  });
});

test("what nobody knows is unknown", () => {
  assert.equal(causeOf({ state: "CONTAINER_UNKNOWN" }).code, "unknown");
  assert.equal(causeOf({ exit: exit(255, "Unknown") }).code, "unknown");
  assert.equal(causeOf({ exit: exit(255, "Error") }).code, "exit_code");
  assert.match(
    causeOf({ exit: exit(137) }).text,
    /^It exited with code 137 \(SIGKILL\); the sender of the signal is unknown/,
  );
});

test("lack of memory is told apart from a kill, and the main process from a child", () => {
  assert.deepEqual(causeOf({ exit: exit(137, "OOMKilled"), oomKilled: true, memoryLimitBytes: 2 ** 26 }), {
    code: "oom_killed",
    text: "The kernel killed it because it ran out of memory (limit: 64.0 MiB).",
  });
  assert.deepEqual(causeOf({ exit: exit(5, "OOMKilled"), oomKilled: true }), {
    code: "oom_killed",
    text: "The kernel killed one of its processes because it ran out of memory; its main process exited with code 5.",
  });
  assert.equal(causeOf({ exit: exit(137) }).code, "signal");
});

test("a process that never ran is not taken for one that failed", () => {
  const noProgram = 'exec: "/no/such": stat /no/such: no such file or directory: unknown';
  assert.equal(causeOf({ exit: exit(128, "StartError", noProgram) }).code, "command_not_found");
  assert.equal(causeOf({ exit: exit(127, "ContainerCannotRun", noProgram) }).code, "command_not_found");
  assert.equal(causeOf({ exit: exit(128, "StartError", "permission denied") }).code, "start_failed");
  assert.equal(causeOf({ exit: exit(1), hasStarted: false }).code, "start_failed");
  // A shell that does not find a program has run.
  assert.equal(causeOf({ exit: exit(127) }).code, "exit_code");
  assert.match(causeOf({ exit: exit(127) }).text, /shells use for a command that was not found/);
});

test("a stop names its request, and a kill after it what was waited for", () => {
  const after = (exitCode: number, request: Partial<StopRequest>, outlivedMs = 0): Cause =>
    causeOf({ exit: exit(exitCode), stop: stop(request), outlivedMs });
  assert.deepEqual(after(143, {}), {
    code: "stopped",
    text: "It exited with code 143 (SIGTERM) after a request to stop it.",
  });
  assert.equal(after(0, {}).text, "It exited with code 0 after a request to stop it.");
  assert.deepEqual(after(137, {}, 10_020), {
    code: "stop_timeout",
    text: "It was killed because it was still running 10 s after a request to stop it.",
  });
  assert.equal(after(137, {}, 3000).text, "It was killed after a request to stop it.");
  assert.equal(
    after(137, { subject: "pod", removes: true, graceSeconds: 0 }).text,
    "It was killed immediately by a request to remove its pod.",
  );
  // The kernel's word counts more.
  assert.equal(causeOf({ exit: exit(137), stop: stop(), oomKilled: true }).code, "oom_killed");
});

test("an end by itself says what its code means", () => {
  assert.equal(causeOf({ exit: exit(0, "Completed") }).code, "completed");
  assert.deepEqual(causeOf({ exit: exit(3) }), {
    code: "exit_code",
    text: "It exited with code 3; only its log can say why.",
  });
  assert.deepEqual(causeOf({ exit: exit(139) }), {
    code: "signal",
    text: "It exited with code 139 (SIGSEGV): an invalid memory access.",
  });
  // 122 is the number of no signal.
  assert.equal(causeOf({ exit: exit(250) }).code, "exit_code");
});

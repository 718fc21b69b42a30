/** OK for what was not done. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { status } from "@grpc/grpc-js";
import { call } from "../../../src/cri/call.ts";
import type { Runtime } from "../../../src/cri/channel.ts";
import { encodeRequest, type Input } from "../../../src/cri/codec.ts";
import type { GatewayError } from "../../../src/errors.ts";
import type { Methods, Rpc } from "../../../src/gen/methods.ts";
import { callerInterceptors } from "../../../src/runtimes/caller-interceptors.ts";
import { compose } from "../../../src/runtimes/compose.ts";
import { type StubAnswers, type StubRuntime, serviceError, stubRuntime } from "../cri/stub-runtime.ts";

const containerId = "c".repeat(64);

/** A runtime of this name in which everything runs. */
function named(runtimeName: string, answers: StubAnswers): StubRuntime {
  return stubRuntime({
    "RuntimeService/Version": () => ({ runtimeName, runtimeVersion: "1.0" }),
    "RuntimeService/ContainerStatus": () => ({ status: { state: "CONTAINER_RUNNING" } }),
    ...answers,
  });
}

const base64 = (text: string | Buffer): string => Buffer.from(text).toString("base64");

function exec(runtimeName: string, reply: { exitCode?: number; stdout?: string | Buffer; stderr?: string }) {
  const { exitCode = 0, stdout = "", stderr = "" } = reply;
  const runtime = named(runtimeName, {
    "RuntimeService/ExecSync": () => ({ exitCode, stdout: base64(stdout), stderr: base64(stderr) }),
  });
  return request(runtime, "RuntimeService/ExecSync", { containerId, cmd: ["x"] });
}

/** As routes call it. */
const request = <R extends Rpc>(runtime: Runtime, rpc: R, message: Input<Methods[R]["request"]>) =>
  call(compose(runtime, ...callerInterceptors), rpc, message);

const code = (expected: string) => (error: GatewayError) => error.code === expected;

test("an exit code that no process has is a command that ran out of time", async () => {
  await assert.rejects(exec("cri-o", { exitCode: -1 }), code("exec_timeout"));
  assert.equal((await exec("cri-o", { exitCode: 255 })).exitCode, 255);
});

const dockerSays =
  'OCI runtime exec failed: exec failed: unable to start container process: exec: "x": executable file not found in $PATH: unknown\r\n';

test("cri-dockerd's reason on stdout is a command that does not exist, on cri-dockerd alone", async () => {
  await assert.rejects(exec("docker", { exitCode: 127, stdout: dockerSays }), (error: GatewayError) => {
    assert.equal(error.code, "command_not_found");
    assert.match(error.message, /executable file not found in \$PATH/);
    return true;
  });
  await assert.rejects(exec("docker", { exitCode: 126, stdout: dockerSays }), code("command_not_found"));
  const long = dockerSays.replace('"x"', `"${"x".repeat(1_000_000)}"`);
  await assert.rejects(
    exec("docker", { exitCode: 127, stdout: long }),
    ({ message }: GatewayError) =>
      /xx\.\.\. \(cut\) \.\.\.xx.*executable file not found in \$PATH/.test(message) && message.length < 4200,
  );
  assert.equal((await exec("containerd", { exitCode: 127, stdout: dockerSays })).exitCode, 127);
  assert.equal((await exec("docker", { exitCode: 127, stderr: "sh: x: not found" })).exitCode, 127);
  assert.equal((await exec("docker", { exitCode: 0, stdout: dockerSays })).exitCode, 0);
});

/** What CRI-O gives back of an output: what of its log file fits into 16 MiB. */
function cutByCriO(output: Buffer): Buffer {
  const stamp = 45;
  let room = 16 * 1024 * 1024;
  let at = 0;
  while (at < output.length && room > stamp) {
    const newline = output.indexOf(10, at);
    const end = Math.min(newline === -1 ? output.length : newline + 1, at + 8192, at + room - stamp);
    // A part of a line gets a line end of its own in the file.
    room -= stamp + (end - at) + (output[end - 1] === 10 ? 0 : 1);
    at = end;
  }
  return output.subarray(0, at);
}

test("output that CRI-O cut is too large, whatever its lines", async () => {
  const mebibytes = (count: number, line: number): Buffer => {
    const one = Buffer.alloc(line, "x");
    one[line - 1] = 10;
    return Buffer.alloc(count << 20, one);
  };
  const outputs = [Buffer.alloc(17 << 20), mebibytes(12, 80), mebibytes(4, 10), mebibytes(1, 1)];
  for (const output of outputs) {
    const cut = cutByCriO(output);
    assert.ok(cut.length < output.length);
    await assert.rejects(exec("cri-o", { stdout: cut }), code("output_too_large"));
    assert.equal(
      Buffer.from((await exec("containerd", { stdout: cut })).stdout, "base64").length,
      cut.length,
    );
  }
  assert.equal(cutByCriO(Buffer.alloc(20 << 20)).length, 16_683_515, "as it was measured");
});

test("output that just fits is not taken for cut", async () => {
  const lines = Buffer.alloc(8 << 20, `${"x".repeat(79)}\n`);
  for (const output of [Buffer.alloc(16_500_000), lines, Buffer.alloc(300_000, "\n")]) {
    assert.equal(cutByCriO(output).length, output.length);
    const { stdout } = await exec("cri-o", { stdout: output });
    assert.equal(Buffer.from(stdout, "base64").length, output.length);
  }
});

test("stats without CPU time are looked at twice, others are not", async () => {
  const statsOf = (value: string | undefined) =>
    value === undefined ? {} : { stats: { cpu: { usageCoreNanoSeconds: { value } } } };
  for (const value of [undefined, "0"]) {
    const exited = named("docker", {
      "RuntimeService/ContainerStats": () => statsOf(value),
      "RuntimeService/ContainerStatus": () => ({ status: { state: "CONTAINER_EXITED" } }),
    });
    const asked = request(exited, "RuntimeService/ContainerStats", { containerId });
    await assert.rejects(asked, code("not_running"));
    const young = named("docker", { "RuntimeService/ContainerStats": () => statsOf(value) });
    await request(young, "RuntimeService/ContainerStats", { containerId });
  }
  const busy = named("docker", { "RuntimeService/ContainerStats": () => statsOf("5") });
  await request(busy, "RuntimeService/ContainerStats", { containerId });
  assert.deepEqual(busy.called, ["RuntimeService/ContainerStats"]);
});

/** A runtime that answers a creation with something of this age, in milliseconds. */
function creating(runtimeName: string, ageMs: number): StubRuntime {
  const createdAt = String(BigInt(Date.now() - ageMs) * 1_000_000n);
  return named(runtimeName, {
    "RuntimeService/RunPodSandbox": () => ({ podSandboxId: "p" }),
    "RuntimeService/CreateContainer": () => ({ containerId: "c" }),
    "RuntimeService/PodSandboxStatus": () => ({ status: { state: "SANDBOX_READY", createdAt } }),
    "RuntimeService/ContainerStatus": () => ({ status: { state: "CONTAINER_CREATED", createdAt } }),
  });
}

const runPod = (runtime: StubRuntime) =>
  request(runtime, "RuntimeService/RunPodSandbox", { config: { metadata: { name: "a" } } });
const createContainer = (runtime: StubRuntime) =>
  request(runtime, "RuntimeService/CreateContainer", { podSandboxId: "p", config: {} });

test("what is older than its creation has the name that was asked for, on CRI-O", async () => {
  for (const create of [runPod, createContainer]) {
    await create(creating("cri-o", -1000));
    await assert.rejects(create(creating("cri-o", 1000)), code("name_reserved"));
    await create(creating("containerd", 1000));
    await create(creating("docker", 1000));
  }
});

test("an id that was given out before is no new one, however young", async () => {
  const runtime = creating("cri-o", -60_000);
  await runPod(runtime);
  await assert.rejects(runPod(runtime), code("name_reserved"));
  await createContainer(runtime);
  await assert.rejects(createContainer(runtime), code("name_reserved"));
});

test("who made something learns its id, also when it cannot be looked at any more", async () => {
  const gone = () => serviceError(status.UNAVAILABLE, "gone");
  const runtime = named("cri-o", {
    "RuntimeService/RunPodSandbox": () => ({ podSandboxId: "p" }),
    "RuntimeService/PodSandboxStatus": gone,
  });
  assert.equal((await runPod(runtime)).podSandboxId, "p");
  const nameless = named("cri-o", {
    "RuntimeService/RunPodSandbox": () => ({ podSandboxId: "p" }),
    "RuntimeService/Version": gone,
  });
  assert.equal((await runPod(nameless)).podSandboxId, "p");
});

test("a stop whose container has stopped all the same is done", async () => {
  const stopping = (state: "CONTAINER_RUNNING" | "CONTAINER_EXITED", text: string) => {
    const runtime = named("containerd", {
      "RuntimeService/StopContainer": () => serviceError(status.UNKNOWN, text),
      "RuntimeService/ContainerStatus": () => ({ status: { state } }),
    });
    return request(runtime, "RuntimeService/StopContainer", { containerId });
  };
  await stopping("CONTAINER_EXITED", "failed to kill: ttrpc: closed: unknown");
  await assert.rejects(
    stopping("CONTAINER_RUNNING", "failed to kill: ttrpc: closed: unknown"),
    code("runtime_error"),
  );
  await assert.rejects(stopping("CONTAINER_EXITED", "disk is full"), code("runtime_error"));
});

test("a request is encoded once, as it was given", () => {
  const wire = encodeRequest("RuntimeService/ExecSync", { containerId: "a", cmd: ["b"] });
  assert.equal(wire.toString("hex"), "0a0161120162");
});

import { randomBytes } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { status } from "@grpc/grpc-js";
import { changeFault } from "./changes.ts";
import { GrpcFault, unknown } from "./fault.ts";
import type { StreamKind } from "./manner.ts";
import type { ExecSyncRequest, PortForwardRequest, StreamsRequest } from "./messages.ts";
import { environmentOf } from "./processes.ts";
import { isKnownCommand, runShell, type ShellResult } from "./shell.ts";
import type { FakeContainer } from "./state.ts";
import {
  type CallContext,
  type Handler,
  lookUpContainer,
  lookUpPod,
  refuse,
  requireContainer,
  type StreamRequest,
  type World,
} from "./world.ts";

export const execSync: Handler<ExecSyncRequest> = async (world, request, call) => {
  const { refuse: refusals, habits } = world.manner;
  const container = requireContainer(world, call.rpc, request.containerId);
  refuse(changeFault(world.manner, "exec", container));
  refuse(refusals.execSync(container, request));
  const command = request.cmd ?? [];
  const [name = ""] = command;
  if (!isKnownCommand(name)) {
    const answer = refusals.execCommandMissing(name);
    if (answer instanceof GrpcFault) throw answer;
    return { stdout: Buffer.from(answer.stdout), exitCode: answer.exitCode };
  }

  const seconds = Number(request.timeout ?? 0);
  const killed = new AbortController();
  const late = seconds > 0 ? AbortSignal.timeout(seconds * 1000) : undefined;
  const result = await Promise.race([
    runIn(world, container, command, killed.signal),
    ...(late === undefined ? [] : [aborts(late, "late" as const)]),
    aborts(call.signal, "client gone" as const),
  ]);
  if (typeof result !== "string") {
    await leaveBackground(result, habits.backgroundWaitMs);
    return output(world, result);
  }
  // The time limit kills the process except on Docker. A client that leaves kills it only on containerd.
  if (habits.execDiesWithClient || (result === "late" && world.manner.family === "cri-o")) killed.abort();
  if (result === "client gone") throw new GrpcFault(status.CANCELLED, "context canceled");
  const answer = refusals.execTimeout(seconds);
  if (answer === "exit code -1") return { exitCode: -1 };
  throw answer;
};

function runIn(
  world: World,
  container: FakeContainer,
  command: readonly string[],
  killed: AbortSignal,
): Promise<ShellResult> {
  const ends = [killed, world.closed];
  if (container.process !== undefined) ends.push(container.process.signal);
  return runShell(command, {
    signal: AbortSignal.any(ends),
    environment: environmentOf(container.config),
    files: new Map([["/etc/hostname", `${container.podId.slice(0, 12)}\n`]]),
  });
}

/** Some runtimes wait for a background child that still holds the output open. */
async function leaveBackground(result: ShellResult, waitMs: number): Promise<void> {
  if (waitMs === 0) return;
  if (waitMs === Number.POSITIVE_INFINITY) await result.background;
  else await Promise.race([result.background, delay(waitMs, undefined, { ref: false })]);
}

/** CRI-O's own limit on the output of ExecSync. */
const cutAtBytes = 16_683_515;

function output({ manner }: World, { stdout, stderr, exitCode }: ShellResult): object {
  const whole = stdout.length + stderr.length;
  if (manner.habits.execOutput === "short write" && whole > manner.messageLimitBytes)
    throw unknown("short write");
  if (manner.habits.execOutput === "cut" && whole > cutAtBytes) {
    return { stdout: stdout.subarray(0, cutAtBytes), exitCode };
  }
  return { stdout, stderr, exitCode };
}

function aborts<Value>(signal: AbortSignal, value: Value): Promise<Value> {
  if (signal.aborted) return Promise.resolve(value);
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(value), { once: true }));
}

export const exec: Handler<StreamsRequest> = (world, request, call) => {
  const container = lookUpContainer(world, call.rpc, request.containerId);
  if (container !== undefined) refuse(world.manner.refuse.exec(container));
  return streams(world, request, { kind: "exec", id: container?.id, call });
};

export const attach: Handler<StreamsRequest> = (world, request, call) => {
  const container = lookUpContainer(world, call.rpc, request.containerId);
  if (container !== undefined) refuse(world.manner.refuse.attach(container));
  return streams(world, request, { kind: "attach", id: container?.id, call });
};

async function streams(
  world: World,
  request: StreamsRequest,
  { kind, id, call }: { kind: StreamKind; id: string | undefined; call: CallContext },
): Promise<object> {
  refuse(world.manner.refuse.streams(call.rpc, request));
  const { tty = false, stdin = false, stdout = false, stderr = false } = request;
  const command = request.cmd ?? [];
  return { url: await open(world, { kind, id: id ?? "", command, tty, stdin, stdout, stderr, ports: [] }) };
}

export const portForward: Handler<PortForwardRequest> = async (
  world,
  { podSandboxId, port = [] },
  { rpc },
) => {
  const pod = lookUpPod(world, rpc, podSandboxId);
  if (pod !== undefined) refuse(world.manner.refuse.portForward(pod));
  const silent = { command: [], tty: false, stdin: false, stdout: false, stderr: false };
  const id = pod?.id ?? podSandboxId ?? "";
  return { url: await open(world, { ...silent, kind: "portforward", id, ports: port }) };
};

async function open(world: World, stream: Omit<StreamRequest, "token">): Promise<string> {
  const token = randomBytes(6).toString("base64url");
  return world.streamUrl({ ...stream, token });
}

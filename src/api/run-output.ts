/** Waits for the container of a run, and reads what it wrote. */
import { isUtf8 } from "node:buffer";
import { setTimeout as sleep } from "node:timers/promises";
import { GatewayError } from "../errors.ts";
import type { ContainerStatus } from "../gen/messages.ts";
import { watchState } from "../inventory/wait.ts";
import { compileQuery } from "../logs/line-filter.ts";
import { openLogs } from "../logs/read-logs.ts";
import type { RunAnswer } from "../routes/answers.ts";
import type { Gateway } from "./gateway.ts";

/** Maximum output in an answer, in bytes: stdout and stderr together. */
export const maxOutputBytes = 4 * 1024 * 1024;

/** How long the last lines may take from the container to its log, in milliseconds. */
const settleMs = 1000;
const pauseMs = 20;

export interface WaitOptions {
  readonly containerId: string;
  readonly timeoutMs: number;
  readonly encoding: "utf8" | "base64";
  readonly signal: AbortSignal;
}

export type RunResult = NonNullable<RunAnswer["result"]>;

/** @throws {GatewayError} As `Runtime.call`. @throws {CallCancelled} When `signal` aborts. */
export async function waitForResult(gateway: Gateway, options: WaitOptions): Promise<RunResult> {
  const { containerId, timeoutMs, encoding, signal } = options;
  const { runtime, events } = gateway;
  let last: ContainerStatus | undefined;
  for await (const status of await watchState(runtime, containerId, { timeoutMs, signal, events }))
    last = status;
  if (last === undefined) throw new TypeError("A container without a status");
  const { state, exitCode, reason, finishedAt } = last;
  const exited = state === "CONTAINER_EXITED";
  const output = await readOutput(gateway, { containerId, isEnded: exited, signal });
  const whole = [output.stdout, output.stderr];
  return {
    exited,
    state,
    ...(exited ? { exitCode, reason, finishedAt } : {}),
    stdout: output.stdout.toString(encoding),
    stderr: output.stderr.toString(encoding),
    encoding,
    lossy: encoding === "utf8" && !whole.every((bytes) => isUtf8(bytes)),
    truncated: output.truncated,
    ...(output.problem === undefined ? {} : { outputProblem: output.problem }),
  };
}

interface Output {
  readonly stdout: Buffer;
  readonly stderr: Buffer;
  readonly truncated: boolean;
  readonly problem?: string;
}

interface Reading {
  readonly containerId: string;
  readonly isEnded: boolean;
  readonly signal: AbortSignal;
}

/** Runtimes write the last lines to the log about when they report the exit: reads until nothing is added. */
async function readOutput(gateway: Gateway, { containerId, isEnded, signal }: Reading): Promise<Output> {
  try {
    let { output, bytes } = await readLog(gateway, containerId, signal);
    const end = performance.now() + settleMs;
    while (isEnded && !output.truncated && performance.now() < end) {
      await sleep(pauseMs);
      const next = await readLog(gateway, containerId, signal);
      if (next.bytes === bytes) break;
      ({ output, bytes } = next);
    }
    return output;
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
    // The container has run, and its exit code is worth more than nothing.
    const nothing = { stdout: Buffer.alloc(0), stderr: Buffer.alloc(0), truncated: false };
    return { ...nothing, problem: error.message };
  }
}

const newline = Buffer.from("\n");

async function readLog(
  { containers, logRoots }: Gateway,
  containerId: string,
  signal: AbortSignal,
): Promise<{ readonly output: Output; readonly bytes: number }> {
  const tests = await compileQuery({ before: 0, after: 0 });
  const query = { selection: { containerId }, tests, follow: false };
  const logs = await openLogs({ containers, roots: logRoots, query, signal });
  const parts: { readonly [S in "stdout" | "stderr"]: Buffer[] } = { stdout: [], stderr: [] };
  let bytes = 0;
  let truncated = false;
  reading: for await (const batch of logs.lines) {
    for (const { line } of batch) {
      const room = maxOutputBytes - bytes;
      truncated ||= line.isTruncated || line.bytes.length + 1 > room;
      parts[line.stream ?? "stdout"].push(
        line.bytes.subarray(0, room),
        newline.subarray(0, room - line.bytes.length > 0 ? 1 : 0),
      );
      bytes += Math.min(line.bytes.length + 1, room);
      if (bytes >= maxOutputBytes) break reading;
    }
  }
  const { stdout, stderr } = parts;
  return { output: { stdout: Buffer.concat(stdout), stderr: Buffer.concat(stderr), truncated }, bytes };
}

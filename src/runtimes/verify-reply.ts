/**
 * Detects replies that claim success although the runtime did nothing. The table has a check for each RPC that can have
 * such replies. After a stop or a removal, the gateway checks the result on every runtime. More expensive checks run
 * only for the runtime that is known to need them.
 */

import type { CallOptions, Runtime } from "../cri/channel.ts";
import { decodeReply, hasField, replyBytes, replyInteger, requestOf } from "../cri/codec.ts";
import { rpcRules, type Verification } from "../cri/rpc-rules.ts";
import { cutText } from "../cri/runtime-text.ts";
import { GatewayError } from "../errors.ts";
import type { Rpc } from "../gen/methods.ts";
import { isRuntime } from "./identity.ts";
import { type Look, lookAgain } from "./look-again.ts";
import { refuseReserved } from "./reserved-name.ts";
import { subjectOf } from "./subject.ts";
import { stateConflict } from "./translate-error.ts";

export interface Answered {
  readonly reply: Buffer;
  readonly request: Uint8Array;
  /** When the call was made, in milliseconds since 1970. */
  readonly calledAtMs: number;
  /** Options for additional reads. */
  readonly options: CallOptions;
}

type Check = (runtime: Runtime, answered: Answered) => Promise<void>;

const checks: { readonly [V in Verification]: Check } = {
  newPod: (runtime, { reply, calledAtMs, options }) => {
    const { podSandboxId } = decodeReply("RuntimeService/RunPodSandbox", reply);
    return refuseReserved(runtime, { kind: "pod", id: podSandboxId, calledAtMs, options });
  },
  newContainer: (runtime, { reply, calledAtMs, options }) => {
    const { containerId } = decodeReply("RuntimeService/CreateContainer", reply);
    return refuseReserved(runtime, { kind: "container", id: containerId, calledAtMs, options });
  },
  commandOutput: async (runtime, { reply }) => {
    const exitCode = Number(replyInteger("RuntimeService/ExecSync", reply, "exitCode"));
    if (exitCode === -1) throw execTimeout();
    if (exitCode >= 126) await refuseMissingCommand(runtime, reply);
    if (reply.length > cutFromBytes) await refuseCut(runtime, reply);
  },
  containerStats: async (runtime, { reply, request, options }) => {
    // A running container has used CPU time. For others, CRI-O omits the stats and cri-dockerd reports 0.
    const cpu = "stats.cpu.usageCoreNanoSeconds.value";
    const runs =
      hasField("RuntimeService/ContainerStats", reply, "stats") &&
      replyInteger("RuntimeService/ContainerStats", reply, cpu) > 0n;
    const conflict = runs
      ? undefined
      : await stateConflict(
          runtime,
          "RuntimeService/ContainerStats",
          requestOf("RuntimeService/ContainerStats", request),
          options,
        );
    if (conflict) throw conflict;
  },
  containerStopped: looked("RuntimeService/StopContainer", lookAgain.stopContainer),
  podStopped: looked("RuntimeService/StopPodSandbox", lookAgain.stopPod),
  containerRemoved: looked("RuntimeService/RemoveContainer", lookAgain.removeContainer),
  podRemoved: looked("RuntimeService/RemovePodSandbox", lookAgain.removePod),
  imageRemoved: looked("ImageService/RemoveImage", lookAgain.removeImage),
};

function looked(rpc: Rpc, look: Look): Check {
  return (runtime, { request, options }) => look(runtime, { request: subjectOf(rpc, request), options });
}

/** @throws {GatewayError} When the runtime reports success, but did nothing or not what was asked. */
export async function verifyReply(runtime: Runtime, rpc: Rpc, answered: Answered): Promise<void> {
  const { verify } = rpcRules[rpc];
  if (verify !== undefined) await checks[verify](runtime, answered);
}

/** CRI-O reports success for a command that timed out, with an exit code that no process has. */
function execTimeout(): GatewayError {
  return new GatewayError(
    "exec_timeout",
    "ExecSync failed: the command did not end within its timeout and was killed",
  );
}

/** If the command does not exist, cri-dockerd runs nothing and writes the reason to its stdout. */
async function refuseMissingCommand(runtime: Runtime, reply: Buffer): Promise<void> {
  if (!(await isRuntime(runtime, "docker"))) return;
  const stdout = replyBytes("RuntimeService/ExecSync", reply, "stdout");
  const reason = "OCI runtime exec failed: exec failed: unable to start container process: ";
  if (
    !stdout
      .toString("utf8", 0, 2 * reason.length)
      .trimStart()
      .startsWith(reason)
  )
    return;
  throw new GatewayError("command_not_found", `ExecSync failed: ${cutText(stdout.toString("utf8").trim())}`);
}

/**
 * CRI-O reads a command's output back from a log file, but only 16 MiB of it. The rest is lost, often including stderr.
 * The file has a stamp for each line, and for each 8 KiB of a longer line.
 */
const logLimitBytes = 16 * 1024 * 1024;
const logChunkBytes = 8192;
const stampBytes = "2026-11-23T14:07:04.483694161+00:00 stdout F ".length;
/** The file holds the least output when each line has one byte. Less than that cannot have been cut. */
const cutFromBytes = Math.floor((logLimitBytes - logChunkBytes) / (stampBytes + 1));

async function refuseCut(runtime: Runtime, reply: Buffer): Promise<void> {
  if (!(await isRuntime(runtime, "cri-o"))) return;
  const logged = ["stdout", "stderr"].reduce(
    (sum, field) => sum + loggedBytes(replyBytes("RuntimeService/ExecSync", reply, field)),
    0,
  );
  // The cut is in the last chunk that fit.
  if (logged < logLimitBytes - logChunkBytes - stampBytes) return;
  throw new GatewayError(
    "output_too_large",
    "ExecSync failed: the command's output exceeds what the runtime returns, and was cut",
  );
}

/** The minimum size of the log of an output. */
function loggedBytes(output: Buffer): number {
  let stamps = Math.ceil(output.length / logChunkBytes);
  for (let at = output.indexOf(10); at !== -1; at = output.indexOf(10, at + 1)) stamps++;
  return output.length + stamps * stampBytes;
}

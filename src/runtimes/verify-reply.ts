/**
 * Replies that claim success although the runtime did nothing. The table has a check for each RPC that can have such
 * replies. After a stop or a removal the gateway looks again on every runtime; a check that costs more is made only
 * for the runtime that is known for it.
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
  /** As it was sent. */
  readonly request: Uint8Array;
  /** When the call was made, in milliseconds since 1970. */
  readonly calledAtMs: number;
  /** For what is read besides. */
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
    // What runs has used the CPU. CRI-O leaves the stats of the others out, cri-dockerd says 0.
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

/** @throws {GatewayError} when the runtime's OK hides that nothing was done, or not what was asked. */
export async function verifyReply(runtime: Runtime, rpc: Rpc, answered: Answered): Promise<void> {
  const { verify } = rpcRules[rpc];
  if (verify !== undefined) await checks[verify](runtime, answered);
}

/** CRI-O answers OK to a command that ran out of time, with an exit code that no process has. */
function execTimeout(): GatewayError {
  return new GatewayError(
    "exec_timeout",
    "ExecSync failed: the command did not end within its timeout and was killed",
  );
}

/** cri-dockerd runs nothing when there is no such command, and writes why to its stdout. */
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
 * CRI-O reads a command's output back from a log file of which it takes 16 MiB: what is behind is lost, stderr
 * often with it. The file holds a stamp for each line, and for each 8 KiB of a longer one.
 */
const logLimitBytes = 16 * 1024 * 1024;
const logChunkBytes = 8192;
const stampBytes = "2026-11-23T14:07:04.483694161+00:00 stdout F ".length;
/** Lines of one byte are what the file holds least of. Less than that cannot have been cut. */
const cutFromBytes = Math.floor((logLimitBytes - logChunkBytes) / (stampBytes + 1));

async function refuseCut(runtime: Runtime, reply: Buffer): Promise<void> {
  if (!(await isRuntime(runtime, "cri-o"))) return;
  const logged = ["stdout", "stderr"].reduce(
    (sum, field) => sum + loggedBytes(replyBytes("RuntimeService/ExecSync", reply, field)),
    0,
  );
  // The last chunk that fitted is the one that was cut.
  if (logged < logLimitBytes - logChunkBytes - stampBytes) return;
  throw new GatewayError(
    "output_too_large",
    "ExecSync failed: the command's output is over what the runtime gives back, and was cut",
  );
}

/** How long the log of an output is at least. */
function loggedBytes(output: Buffer): number {
  let stamps = Math.ceil(output.length / logChunkBytes);
  for (let at = output.indexOf(10); at !== -1; at = output.indexOf(10, at + 1)) stamps++;
  return output.length + stamps * stampBytes;
}

/** One call on behalf of a caller: nothing is done in the wrong state, and what went wrong is told exactly. */
import { GatewayError } from "../errors.ts";
import type { Methods, Rpc } from "../gen/methods.ts";
import type { CallOptions, Runtime } from "./channel.ts";
import { decodeReply, encodeRequest, type Input } from "./codec.ts";
import { checkBefore, explain } from "./conflicts.ts";
import { invoke } from "./invoke.ts";

/** The fields of a request that say what it is about. */
export type Subject = Input<{ containerId: string; podSandboxId: string; timeout: string | number }>;

/** `Runtime.call`, with the conflicts of `conflicts.ts`. @throws {GatewayError} */
export async function perform(
  runtime: Runtime,
  rpc: Rpc,
  wire: Uint8Array,
  { subject, options }: { readonly subject: Subject; readonly options: CallOptions },
): Promise<Buffer> {
  const { onCancel } = options;
  const reads: CallOptions = onCancel === undefined ? {} : { onCancel };
  await checkBefore(runtime, rpc, subject, reads);
  try {
    const reply = await runtime.call(rpc, wire, options);
    checkAfter(rpc, reply);
    return reply;
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
    if (await hasStopped(runtime, rpc, subject, error)) return Buffer.alloc(0);
    throw await explain(runtime, rpc, subject, { error, options: reads });
  }
}

/** `perform` with an object in and an object out. @throws {GatewayError} */
export async function request<R extends Rpc>(
  runtime: Runtime,
  rpc: R,
  message: Input<Methods[R]["request"]>,
  options: CallOptions,
): Promise<Methods[R]["response"]> {
  const reply = await perform(runtime, rpc, encodeRequest(rpc, message), {
    subject: message as Subject,
    options,
  });
  return decodeReply(rpc, reply);
}

/** CRI-O answers OK to a command that ran out of time, with an exit code that no process has. */
function checkAfter(rpc: Rpc, reply: Buffer): void {
  if (rpc !== "RuntimeService/ExecSync") return;
  if (decodeReply(rpc, reply).exitCode !== -1) return;
  throw new GatewayError(
    "exec_timeout",
    "ExecSync failed: the command did not end within its timeout and was killed",
  );
}

/** containerd may say `ttrpc: closed` when the exit comes between the signal and the kill: it has stopped all the same. */
async function hasStopped(
  runtime: Runtime,
  rpc: Rpc,
  { containerId }: Subject,
  error: GatewayError,
): Promise<boolean> {
  if (rpc !== "RuntimeService/StopContainer" || !containerId || !/ttrpc: closed/.test(error.message))
    return false;
  const { status } = await invoke(runtime, "RuntimeService/ContainerStatus", { containerId });
  return status?.state === "CONTAINER_EXITED";
}

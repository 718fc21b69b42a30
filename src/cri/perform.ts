/** One call on behalf of a caller: nothing is done in the wrong state, and what went wrong is told exactly. */
import { GatewayError } from "../errors.ts";
import type { Methods, Rpc } from "../gen/methods.ts";
import type { CallOptions, Runtime } from "./channel.ts";
import { decodeReply, encodeRequest, type Input } from "./codec.ts";
import { checkBefore, explain, type Request } from "./conflicts.ts";
import { asExecTimeout } from "./exec-timeout.ts";
import { refuseHollow } from "./hollow-answers.ts";
import { invoke } from "./invoke.ts";
import { type Stopped, stopFirst } from "./stop-first.ts";

/** The fields of a request that say what it is about. */
export type Subject = Request & Stopped;

/**
 * `Runtime.call` for a caller: refused where the state forbids it, and an error also where the runtime
 * says OK for what it did not do. @throws {GatewayError}
 */
export async function perform(
  runtime: Runtime,
  rpc: Rpc,
  wire: Uint8Array,
  { subject, options }: { readonly subject: Subject; readonly options: CallOptions },
): Promise<Buffer> {
  const { onCancel } = options;
  const reads: CallOptions = onCancel === undefined ? {} : { onCancel };
  await checkBefore(runtime, rpc, subject, reads);
  const calledAtMs = Date.now();
  try {
    await stopFirst(runtime, rpc, subject, reads);
    const reply = await runtime.call(rpc, wire, options);
    await refuseHollow(runtime, rpc, { reply, request: subject, calledAtMs, options: reads });
    return reply;
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
    if (await hasStopped(runtime, rpc, subject, error)) return Buffer.alloc(0);
    const explained = await explain(runtime, rpc, subject, {
      error: asExecTimeout(rpc, subject, error),
      options: reads,
    });
    // It was looked for just before: it has gone since, by the first attempt of this very call for one.
    if (removals.has(rpc) && explained.code === "not_found") return Buffer.alloc(0);
    throw explained;
  }
}

/** cri-dockerd fails at a container that is not there; of the others each says OK. */
const removals: ReadonlySet<Rpc> = new Set([
  "RuntimeService/RemoveContainer",
  "RuntimeService/RemovePodSandbox",
]);

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

/** containerd may say `ttrpc: closed` when the exit comes between the signal and the kill: it has stopped all the same. */
async function hasStopped(
  runtime: Runtime,
  rpc: Rpc,
  { containerId }: Subject,
  error: GatewayError,
): Promise<boolean> {
  if (rpc !== "RuntimeService/StopContainer" || !containerId || !/ttrpc: closed/.test(error.words))
    return false;
  const { status } = await invoke(runtime, "RuntimeService/ContainerStatus", { containerId });
  return status?.state === "CONTAINER_EXITED";
}

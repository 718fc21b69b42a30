/**
 * What a runtime's answer really means.
 *
 * Runtimes say UNKNOWN for what is a conflict, an absence or a mistake of the caller, each in words of its
 * own, and OK for some things that they did not do. Two tables mend that: the state that an RPC needs, read
 * before it where a runtime would go on regardless and after it where the state explains a failure; and the
 * texts of containerd, CRI-O and cri-dockerd, for what no state explains.
 */
import { type ErrorCode, GatewayError } from "../errors.ts";
import type { Methods, Rpc } from "../gen/methods.ts";
import type { CallOptions, Runtime } from "./channel.ts";
import type { Input } from "./codec.ts";
import { invoke } from "./invoke.ts";

type ContainerState = NonNullable<Methods["RuntimeService/ContainerStatus"]["response"]["status"]>["state"];

/** The state that an RPC's container must have. */
interface Needs {
  readonly states: readonly ContainerState[];
  /**
   * Read before the call, because some runtime does not refuse: CRI-O runs a command in a container that
   * was not started, cri-dockerd starts an exited one again.
   */
  readonly before?: true;
}

const running: Needs = { states: ["CONTAINER_RUNNING"] };

const containerNeeds: { readonly [R in Rpc]?: Needs } = {
  "RuntimeService/StartContainer": { states: ["CONTAINER_CREATED"], before: true },
  "RuntimeService/ExecSync": { ...running, before: true },
  "RuntimeService/Exec": { ...running, before: true },
  "RuntimeService/Attach": { ...running, before: true },
  "RuntimeService/ContainerStats": running,
  "RuntimeService/ReopenContainerLog": running,
  "RuntimeService/UpdateContainerResources": { states: ["CONTAINER_CREATED", "CONTAINER_RUNNING"] },
  "RuntimeService/CheckpointContainer": running,
};

/** RPCs whose pod must be ready: containers can be made in a stopped one on some runtimes, and never start. */
const podNeeds: { readonly [R in Rpc]?: { readonly before?: true } } = {
  "RuntimeService/CreateContainer": { before: true },
  "RuntimeService/PortForward": { before: true },
  "RuntimeService/PodSandboxStats": {},
  "RuntimeService/UpdatePodSandboxResources": {},
};

/** A text of some runtime, and what it means. */
interface Saying {
  readonly text: RegExp;
  readonly code: ErrorCode;
  /** Only of these RPCs; of all when absent. */
  readonly of?: readonly Rpc[];
}

const pulls: readonly Rpc[] = ["ImageService/PullImage"];
const images: readonly Rpc[] = [
  "ImageService/PullImage",
  "ImageService/ImageStatus",
  "ImageService/RemoveImage",
];
const creations: readonly Rpc[] = ["RuntimeService/RunPodSandbox", "RuntimeService/CreateContainer"];
const commands: readonly Rpc[] = [
  "RuntimeService/CreateContainer",
  "RuntimeService/StartContainer",
  "RuntimeService/ExecSync",
  "RuntimeService/Exec",
];

/** The first that matches counts. */
const sayings: readonly Saying[] = [
  { text: /is reserved for|Conflict\. The container name/, code: "name_reserved", of: creations },
  {
    text: /failed to resolve image|does not resolve to an image ID|No such image/,
    code: "image_not_found",
    of: ["RuntimeService/CreateContainer"],
  },
  {
    text: /failed to parse image reference|cannot parse input|invalid reference format/,
    code: "bad_reference",
  },
  {
    text: /no runtime for "[^"]*" is configured|failed to find runtime handler/,
    code: "unknown_handler",
    of: creations,
  },
  {
    text: /executable file not found|exec: "[^"]*": stat [^:]*: no such file|no such file or directory: unknown/,
    code: "command_not_found",
    of: commands,
  },
  {
    text: /\b401\b|unauthorized|no basic auth credentials|authorization failed|pull access denied|authentication required/i,
    code: "registry_unauthorized",
    of: pulls,
  },
  {
    text: /connection refused|no such host|i\/o timeout|no route to host|server misbehaving|RegistryUnavailable|x509:|tls:/,
    code: "registry_unreachable",
    of: pulls,
  },
  {
    text: /manifest unknown|name unknown|\b404\b|did not resolve|repository .* not found|: not found$/i,
    code: "image_not_found",
    of: images,
  },
  { text: /image is in use by a container/, code: "image_in_use", of: ["ImageService/RemoveImage"] },
  { text: /message larger than max|short write/, code: "output_too_large", of: ["RuntimeService/ExecSync"] },
  { text: /timeout .* exceeded|deadline exceeded/, code: "exec_timeout", of: ["RuntimeService/ExecSync"] },
  { text: /does not support reopening/, code: "not_implemented", of: ["RuntimeService/ReopenContainerLog"] },
  { text: /No such container|does not exist|not found/i, code: "not_found" },
];

/** gRPC codes that say nothing by themselves, so that state and text are asked. */
const unclear: ReadonlySet<string | undefined> = new Set([
  "UNKNOWN",
  "INTERNAL",
  "FAILED_PRECONDITION",
  "UNAVAILABLE",
]);
/** What a code of its own says more exactly with its text. */
const refined: ReadonlySet<string | undefined> = new Set([
  "NOT_FOUND",
  "RESOURCE_EXHAUSTED",
  "DEADLINE_EXCEEDED",
]);

type Request = Input<{ containerId: string; podSandboxId: string }>;

/**
 * Refuses a call whose container or pod is in a state where some runtime would go on regardless.
 *
 * @throws {GatewayError} `already_running`, `already_exited`, `not_running`, `pod_not_ready`, `not_found`.
 */
export async function checkBefore(
  runtime: Runtime,
  rpc: Rpc,
  request: Request,
  options: CallOptions,
): Promise<void> {
  if (!containerNeeds[rpc]?.before && !podNeeds[rpc]?.before) return;
  const conflict = await stateConflict(runtime, rpc, request, options).catch((error: unknown) => {
    // A runtime says in words of its own that there is no such id, of this read as of any call.
    throw error instanceof GatewayError && unclear.has(error.grpcCode) ? byText(rpc, error) : error;
  });
  if (conflict) throw conflict;
}

/**
 * How runtimes word it when the state is what they refuse. Where the state was read before the call, it
 * explains a failure only when the text says so too: the call itself may have changed it, as a start that
 * finds no command ends the container.
 */
const aboutState = /\bstate\b|not running/;

/** What a failed call means to the caller. Keeps the runtime's text, and the error itself where nothing explains it. */
export async function explain(
  runtime: Runtime,
  rpc: Rpc,
  request: Request,
  { error, options }: { readonly error: GatewayError; readonly options: CallOptions },
): Promise<GatewayError> {
  const { grpcCode } = error;
  if (unclear.has(grpcCode)) {
    const wasRead = containerNeeds[rpc]?.before || podNeeds[rpc]?.before;
    const conflict =
      wasRead && !aboutState.test(error.message)
        ? undefined
        : await stateConflict(runtime, rpc, request, options).catch((found: unknown) =>
            found instanceof GatewayError && found.code === "not_found" ? found : undefined,
          );
    if (conflict) return restate(error, conflict.code);
    return byText(rpc, error);
  }
  return refined.has(grpcCode) ? byText(rpc, error) : error;
}

/** What the runtime's text alone tells. */
function byText(rpc: Rpc, error: GatewayError): GatewayError {
  const code = saidBy(rpc, error.message);
  // A runtime that went away said nothing about the request.
  return code === undefined || error.grpcCode === "UNAVAILABLE" ? error : restate(error, code);
}

/** The conflict that the state shows, if it does. */
async function stateConflict(
  runtime: Runtime,
  rpc: Rpc,
  { containerId, podSandboxId }: Request,
  options: CallOptions,
): Promise<GatewayError | undefined> {
  const needs = containerNeeds[rpc];
  if (needs && containerId) {
    const { status } = await invoke(runtime, "RuntimeService/ContainerStatus", { containerId }, options);
    const state = status?.state;
    return state === undefined || needs.states.includes(state)
      ? undefined
      : containerConflict(rpc, containerId, state);
  }
  if (podNeeds[rpc] && podSandboxId) {
    const { status } = await invoke(runtime, "RuntimeService/PodSandboxStatus", { podSandboxId }, options);
    if (status === undefined || status.state === "SANDBOX_READY") return undefined;
    return new GatewayError(
      "pod_not_ready",
      `${nameOf(rpc)} failed: pod "${podSandboxId}" is ${status.state}`,
    );
  }
  return undefined;
}

function containerConflict(rpc: Rpc, containerId: string, state: ContainerState): GatewayError {
  const starts = rpc === "RuntimeService/StartContainer";
  const code: ErrorCode =
    starts && state === "CONTAINER_RUNNING" ? "already_running" : starts ? "already_exited" : "not_running";
  return new GatewayError(code, `${nameOf(rpc)} failed: container "${containerId}" is ${state}`);
}

function saidBy(rpc: Rpc, text: string): ErrorCode | undefined {
  return sayings.find(({ of, text: pattern }) => (of?.includes(rpc) ?? true) && pattern.test(text))?.code;
}

function restate(error: GatewayError, code: ErrorCode): GatewayError {
  if (code === error.code) return error;
  return new GatewayError(code, error.message, {
    cause: error,
    ...(error.grpcCode === undefined ? {} : { grpcCode: error.grpcCode }),
  });
}

const nameOf = (rpc: Rpc): string => rpc.slice(rpc.indexOf("/") + 1);

/**
 * What a runtime's answer really means.
 *
 * Runtimes say UNKNOWN for what is a conflict, an absence or a mistake of the caller, each in words of its
 * own, and OK for some things that they did not do. Two tables mend that: the state that an RPC needs, read
 * before it where a runtime would go on regardless and after it where the state explains a failure; and the
 * texts of containerd, CRI-O and cri-dockerd, for what no state explains.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { absence } from "../cri/absence.ts";
import { call } from "../cri/call.ts";
import type { CallOptions, Runtime } from "../cri/channel.ts";
import type { Input } from "../cri/codec.ts";
import { ownWords } from "../cri/own-words.ts";
import { type ContainerState, rpcRules } from "../cri/rpc-rules.ts";
import { anyOf, onOneLine, type TextPattern } from "../cri/text-pattern.ts";
import { type ErrorCode, type FieldError, GatewayError } from "../errors.ts";
import type { ImageSpec, PodSandboxState } from "../gen/messages.ts";
import type { Rpc } from "../gen/methods.ts";
import { changePatterns, saysNotRunning, saysVanished } from "./change-patterns.ts";
import { begins, creations, type ErrorPattern } from "./error-pattern.ts";
import { mistakePatterns } from "./mistake-patterns.ts";
import { mistakePlace } from "./mistake-place.ts";
import { networkTeardownFailed } from "./network-teardown.ts";
import { notImplemented } from "./not-implemented.ts";
import { placesInUse, saysPortInUse } from "./port-in-use.ts";
import { registryFaults } from "./registry-faults.ts";
import { withoutSubjectNames } from "./subject-names.ts";

const needsRunning = (rpc: Rpc): boolean =>
  rpcRules[rpc].containerStates?.includes("CONTAINER_RUNNING") === true;

/** Whether the state must be read before the call. */
export const hasPrecondition = (rpc: Rpc): boolean => rpcRules[rpc].stateKnown === "before";

const pulls: readonly Rpc[] = ["ImageService/PullImage"];
const byImage: readonly Rpc[] = ["ImageService/ImageStatus", "ImageService/RemoveImage"];
const commands: readonly Rpc[] = [
  "RuntimeService/CreateContainer",
  "RuntimeService/StartContainer",
  "RuntimeService/ExecSync",
  "RuntimeService/Exec",
];

/** A pod or container of the same name is there, or in the making. */
export const nameTaken = /is reserved for|Conflict\. The container name/;

/** The kernel says the same of cgroups and of watches of files, for which there is a limit and no disk. */
const diskFull: TextPattern = {
  test: (text) =>
    /no space left on device|disk quota exceeded/.test(text) && !/cgroup|inotify|fsnotify/.test(text),
};

/**
 * The first that matches counts. Texts repeat what the caller wrote: a pattern has a space or a quote in it
 * that no image reference could bring along.
 */
const errorPatterns: readonly ErrorPattern[] = [
  { text: nameTaken, code: "name_reserved", of: creations },
  {
    text: saysPortInUse,
    code: "port_in_use",
    of: ["RuntimeService/RunPodSandbox", "RuntimeService/RestorePod"],
  },
  { text: diskFull, code: "node_disk_full", of: [...pulls, ...begins, "RuntimeService/CheckpointContainer"] },
  {
    text: /failed to resolve image|does not resolve to an image ID|No such image/,
    code: "image_not_found",
    of: ["RuntimeService/CreateContainer"],
  },
  {
    // The CNI plug-in refuses to remove what it set up, or failed to set up: the pod stays until it succeeds.
    text: /failed to destroy network for (pod )?sandbox|failed to teardown pod/,
    code: "network_teardown_failed",
    of: ["RuntimeService/StopPodSandbox", "RuntimeService/RemovePodSandbox"],
  },
  {
    // What is no reference names no image: containerd says so of what is asked for or removed.
    text: /cannot parse input|invalid reference format|did not resolve/,
    code: "not_found",
    of: byImage,
  },
  {
    text: /failed to parse image reference|cannot parse input|invalid reference format/,
    code: "bad_reference",
    of: [...pulls, ...creations],
  },
  {
    text: /no runtime for "[^"]*" is configured|failed to find runtime handler/,
    code: "unknown_handler",
    of: creations,
  },
  {
    text: anyOf(
      /executable file not found|exec: "[^"]*": stat [^:]*: no such file|exec: "[^"]*": permission denied|exec format error/,
      // crun.
      /executable file `[^`]*` not found|open executable: |exec container process /,
      onOneLine("executable file ", "not found in $PATH"),
      onOneLine("exec ", "no such file or directory"),
      onOneLine("exec: ", "no such file or directory"),
      onOneLine('exec: "', ": file name too long"),
    ),
    code: "command_not_found",
    of: commands,
  },
  ...registryFaults.map((fault): ErrorPattern => ({ ...fault, of: pulls })),
  // CRI-O checks signatures again when it creates a container.
  { text: /SignatureValidationFailed/, code: "signature_rejected", of: creations },
  {
    text: /image is in use by a container|image is being used by/,
    code: "image_in_use",
    of: ["ImageService/RemoveImage"],
  },
  {
    text: /sandbox container "[^"]*" is not running|network namespace of a non running container|sandbox was stopped/,
    code: "pod_not_ready",
    of: ["RuntimeService/CreateContainer", "RuntimeService/StartContainer"],
  },
  ...mistakePatterns,
  ...changePatterns,
  { text: /message larger than max|short write/, code: "output_too_large", of: ["RuntimeService/ExecSync"] },
  { text: /timeout \S+ exceeded|deadline exceeded/, code: "exec_timeout", of: ["RuntimeService/ExecSync"] },
  { text: /does not support reopening/, code: "not_implemented", of: ["RuntimeService/ReopenContainerLog"] },
  {
    text: /CRIU binary not found|checkpoint\/restore support not available/,
    code: "not_implemented",
    of: ["RuntimeService/CheckpointContainer"],
  },
];

/** gRPC codes that say nothing by themselves, so that text and state are asked. */
const unclear: ReadonlySet<string | undefined> = new Set(["UNKNOWN", "INTERNAL", "FAILED_PRECONDITION"]);
/** What a code of its own says more exactly with its text. */
const refined: ReadonlySet<string | undefined> = new Set([
  "NOT_FOUND",
  "RESOURCE_EXHAUSTED",
  "DEADLINE_EXCEEDED",
]);

/** The fields of a request that say what it is about. */
export type Request = Input<{ containerId: string; podSandboxId: string; image: ImageSpec }>;

/**
 * Refuses a call whose container or pod is in a state where some runtime would go on regardless.
 *
 * @throws {GatewayError} `already_running`, `already_exited`, `not_running`, `pod_not_ready`, `not_found`.
 */
export async function checkPreconditions(
  runtime: Runtime,
  rpc: Rpc,
  request: Request,
  options: CallOptions,
): Promise<void> {
  const conflict = hasPrecondition(rpc) ? await stateConflict(runtime, rpc, request, options) : undefined;
  if (conflict) throw conflict;
}

/**
 * How runtimes word it when the state is what they refuse. Where the state was read before the call, it
 * explains a failure only when the text says so too: the call itself may have changed it, as a start that
 * finds no command ends the container.
 */
const aboutState = /\bstate\b|not running/;

/** What a failed call means to the caller. Keeps the runtime's text, and the error itself where nothing explains it. */
export async function translateError(
  runtime: Runtime,
  rpc: Rpc,
  request: Request,
  { error, options }: { readonly error: GatewayError; readonly options: CallOptions },
): Promise<GatewayError> {
  const { code, grpcCode } = error;
  const isUnclear = unclear.has(grpcCode);
  const isRead = isUnclear || refined.has(grpcCode);
  let { words } = error;
  // What is not found may be the process of a container that is there.
  const mayHaveEnded = needsRunning(rpc) && (isUnclear || grpcCode === "NOT_FOUND");
  if (mayHaveEnded && saysVanished.test(words)) {
    const ended = await conflictSoon(runtime, rpc, request, options);
    if (ended) return restate(error, ended.code);
  }
  if (isRead && (patternOf(rpc, words) !== undefined || absence.test(words))) {
    words = await withoutSubjectNames(runtime, request, { words, options });
  }
  const pattern = isRead ? patternOf(rpc, words) : undefined;
  const said = pattern?.code;
  if (code === "not_implemented" || said === "not_implemented") {
    runtime.markUnimplemented(rpc);
    return notImplemented(runtime, rpc, error);
  }
  if (said === "network_teardown_failed") return networkTeardownFailed(runtime, request, error);
  if (said === "port_in_use") return restate(error, said, placesInUse(request, error.message));
  if (pattern !== undefined)
    return restate(error, pattern.code, placesOf(rpc, request, { pattern, text: error.message }));
  if (mayHaveEnded) {
    const ended = await conflictSoon(runtime, rpc, request, options);
    if (ended) return restate(error, ended.code);
    return saysNotRunning.test(words) ? restate(error, "not_running") : error;
  }
  if (!isUnclear) return error;
  const { containerStates, podState, stateKnown } = rpcRules[rpc];
  if (!containerStates && !podState) return byAbsence(request, error, words);
  if (stateKnown !== undefined && !aboutState.test(words) && !absence.test(words)) return error;
  const conflict = await foundConflict(runtime, rpc, request, options);
  if (conflict?.code !== "not_found" && saysOtherAbsent(rpc, words)) return restate(error, "invalid_request");
  return conflict ? restate(error, conflict.code) : error;
}

/** The conflict that the state shows, absence included; undefined also when the state cannot be read. */
async function foundConflict(
  runtime: Runtime,
  rpc: Rpc,
  request: Request,
  options: CallOptions,
): Promise<GatewayError | undefined> {
  return await stateConflict(runtime, rpc, request, options).catch((failure: unknown) =>
    failure instanceof GatewayError && failure.code === "not_found" ? failure : undefined,
  );
}

/** containerd shows a container as running for a moment after it has ended. */
const looksAfterMs = [0, 50, 200, 500];

/**
 * The same of a container that was running before the call, looked for during a second. A command that was to be run
 * in a container that ends meanwhile fails in a dozen ways: runc finds no process, or the shim is gone.
 */
async function conflictSoon(
  runtime: Runtime,
  rpc: Rpc,
  request: Request,
  options: CallOptions,
): Promise<GatewayError | undefined> {
  for (const pauseMs of looksAfterMs) {
    if (pauseMs > 0) await sleep(pauseMs);
    const conflict = await foundConflict(runtime, rpc, request, options);
    if (conflict) return conflict;
  }
  return undefined;
}

/** Docker, of a container whose PID namespace is to be joined, when the one to be started is there. */
const saysOtherAbsent = (rpc: Rpc, text: string): boolean =>
  rpcRules[rpc].starts === true && /No such container: /.test(text);

/** Where the caller wrote what the runtime's text is about. */
function placesOf(
  rpc: Rpc,
  request: Request,
  { pattern, text }: { readonly pattern: ErrorPattern; readonly text: string },
): readonly FieldError[] {
  const pointer = pattern.at && mistakePlace(rpc, request, { at: pattern.at, text });
  return pointer === undefined ? [] : [{ pointer, detail: text }];
}

/** Of a request about a pod or a container: that it is not there, where the text says so. */
function byAbsence(
  { containerId, podSandboxId }: Request,
  error: GatewayError,
  words = error.words,
): GatewayError {
  const isAbsent = (containerId || podSandboxId) && unclear.has(error.grpcCode) && absence.test(words);
  return isAbsent ? restate(error, "not_found") : error;
}

/** The conflict that the state shows, if it does. @throws {GatewayError} `not_found`. */
export async function stateConflict(
  runtime: Runtime,
  rpc: Rpc,
  request: Request,
  options: CallOptions,
): Promise<GatewayError | undefined> {
  const { containerId, podSandboxId } = request;
  const { containerStates, podState } = rpcRules[rpc];
  const absent = (error: unknown): never => {
    throw error instanceof GatewayError ? byAbsence(request, error) : error;
  };
  if (containerStates && containerId) {
    const { status } = await call(runtime, "RuntimeService/ContainerStatus", { containerId }, options).catch(
      absent,
    );
    const state = status?.state;
    return state === undefined || containerStates.includes(state)
      ? undefined
      : containerConflict(rpc, containerId, state);
  }
  if (podState && podSandboxId) {
    const { status } = await call(
      runtime,
      "RuntimeService/PodSandboxStatus",
      { podSandboxId },
      options,
    ).catch(absent);
    return status === undefined ? undefined : podConflict(rpc, podSandboxId, status.state);
  }
  return undefined;
}

/** The conflict of an RPC with a pod that is not ready; undefined when it is. */
export function podConflict(
  rpc: Rpc,
  podSandboxId: string,
  state: PodSandboxState,
): GatewayError | undefined {
  if (state === "SANDBOX_READY") return undefined;
  return new GatewayError("pod_not_ready", `${nameOf(rpc)} failed: pod "${podSandboxId}" is ${state}`);
}

function containerConflict(rpc: Rpc, containerId: string, state: ContainerState): GatewayError {
  const { starts = false } = rpcRules[rpc];
  const code: ErrorCode =
    starts && state === "CONTAINER_RUNNING" ? "already_running" : starts ? "already_exited" : "not_running";
  return new GatewayError(code, `${nameOf(rpc)} failed: container "${containerId}" is ${state}`);
}

function patternOf(rpc: Rpc, text: string): ErrorPattern | undefined {
  // CRI-O repeats runc's log, in which quotes are escaped.
  const plain = text.replaceAll('\\"', '"');
  return errorPatterns.find(({ of, text: pattern }) => (of?.includes(rpc) ?? true) && pattern.test(plain));
}

/** Whether this is how a runtime says that the command of `request` cannot be started, because there is no such program. */
export const isMissingCommand = (text: string, request: unknown): boolean =>
  patternOf("RuntimeService/Exec", ownWords(text, request))?.code === "command_not_found";

function restate(error: GatewayError, code: ErrorCode, errors: readonly FieldError[] = []): GatewayError {
  if (code === error.code && errors.length === 0) return error;
  const { message, grpcCode, members } = error;
  const headers = code === "registry_rate_limited" ? rateLimitHeaders : error.headers;
  return new GatewayError(code, message, { cause: error, errors, grpcCode, members, headers });
}

/** No runtime passes on how long the registry wants to be left alone. Registries count by the minute or longer. */
const rateLimitHeaders = { "retry-after": "60" };

const nameOf = (rpc: Rpc): string => rpc.slice(rpc.indexOf("/") + 1);

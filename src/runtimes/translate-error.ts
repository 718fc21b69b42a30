/**
 * Translates a runtime's replies into what they really mean.
 *
 * Runtimes return UNKNOWN for conflicts, absence and caller mistakes, each in its own words, and OK for some things
 * that they did not do. Two tables fix that: the state that an RPC requires, read before the call if a runtime would
 * proceed regardless, and after it if the state explains a failure; and the error texts of containerd, CRI-O and
 * cri-dockerd, for what no state explains.
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
const hasPrecondition = (rpc: Rpc): boolean => rpcRules[rpc].stateKnown === "before";

const pulls: readonly Rpc[] = ["ImageService/PullImage"];
const byImage: readonly Rpc[] = ["ImageService/ImageStatus", "ImageService/RemoveImage"];
const commands: readonly Rpc[] = [
  "RuntimeService/CreateContainer",
  "RuntimeService/StartContainer",
  "RuntimeService/ExecSync",
  "RuntimeService/Exec",
];

/** A pod or container with the same name exists or is being created. */
export const nameTaken = /is reserved for|Conflict\. The container name/;

/** The kernel has the same texts for cgroups and file watches, where a limit is reached instead of a full disk. */
const diskFull: TextPattern = {
  test: (text) =>
    /no space left on device|disk quota exceeded/.test(text) && !/cgroup|inotify|fsnotify/.test(text),
};

/**
 * The first match wins. Texts repeat the caller's input, so a pattern contains a space or a quote that no image
 * reference can contain.
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
    // The CNI plugin fails to remove what it set up, or failed to set up. The pod stays until it succeeds.
    text: /failed to destroy network for (pod )?sandbox|failed to teardown pod/,
    code: "network_teardown_failed",
    of: ["RuntimeService/StopPodSandbox", "RuntimeService/RemovePodSandbox"],
  },
  {
    // An invalid reference names no image: containerd says so for a status or a removal.
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

/** gRPC codes that say nothing on their own, so text and state are checked. */
const unclear: ReadonlySet<string | undefined> = new Set(["UNKNOWN", "INTERNAL", "FAILED_PRECONDITION"]);
/** Codes that the text makes more precise. */
const refined: ReadonlySet<string | undefined> = new Set([
  "NOT_FOUND",
  "RESOURCE_EXHAUSTED",
  "DEADLINE_EXCEEDED",
  // The runtime cancelled it, not the gateway.
  "CANCELLED",
]);

/** The fields of a request that identify its subject. */
export type Request = Input<{ containerId: string; podSandboxId: string; image: ImageSpec }>;

/**
 * Refuses a call whose container or pod is in a state in which some runtimes would proceed regardless.
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
 * Matches errors about the state. If the state was read before the call, it explains a failure only if the text says so
 * too, because the call itself may have changed it: a start that finds no command ends the container.
 */
const aboutState = /\bstate\b|not running/;

/** Translates a failed call for the caller. Keeps the runtime's text, and the error itself if nothing explains it. */
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
  // NOT_FOUND may refer to the process of a container that exists.
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

/** The conflict that the state shows, including absence; undefined also if the state cannot be read. */
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

/** containerd shows a container as running for a moment after it has exited. */
const looksAfterMs = [0, 50, 200, 500];

/**
 * Does the same for a container that was running before the call, and checks for up to a second. A command in a
 * container that exits meanwhile fails in a dozen ways: runc finds no process, or the shim is gone.
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

/** Whether Docker misses the container whose PID namespace should be joined, if the one to be started exists. */
const saysOtherAbsent = (rpc: Rpc, text: string): boolean =>
  rpcRules[rpc].starts === true && /No such container: /.test(text);

/** The place in the request that the runtime's text is about. */
function placesOf(
  rpc: Rpc,
  request: Request,
  { pattern, text }: { readonly pattern: ErrorPattern; readonly text: string },
): readonly FieldError[] {
  const pointer = pattern.at && mistakePlace(rpc, request, { at: pattern.at, text });
  return pointer === undefined ? [] : [{ pointer, detail: text }];
}

/** Returns `not_found` for a request about a pod or container, if the text says that it does not exist. */
function byAbsence(
  { containerId, podSandboxId }: Request,
  error: GatewayError,
  words = error.words,
): GatewayError {
  const isAbsent = (containerId || podSandboxId) && unclear.has(error.grpcCode) && absence.test(words);
  return isAbsent ? restate(error, "not_found") : error;
}

/** Returns the conflict with the current state, if there is one. @throws {GatewayError} `not_found` */
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

/** Returns the conflict of an RPC with a pod that is not ready; undefined if it is. */
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

/** Whether a runtime's error means that the command of `request` cannot be started because there is no such program. */
export const isMissingCommand = (text: string, request: unknown): boolean =>
  patternOf("RuntimeService/Exec", ownWords(text, request))?.code === "command_not_found";

function restate(error: GatewayError, code: ErrorCode, errors: readonly FieldError[] = []): GatewayError {
  if (code === error.code && errors.length === 0) return error;
  const { message, grpcCode, members } = error;
  const headers = code === "registry_rate_limited" ? rateLimitHeaders : error.headers;
  return new GatewayError(code, message, { cause: error, errors, grpcCode, members, headers });
}

/** No runtime passes on the registry's retry delay. Registries count by the minute or longer. */
const rateLimitHeaders = { "retry-after": "60" };

const nameOf = (rpc: Rpc): string => rpc.slice(rpc.indexOf("/") + 1);

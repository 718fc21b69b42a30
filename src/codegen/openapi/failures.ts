/** Determines which failures an operation can return. */
import { rpcRules } from "../../cri/rpc-rules.ts";
import { type ErrorCode, errorTable } from "../../errors.ts";
import { limitRefusal } from "../../limits/refusal.ts";
import { isIdempotent, isSession, type Route, rpcsOf } from "../../routes/define.ts";
import type { RouteId } from "../../routes/index.ts";
import { problemOf } from "../../server/problems.ts";
import { refusalExample } from "./refusal-example.ts";
import type { Schema } from "./schemas.ts";

/** HTTP status -> its meaning for a caller. */
const meanings = {
  "400": "The request is invalid; `errors` lists the mistakes.",
  "401": "The token is missing or wrong, or has expired.",
  "403": "Grants are missing; `detail` names the flags for them.",
  "404": "The resource does not exist.",
  "406": "None of the media types in `Accept` is available.",
  "409":
    "The state does not allow it, the name or host port is taken, or the id prefix or name is ambiguous.",
  "410": "The file that the cursor refers to no longer exists; `cursor` is the nearest valid one.",
  "413": "The body is larger than 1 MiB, or 128 KiB for YAML.",
  "415": "The body is neither `application/json` nor `application/yaml`.",
  "422":
    "The registry refused the credentials, the image does not support this platform, the output is too large, or the idempotency key belongs to another request.",
  "426": "The request is not a WebSocket handshake.",
  "429":
    "A limit was reached: of the caller, of the gateway's sessions, of the runtime, or of a registry. For those of the caller and the gateway, `limit`, `max` and `setting` say which.",
  "501": "The runtime does not support the RPC, or would ignore a field that limits a container.",
  "502": "The runtime or the registry failed.",
  "503": "The runtime or the gateway cannot handle the request now.",
  "504": "The runtime did not reply in time, or its reply was lost.",
  "507": "A disk on the node is full.",
} as const;

type Status = keyof typeof meanings;

const hasBody = (route: Route): boolean =>
  (route.kind === "unary" && route.body !== undefined) || route.id === "run";
/** A body is read, and refused, even if the operation has none. */
const readsBody = (route: Route): boolean => !route.http.startsWith("GET ");
const ofContainer = (route: Route): boolean => route.path !== undefined && "containerId" in route.path;
const hasId = (route: Route): boolean =>
  ofContainer(route) || (route.path !== undefined && "podSandboxId" in route.path);
const of = (...ids: readonly RouteId[]): ((route: Route) => boolean) => {
  const all: ReadonlySet<string> = new Set(ids);
  return ({ id }) => all.has(id);
};
/** Whose answer waits for a pull. */
const isPull = of("pullImage", "run");
const reservesName = of("runPod", "run", "restorePod", "createContainer");
const changesTokens = of("createToken", "revokeToken");
const isLogs = of("getContainerLogs", "getPodLogs", "listLogs");
const never = (): boolean => false;

/** Which operations can answer a code. Default: all operations with its status. */
const only: { readonly [C in ErrorCode]?: (route: Route) => boolean } = {
  invalid_json: readsBody,
  invalid_yaml: readsBody,
  bad_reference: of("pullImage", "run", "createContainer", "getImage", "removeImage"),
  unknown_handler: of("runPod", "run", "createContainer"),
  command_not_found: of("createContainer", "run", "startContainer", "execSync", "execContainer"),
  // Only for requests that match no operation.
  route_not_found: never,
  image_not_found: of("createContainer", "pullImage", "run"),
  not_found: (route) => route.id !== "pullImage",
  already_running: of("startContainer"),
  already_exited: of("startContainer"),
  not_running: ofContainer,
  state_changing: of(
    "runPod",
    "run",
    "stopPod",
    "removePod",
    "createContainer",
    "startContainer",
    "stopContainer",
    "removeContainer",
    "updateContainerResources",
  ),
  not_listening: of("forwardPorts"),
  pod_not_ready: of(
    "createContainer",
    "run",
    "startContainer",
    "forwardPorts",
    "getPodStats",
    "watchOnePodStats",
    "updatePodResources",
  ),
  name_reserved: reservesName,
  port_in_use: of("runPod", "run", "restorePod"),
  image_in_use: of("removeImage"),
  image_pinned: of("removeImage"),
  ambiguous_id: (route) => hasId(route) || filtersPods(route),
  log_not_readable: isLogs,
  cursor_gone: isLogs,
  pull_cancelled: isPull,
  pull_interrupted: isPull,
  registry_unauthorized: isPull,
  platform_missing: isPull,
  signature_rejected: of("pullImage", "run", "createContainer", "runPod"),
  output_too_large: of("execSync"),
  idempotency_key_reused: isIdempotent,
  registry_rate_limited: isPull,
  registry_unreachable: isPull,
  registry_failed: isPull,
  registry_plain_http: isPull,
  digest_mismatch: isPull,
  network_teardown_failed: of("stopPod", "removePod"),
  too_many_sessions: (route) => isSession(route) || route.kind === "stream" || isPull(route),
  outcome_unknown: (route) =>
    (route.kind === "unary" && rpcRules[route.rpc].lookWith !== undefined) || route.id === "run",
  // Operations whose answer can be large.
  overloaded: (route) =>
    isPull(route) ||
    route.kind === "list" ||
    isLogs(route) ||
    (route.kind === "unary" && (route.http.startsWith("GET ") || route.renderer !== undefined)),
  exec_timeout: of("execSync"),
  tokens_file_unavailable: changesTokens,
};

const writesToDisk = of(
  "pullImage",
  "run",
  "runPod",
  "createContainer",
  "startContainer",
  "checkpointContainer",
);
const filtersPods = (route: Route): boolean =>
  "pod" in ((route.kind === "list" ? route.filters : route.gatewayParams) ?? {});

/** Returns the responses for all known failures; `default` covers the rest. */
export function failuresOf(route: Route): Schema {
  const statuses = new Set<Status>(["400", "401", "403", "429", "503"]);
  const add = (...more: readonly Status[]): void => {
    for (const status of more) statuses.add(status);
  };
  const calls = rpcsOf(route).length > 0;
  if (calls) add("501", "502", "504");
  if (route.path !== undefined) add("404", "409");
  if (filtersPods(route)) add("409");
  if (isLogs(route)) add("409", "410");
  if (readsBody(route)) add("413", "415");
  if (hasBody(route) || changesTokens(route)) add("409");
  if (changesTokens(route)) add("503");
  if (isSession(route)) add("426");
  else if (route.kind === "list" || route.success !== 204) add("406");
  if (of("pullImage", "run", "createContainer")(route)) add("404");
  if (of("pullImage", "run", "createContainer", "runPod", "execSync")(route) || isIdempotent(route))
    add("422");
  if (writesToDisk(route)) add("507");
  return {
    ...Object.fromEntries([...statuses].sort().map((status) => [status, problem(status, route)])),
    default: { $ref: "#/components/responses/Problem" },
  };
}

function problem(status: Status, route: Route): Schema {
  const codes = codesOf(Number(status), route).map((code) => `\`${code}\``);
  const example = status === "403" ? refusalExample(route) : undefined;
  return {
    description: `${meanings[status]} Its \`code\`: ${codes.join(", ")}.`,
    headers: problemHeaders(status, route),
    content: {
      "application/problem+json": {
        schema: { $ref: "#/components/schemas/Problem" },
        ...(status === "429" ? { examples: limitExample } : {}),
        ...(example === undefined ? {} : { example }),
      },
    },
  };
}

const limitExample = { limit: { $ref: "#/components/examples/LimitReached" } };

/** Examples of problems, by name. */
export const problemExamples: Schema = {
  LimitReached: {
    summary: "A limit of the caller.",
    value: problemOf(
      limitRefusal('Caller "ci" sends more than 1000 requests a second', {
        limit: "requestsPerSecond",
        max: 1000,
        setting: "--caller-requests",
      }),
      { instance: "/v1/pods", requestId: "0b7d6a52-6c0c-4f0e-9a53-1a5b2f5f7c11" },
    ),
  },
};

function codesOf(status: number, route: Route): readonly string[] {
  return Object.entries(errorTable).flatMap(([code, row]) =>
    row.status === status && (only[code as ErrorCode]?.(route) ?? true) ? [code] : [],
  );
}

const retryAfter = {
  "Retry-After": {
    description: "Seconds to wait before retrying.",
    schema: { type: "string", pattern: "^[0-9]+$" },
  },
} as const satisfies Schema;

/** Headers of problems, besides those of all answers, by status. */
const headers = {
  "401": {
    "WWW-Authenticate": {
      description: "Authentication scheme, and whether the token was wrong.",
      required: true,
      schema: { type: "string", enum: ["Bearer", 'Bearer error="invalid_token"'] },
    },
  },
  "426": {
    Upgrade: { description: "Protocol to upgrade to.", schema: { type: "string", const: "websocket" } },
    "Sec-WebSocket-Version": {
      description: "The supported version, if the client requested another one.",
      schema: { type: "string", const: "13" },
    },
  },
  "429": retryAfter,
  "503": retryAfter,
} as const satisfies { readonly [S in Status]?: Schema };

/** References to `headerComponents`, because every operation repeats them. */
function problemHeaders(status: string, route: Route): Schema {
  const own = Object.keys(headers[status as keyof typeof headers] ?? {});
  const names = ["X-Request-Id", ...own];
  // These refusals come after the body was read.
  if (hasBody(route) && !beforeBody.has(status)) names.push("Warning");
  if (status === "409" && reservesName(route)) names.push("Location");
  return Object.fromEntries(names.map((name) => [name, { $ref: `#/components/headers/${name}` }]));
}

/** Statuses of problems that precede reading the body's fields. */
const beforeBody: ReadonlySet<string> = new Set(["401", "406", "413", "415"]);

/** Header components of problems, by name. */
export const headerComponents: Schema = {
  "X-Request-Id": {
    description: "Id of this request.",
    required: true,
    schema: { type: "string", pattern: "^[A-Za-z0-9._-]{1,64}$" },
  },
  Warning: {
    description:
      'An unknown field in the body that was dropped, as in the Kubernetes API: `299 - "unknown field \\"/kind\\""`. Or a field that this runtime ignores: `299 - "field \\"/stopSignal\\": containerd 1.6.20 ignores it: ..."`. One header per field.',
    schema: { type: "string" },
  },
  Location: {
    description: "Path of the pod or container that has the name, for `name_reserved`.",
    schema: { type: "string" },
  },
  ...headers["401"],
  ...headers["426"],
  ...headers["503"],
};

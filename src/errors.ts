/**
 * The error table: every problem that Crest can return, and the class that carries it.
 *
 * Imports nothing, so that every layer can throw the same error. `server/problems.ts` renders it for HTTP (RFC 9457).
 */

/** What a problem code means in HTTP. */
interface ErrorRow {
  /** HTTP status. */
  readonly status: number;
  /** Fixed per code, as RFC 9457 requires. */
  readonly title: string;
  /** Whether the same request, unchanged, may succeed later. */
  readonly retryable?: true;
}

/** Code -> status and title. Codes are part of the API: new ones may be added, but none may be renamed. */
export const errorTable = {
  // Mistakes of the caller.
  invalid_request: { status: 400, title: "Invalid request" },
  invalid_json: { status: 400, title: "Malformed JSON" },
  invalid_yaml: { status: 400, title: "Malformed YAML" },
  bad_reference: { status: 400, title: "Bad image reference" },
  unknown_handler: { status: 400, title: "Unknown runtime handler" },
  command_not_found: { status: 400, title: "Command not found" },
  unauthenticated: { status: 401, title: "Unauthenticated" },
  not_capable: { status: 403, title: "NotCapable" },
  host_not_allowed: { status: 403, title: "Host not allowed" },
  origin_not_allowed: { status: 403, title: "Origin not allowed" },
  route_not_found: { status: 404, title: "No such route" },
  not_found: { status: 404, title: "Not found" },
  method_not_allowed: { status: 405, title: "Method not allowed" },
  not_acceptable: { status: 406, title: "Not acceptable" },
  request_timeout: { status: 408, title: "Request timeout" },
  image_not_found: { status: 404, title: "Image not found" },
  conflict: { status: 409, title: "Conflict" },
  already_running: { status: 409, title: "Already running" },
  already_exited: { status: 409, title: "Already exited" },
  not_running: { status: 409, title: "Not running" },
  not_listening: { status: 409, title: "Nothing listens on the port" },
  state_changing: { status: 409, title: "State is changing", retryable: true },
  pod_not_ready: { status: 409, title: "Pod not ready" },
  name_reserved: { status: 409, title: "Name in use" },
  port_in_use: { status: 409, title: "Host port in use" },
  image_in_use: { status: 409, title: "Image in use" },
  image_pinned: { status: 409, title: "Image pinned" },
  pull_cancelled: { status: 409, title: "The pull was cancelled", retryable: true },
  ambiguous_id: { status: 409, title: "Ambiguous id or name" },
  log_not_readable: { status: 409, title: "Log not readable" },
  cursor_gone: { status: 410, title: "What the cursor names is gone" },
  body_too_large: { status: 413, title: "Body too large" },
  unsupported_media_type: { status: 415, title: "Unsupported media type" },
  registry_unauthorized: { status: 422, title: "The registry refused the credentials" },
  platform_missing: { status: 422, title: "The image is not for this node's platform" },
  signature_rejected: { status: 422, title: "The node's policy rejects the image's signature" },
  output_too_large: { status: 422, title: "The command's output is too large" },
  idempotency_key_reused: { status: 422, title: "The idempotency key belongs to another request" },
  upgrade_required: { status: 426, title: "Upgrade required" },
  headers_too_large: { status: 431, title: "Headers too large" },
  too_many_sessions: { status: 429, title: "Too many sessions", retryable: true },
  too_many_requests: { status: 429, title: "Too many requests", retryable: true },
  // Failures of the runtime.
  registry_rate_limited: { status: 429, title: "The registry's rate limit is reached", retryable: true },
  runtime_exhausted: { status: 429, title: "The runtime is out of a resource", retryable: true },
  not_implemented: { status: 501, title: "Not implemented by this runtime" },
  reply_too_large: { status: 502, title: "The runtime's reply is too large" },
  registry_unreachable: { status: 502, title: "The registry cannot be reached", retryable: true },
  registry_failed: { status: 502, title: "The registry failed", retryable: true },
  registry_plain_http: { status: 502, title: "The registry speaks HTTP, not HTTPS" },
  digest_mismatch: {
    status: 502,
    title: "The registry sent other content than its digest says",
    retryable: true,
  },
  pull_interrupted: { status: 502, title: "The runtime interrupted the pull", retryable: true },
  runtime_error: { status: 502, title: "The runtime failed" },
  network_teardown_failed: { status: 502, title: "The pod's network cannot be removed" },
  runtime_unavailable: { status: 503, title: "The runtime is unavailable", retryable: true },
  issuer_unavailable: {
    status: 503,
    title: "The keys of the token's issuer are not available",
    retryable: true,
  },
  tokens_file_unavailable: { status: 503, title: "The tokens file cannot be changed" },
  overloaded: { status: 503, title: "Overloaded", retryable: true },
  audit_failed: { status: 503, title: "The audit log cannot be written", retryable: true },
  shutting_down: { status: 503, title: "Shutting down", retryable: true },
  deadline_exceeded: { status: 504, title: "The runtime did not answer in time", retryable: true },
  outcome_unknown: { status: 504, title: "Outcome unknown" },
  exec_timeout: { status: 504, title: "The command took longer than its timeout" },
  node_disk_full: { status: 507, title: "No space left on the node", retryable: true },
  // A bug in Crest.
  internal: { status: 500, title: "Internal error" },
} as const satisfies { readonly [code: string]: ErrorRow };

export type ErrorCode = keyof typeof errorTable;

/** The location of a mistake in the request: a JSON pointer into the body, or a parameter name. */
export interface FieldError {
  readonly pointer?: string;
  readonly parameter?: string;
  readonly detail: string;
  /** The flag that would permit it, in a refusal of the pod policy: `--allow-host=port:8080`. */
  readonly grant?: string;
}

export interface GatewayErrorOptions {
  readonly cause?: unknown;
  /** Locations in the request that the error is about. */
  readonly errors?: readonly FieldError[];
  /** Name of the gRPC status, if the runtime returned one. */
  readonly grpcCode?: string | undefined;
  /** Additional members of this problem (`grant`, `resource`, `candidates`, `podSandboxId`). */
  readonly members?: { readonly [name: string]: unknown };
  /** The runtime's message without the names from the request: see `cri/own-words.ts`. */
  readonly words?: string;
  /** Response headers that belong to the error (`Allow`, `Retry-After`). */
  readonly headers?: { readonly [name: string]: string };
}

/** The only error that layers throw at each other. It becomes a problem at the edge. */
export class GatewayError extends Error {
  override readonly name = "GatewayError";
  readonly code: ErrorCode;
  readonly errors: readonly FieldError[];
  readonly grpcCode: string | undefined;
  readonly members: { readonly [name: string]: unknown };
  readonly headers: { readonly [name: string]: string };
  /**
   * The text used to classify a runtime error. Default: that of `cause` if it is a GatewayError, otherwise the message.
   */
  readonly words: string;

  constructor(code: ErrorCode, message: string, options: GatewayErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.errors = options.errors ?? [];
    this.grpcCode = options.grpcCode;
    this.members = options.members ?? {};
    this.headers = options.headers ?? {};
    const { cause } = options;
    this.words = options.words ?? (cause instanceof GatewayError ? cause.words : message);
  }

  /** HTTP status of this problem. */
  get status(): number {
    return errorTable[this.code].status;
  }
}

/**
 * A mistake of the operator (flags, environment, files, privileges, missing packages). The message is one clear
 * sentence for a terminal, printed without a stack trace. Thrown before anything is served.
 */
export class StartError extends Error {
  override readonly name = "StartError";
}

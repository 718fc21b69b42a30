/**
 * OpenTelemetry spans: one for each request, and below it one for each call that the request makes to the runtime.
 *
 * Only gateways with traces import this file. Names and attributes follow the semantic conventions for HTTP servers and
 * for gRPC clients (https://opentelemetry.io/docs/specs/semconv/).
 */
import { AsyncLocalStorage } from "node:async_hooks";
import {
  type Attributes,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  type Tracer,
  type TracerProvider,
  trace,
} from "@opentelemetry/api";
import { CallCancelled, type CallOptions, type Runtime } from "../cri/channel.ts";
import { GatewayError } from "../errors.ts";
import { methods } from "../gen/methods.ts";
import type { Interceptor } from "../runtimes/compose.ts";
import type { RequestSpan } from "../server/request-record.ts";
import { version } from "../version.ts";
import { readTraceParent, type TraceHeaders, writeTraceParent } from "./trace-parent.ts";

/** What is known of a request when it comes. */
export interface TracedRequest {
  readonly requestId: string;
  readonly method: string;
  /** The path of the API document: `/v1/pods/{podSandboxId}`. Undefined where no route matches. */
  readonly route: string | undefined;
  /** Without the query, which may contain secrets. */
  readonly path: string;
  readonly scheme: "http" | "https";
  readonly headers: TraceHeaders;
}

export interface Tracing {
  begin(request: TracedRequest): RequestSpan;
  /** Makes a span for each call within a request, and sends the trace along. Goes directly above the channel. */
  readonly interceptor: Interceptor;
}

export function createTracing(provider: TracerProvider): Tracing {
  const tracer = provider.getTracer("crest", version);
  const current = new AsyncLocalStorage<Span>();
  return {
    begin: (request) => beginRequest(tracer, current, request),
    interceptor: (below) => withSpans(below, tracer, current),
  };
}

function beginRequest(
  tracer: Tracer,
  current: AsyncLocalStorage<Span>,
  { requestId, method, route, path, scheme, headers }: TracedRequest,
): RequestSpan {
  const parent = readTraceParent(headers);
  const span = tracer.startSpan(
    route === undefined ? method : `${method} ${route}`,
    {
      kind: SpanKind.SERVER,
      attributes: {
        "http.request.method": method,
        "url.path": path,
        "url.scheme": scheme,
        ...(route === undefined ? {} : { "http.route": route }),
        "crest.request_id": requestId,
      },
    },
    parent === undefined ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, parent),
  );
  return {
    traceId: span.spanContext().traceId,
    run: (work) => current.run(span, work),
    end({ status, code, target }) {
      if (status !== undefined) span.setAttribute("http.response.status_code", status);
      if (target !== undefined) span.setAttribute("crest.target", target);
      if (code !== undefined) span.setAttribute("crest.problem_code", code);
      // For a server, 4xx is the client's error and not the span's.
      if (status === undefined || status >= 500) {
        span.setAttribute("error.type", code ?? (status === undefined ? "client_left" : String(status)));
        span.setStatus({ code: SpanStatusCode.ERROR });
      }
      span.end();
    },
  };
}

function withSpans(below: Runtime, tracer: Tracer, current: AsyncLocalStorage<Span>): Runtime {
  /** Undefined outside of requests: what the gateway asks on its own account is nobody's trace. */
  function beginCall(path: string): Span | undefined {
    const parent = current.getStore();
    if (parent === undefined) return undefined;
    const [, service = "", method = ""] = path.split("/");
    const isImages = service.endsWith("ImageService");
    const attributes: Attributes = {
      "rpc.system": "grpc",
      "rpc.service": service,
      "rpc.method": method,
      "network.transport": "unix",
      "server.address": isImages ? below.imageEndpoint : below.endpoint,
    };
    return tracer.startSpan(
      `${service}/${method}`,
      { kind: SpanKind.CLIENT, attributes },
      trace.setSpan(ROOT_CONTEXT, parent),
    );
  }

  async function* streamed(
    path: string,
    open: (headers: { readonly [name: string]: string }) => AsyncIterable<Buffer>,
  ): AsyncIterable<Buffer> {
    const span = beginCall(path);
    let failure: unknown;
    try {
      yield* open(span === undefined ? {} : writeTraceParent(span.spanContext()));
    } catch (error) {
      failure = error;
      throw error;
    } finally {
      if (span !== undefined) endCall(span, failure);
    }
  }

  async function answered<Options extends Pick<CallOptions, "metadata">>(
    path: string,
    options: Options,
    call: (options: Options) => Promise<Buffer>,
  ): Promise<Buffer> {
    const span = beginCall(path);
    if (span === undefined) return call(options);
    const metadata = { ...options.metadata, ...writeTraceParent(span.spanContext()) };
    let failure: unknown;
    try {
      return await call({ ...options, metadata });
    } catch (error) {
      failure = error;
      throw error;
    } finally {
      endCall(span, failure);
    }
  }

  return {
    ...below,
    call: (rpc, request, options = {}) =>
      answered(methods[rpc].path, options, (traced) => below.call(rpc, request, traced)),
    callNative: (path, request, options = {}) =>
      answered(path, options, (traced) => below.callNative(path, request, traced)),
    stream: (rpc, request, options = {}) =>
      streamed(methods[rpc].path, (headers) =>
        below.stream(rpc, request, { ...options, metadata: { ...options.metadata, ...headers } }),
      ),
    streamNative: (path, request, options = {}) =>
      streamed(path, (headers) =>
        below.streamNative(path, request, { ...options, metadata: { ...options.metadata, ...headers } }),
      ),
  };
}

/** By their number, as gRPC has them. */
const grpcCodes: readonly string[] = [
  ...["OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS"],
  ...["PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE"],
  ...["UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED"],
];

/** Error texts stay out of spans: those of a runtime may repeat secrets. */
function endCall(span: Span, failure: unknown): void {
  const name = nameOf(failure);
  const number = grpcCodes.indexOf(name);
  if (number !== -1) span.setAttribute("rpc.grpc.status_code", number);
  if (failure !== undefined) {
    span.setAttribute("error.type", name);
    span.setStatus({ code: SpanStatusCode.ERROR });
  }
  span.end();
}

function nameOf(failure: unknown): string {
  if (failure === undefined) return "OK";
  if (failure instanceof CallCancelled) return "CANCELLED";
  if (failure instanceof GatewayError) return failure.grpcCode ?? failure.code;
  const code = (failure as { readonly code?: unknown } | null)?.code;
  return typeof code === "number" ? (grpcCodes[code] ?? "UNKNOWN") : "UNKNOWN";
}

/** The headers of W3C Trace Context (https://www.w3.org/TR/trace-context/), in and out. */
import { createTraceState, type SpanContext, TraceFlags } from "@opentelemetry/api";

/** Version, trace id, parent id and flags. Later versions may add members, separated by a dash. */
const traceParent = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;
/** The specification asks to pass on at least 512 characters. More are dropped, with the trace kept. */
const maxStateLength = 512;

/** Headers of a request by lower-case name, as Node has them. */
export interface TraceHeaders {
  readonly [name: string]: string | readonly string[] | undefined;
}

/** The span that a client's headers name; undefined if they name none, or are malformed and must be ignored. */
export function readTraceParent({ traceparent, tracestate }: TraceHeaders): SpanContext | undefined {
  if (typeof traceparent !== "string") return undefined;
  const [, version, traceId = "", spanId = "", flags = "", more] = traceParent.exec(traceparent.trim()) ?? [];
  if (version === undefined || version === "ff" || (version === "00" && more !== undefined)) return undefined;
  if (/^0+$/.test(traceId) || /^0+$/.test(spanId)) return undefined;
  const state = typeof tracestate === "string" ? tracestate : tracestate?.join(",");
  return {
    traceId,
    spanId,
    isRemote: true,
    traceFlags: Number.parseInt(flags, 16) & TraceFlags.SAMPLED,
    ...(state === undefined || state.length > maxStateLength ? {} : { traceState: createTraceState(state) }),
  };
}

/** The headers with which a call continues the trace of `span`. */
export function writeTraceParent({ traceId, spanId, traceFlags, traceState }: SpanContext): {
  readonly [name: string]: string;
} {
  const flags = (traceFlags & TraceFlags.SAMPLED).toString(16).padStart(2, "0");
  const state = traceState?.serialize();
  return {
    traceparent: `00-${traceId}-${spanId}-${flags}`,
    ...(state ? { tracestate: state } : {}),
  };
}

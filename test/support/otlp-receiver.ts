/** An OpenTelemetry collector for tests: takes OTLP over HTTP as JSON, and keeps the spans. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

export interface ReceivedSpan {
  readonly name: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string | undefined;
  readonly kind: "server" | "client" | "other";
  readonly isError: boolean;
  readonly attributes: { readonly [name: string]: unknown };
  readonly durationNs: bigint;
}

export interface OtlpReceiver {
  /** Without `/v1/traces`. */
  readonly endpoint: string;
  readonly spans: readonly ReceivedSpan[];
  /** The attributes of the sender. */
  readonly resource: { readonly [name: string]: unknown };
  /** The bodies as they came. */
  readonly bodies: readonly string[];
  /** The headers of the last request. */
  readonly headers: { readonly [name: string]: unknown };
  close(): Promise<void>;
}

interface Attribute {
  readonly key: string;
  readonly value: { readonly stringValue?: string; readonly intValue?: number | string };
}

interface Batch {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: readonly Attribute[] };
    readonly scopeSpans: readonly {
      readonly spans: readonly {
        readonly name: string;
        readonly traceId: string;
        readonly spanId: string;
        readonly parentSpanId?: string;
        readonly kind: number;
        readonly status: { readonly code?: number };
        readonly attributes: readonly Attribute[];
        readonly startTimeUnixNano: string;
        readonly endTimeUnixNano: string;
      }[];
    }[];
  }[];
}

const valuesOf = (attributes: readonly Attribute[]): { readonly [name: string]: unknown } =>
  Object.fromEntries(
    attributes.map(({ key, value }) => [
      key,
      value.stringValue ?? (value.intValue === undefined ? value : Number(value.intValue)),
    ]),
  );

/** Listens on a free port. Answers 404 to anything but `POST /v1/traces`. */
export async function createOtlpReceiver(): Promise<OtlpReceiver> {
  const spans: ReceivedSpan[] = [];
  const bodies: string[] = [];
  let resource = {};
  let headers = {};
  const server = createServer(async (request, response) => {
    let body = "";
    for await (const part of request.setEncoding("utf8")) body += part;
    const isRight = request.method === "POST" && request.url === "/v1/traces";
    response.writeHead(isRight ? 200 : 404, { "content-type": "application/json" }).end("{}");
    if (!isRight) return;
    bodies.push(body);
    headers = request.headers;
    for (const batch of (JSON.parse(body) as Batch).resourceSpans) {
      resource = valuesOf(batch.resource.attributes);
      for (const span of batch.scopeSpans.flatMap((scope) => scope.spans)) {
        spans.push({
          name: span.name,
          traceId: span.traceId,
          spanId: span.spanId,
          parentSpanId: span.parentSpanId,
          kind: span.kind === 2 ? "server" : span.kind === 3 ? "client" : "other",
          isError: span.status.code === 2,
          attributes: valuesOf(span.attributes),
          durationNs: BigInt(span.endTimeUnixNano) - BigInt(span.startTimeUnixNano),
        });
      }
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    endpoint: `http://127.0.0.1:${port}`,
    ...{ spans, bodies },
    get resource() {
      return resource;
    },
    get headers() {
      return headers;
    },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

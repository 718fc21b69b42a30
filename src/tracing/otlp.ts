/** Sends spans to an OpenTelemetry collector, as OTLP over HTTP, with packages that users install themselves. */
import type { TracerProvider } from "@opentelemetry/api";
import { StartError } from "../errors.ts";
import type { LogEntry } from "../server/log-entry.ts";
import { version } from "../version.ts";

export interface OtlpOptions {
  /** The base address of the collector, without `/v1/traces`. */
  readonly endpoint: string;
  readonly log: (entry: LogEntry) => void;
}

export interface Otlp {
  readonly provider: TracerProvider;
  /** Sends what is left, for 2 s at most. */
  close(): Promise<void>;
}

/** How to install what `startOtlp` needs. The versions are those that run on the oldest Node that Crest supports. */
export const otlpPackages =
  "npm install @opentelemetry/sdk-trace-base@2 @opentelemetry/exporter-trace-otlp-http@0.223 @opentelemetry/resources@2";

const closeMs = 2000;
/** Minimum time between two log entries about failed exports. */
const failureLogMs = 60_000;

/**
 * Starts the SDK. Spans wait in a queue of 2,048, and are dropped when it is full. The SDK reads the variables of
 * OpenTelemetry for what is not set here: OTEL_EXPORTER_OTLP_HEADERS, OTEL_TRACES_SAMPLER, OTEL_SERVICE_NAME.
 *
 * @throws {StartError} when the packages are not installed.
 */
export async function startOtlp({ endpoint, log }: OtlpOptions): Promise<Otlp> {
  const { sdk, http, resources } = await load();
  const exporter = new http.OTLPTraceExporter({ url: `${endpoint}/v1/traces` });
  let loggedAt = Number.NEGATIVE_INFINITY;
  const warn = (why: string): void => {
    if (performance.now() - loggedAt < failureLogMs) return;
    loggedAt = performance.now();
    log({ level: "warn", message: `Cannot send traces to ${endpoint}: ${why}` });
  };
  const processor = new sdk.BatchSpanProcessor({
    export(spans, done) {
      exporter.export(spans, (result) => {
        if (result.code !== 0) warn(result.error?.message ?? "the collector refuses them");
        done(result);
      });
    },
    shutdown: () => exporter.shutdown(),
    forceFlush: () => exporter.forceFlush(),
  });
  const provider = new sdk.BasicTracerProvider({
    resource: resources
      .defaultResource()
      .merge(resources.resourceFromAttributes({ "service.name": "crest", "service.version": version }))
      .merge(resources.detectResources({ detectors: [resources.envDetector] })),
    spanProcessors: [processor],
  });
  return {
    provider,
    async close() {
      let late: NodeJS.Timeout | undefined;
      const timeout = new Promise<void>((resolve) => {
        late = setTimeout(() => {
          warn("it does not take the last ones in time");
          resolve();
        }, closeMs);
      });
      await Promise.race([provider.shutdown().catch(() => undefined), timeout]);
      clearTimeout(late);
    },
  };
}

async function load() {
  try {
    const [sdk, http, resources] = await Promise.all([
      import("@opentelemetry/sdk-trace-base"),
      import("@opentelemetry/exporter-trace-otlp-http"),
      import("@opentelemetry/resources"),
    ]);
    return { sdk, http, resources };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ERR_MODULE_NOT_FOUND") throw error;
    throw new StartError(
      `--otlp-endpoint: needs packages that are not installed: run ${otlpPackages} where Crest is installed`,
      { cause: error },
    );
  }
}

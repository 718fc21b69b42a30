/** The gateway's own metrics: requests, sessions, events, pulls, logs, calls of the runtime, its process. */
import { readdir } from "node:fs/promises";
import { type IntervalHistogram, monitorEventLoopDelay } from "node:perf_hooks";
import type { AuditCounts } from "../audit/audit.ts";
import { CallCancelled, type Runtime } from "../cri/channel.ts";
import { GatewayError } from "../errors.ts";
import { version } from "../version.ts";
import { auditText } from "./audit-metrics.ts";
import { createEventMetrics, type EventMetrics } from "./event-metrics.ts";
import { createLogMetrics, type LogMetrics } from "./log-metrics.ts";
import { createPullMetrics, type PullMetrics } from "./pull-metrics.ts";
import { createCounter, createHistogram, gauge, total } from "./recorder.ts";

export interface GatewayMetrics {
  /**
   * Records a response.
   *
   * @param route The id of its route, or a fixed word if there is none. Never the path, which callers choose.
   * @param seconds Absent for sessions and streams, which last as long as the client wants.
   */
  answered(route: string, method: string, status: number, seconds?: number): void;
  /** Records that a limit has refused a request, or closed a connection. */
  limitReached(limit: string): void;
  /** Records that a session or a stream has begun. */
  sessionBegan(): void;
  readonly events: EventMetrics;
  readonly pulls: PullMetrics;
  readonly logs: LogMetrics;
  /** Records the calls and streams of `runtime`. */
  measured(runtime: Runtime): Runtime;
  /** In Prometheus' text format. */
  text(now: Current): Promise<string>;
  close(): void;
}

/** Current values that other parts of the gateway count. */
export interface Current {
  readonly sessions: number;
  readonly watchers: number;
  readonly eventReaders: number;
  readonly pulls: number;
  /** Undefined without an audit log. */
  readonly audit?: AuditCounts | undefined;
}

export function createGatewayMetrics(): GatewayMetrics {
  const requests = createCounter(
    { name: "crest_http_requests_total", help: "Responses, by route, method and status." },
    ["route", "method", "status"],
  );
  const durations = createHistogram(
    {
      name: "crest_http_request_duration_seconds",
      help: "Time from a request until the last byte of its response, without streams and sessions.",
    },
    ["route"],
  );
  const calls = createCounter(
    {
      name: "crest_runtime_calls_total",
      help: "Calls of the runtime that ended, by RPC and code: ok, or that of the error.",
    },
    ["rpc", "code"],
  );
  const callDurations = createHistogram(
    {
      name: "crest_runtime_call_duration_seconds",
      help: "Time that calls of the runtime took, without streams.",
    },
    ["rpc"],
  );
  const refusals = createCounter(
    {
      name: "crest_limit_refusals_total",
      help: "Requests that a limit of a caller or of an address refused, and connections that one closed.",
    },
    ["limit"],
  );
  const events = createEventMetrics();
  const pulls = createPullMetrics();
  const logs = createLogMetrics();
  let sessions = 0;
  let delay: IntervalHistogram | undefined;

  function measured(runtime: Runtime): Runtime {
    return {
      ...runtime,
      call: (rpc, request, options) => timed(rpc, runtime.call(rpc, request, options)),
      stream: (rpc, request, options) => counted(rpc, runtime.stream(rpc, request, options)),
      callNative: (path, request, options) =>
        timed(methodIn(path), runtime.callNative(path, request, options)),
      streamNative: (path, request, options) =>
        counted(methodIn(path), runtime.streamNative(path, request, options)),
    };
  }

  async function timed(rpc: string, reply: Promise<Buffer>): Promise<Buffer> {
    const began = performance.now();
    let code = "ok";
    try {
      return await reply;
    } catch (error) {
      code = codeOf(error);
      throw error;
    } finally {
      calls.add(rpc, code);
      callDurations.observe((performance.now() - began) / 1000, rpc);
    }
  }

  async function* counted(rpc: string, messages: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    let code = "ok";
    try {
      yield* messages;
    } catch (error) {
      code = codeOf(error);
      throw error;
    } finally {
      calls.add(rpc, code);
    }
  }

  return {
    events,
    pulls,
    logs,
    measured,
    answered(route, method, status, seconds) {
      requests.add(route, method, String(status));
      if (seconds !== undefined) durations.observe(seconds, route);
    },
    limitReached: (limit) => refusals.add(limit),
    sessionBegan: () => void sessions++,
    async text(now) {
      const lag = eventLoopDelay();
      return [
        gauge("crest_build_info", "1, with the version of the gateway.", 1, { version }),
        requests.text(),
        durations.text(),
        gauge("crest_sessions", "Sessions and streams that are open.", now.sessions),
        total("crest_sessions_total", "Sessions and streams that have begun.", sessions),
        gauge("crest_stats_watchers", "Clients that watch what pods and containers use.", now.watchers),
        refusals.text(),
        events.text(now.eventReaders),
        pulls.text(now.pulls),
        logs.text(),
        now.audit === undefined ? "" : auditText(now.audit),
        calls.text(),
        callDurations.text(),
        lag,
        await processText(),
      ].join("");
    },
    close: () => void delay?.disable(),
  };

  /** Measured from the first scrape on: the timer behind it wakes the process a hundred times a second. */
  function eventLoopDelay(): string {
    if (delay === undefined) {
      delay = monitorEventLoopDelay({ resolution: 10 });
      delay.enable();
      return "";
    }
    const seconds = (nanoseconds: number): number => (Number.isFinite(nanoseconds) ? nanoseconds / 1e9 : 0);
    const text = [
      gauge(
        "nodejs_eventloop_lag_mean_seconds",
        "Mean delay of timers since the last scrape.",
        seconds(delay.mean),
      ),
      gauge(
        "nodejs_eventloop_lag_p50_seconds",
        "Median delay of timers since the last scrape.",
        seconds(delay.percentile(50)),
      ),
      gauge(
        "nodejs_eventloop_lag_p99_seconds",
        "99th percentile of the delay of timers since the last scrape.",
        seconds(delay.percentile(99)),
      ),
      gauge(
        "nodejs_eventloop_lag_max_seconds",
        "Longest delay of timers since the last scrape.",
        seconds(delay.max),
      ),
    ].join("");
    delay.reset();
    return text;
  }
}

/** `/containerd.services.content.v1.Content/Info` -> `Content/Info` */
const methodIn = (path: string): string => path.slice(path.lastIndexOf(".") + 1);

function codeOf(error: unknown): string {
  if (error instanceof CallCancelled) return "cancelled";
  return error instanceof GatewayError ? error.code : "internal";
}

/** By the names of Prometheus' client libraries. */
async function processText(): Promise<string> {
  const { user, system } = process.cpuUsage();
  const { rss, heapUsed } = process.memoryUsage();
  const descriptors = await readdir("/proc/self/fd").catch(() => undefined);
  const started = Math.round(Date.now() / 1000 - process.uptime());
  return [
    total("process_cpu_seconds_total", "CPU time of the gateway's process.", (user + system) / 1e6),
    gauge("process_resident_memory_bytes", "Memory of the gateway's process.", rss),
    gauge("nodejs_heap_size_used_bytes", "Memory in use by JavaScript.", heapUsed),
    gauge("process_start_time_seconds", "Start time of the process, in seconds since the epoch.", started),
    gauge("process_open_fds", "Open files and connections of the process.", descriptors?.length),
  ].join("");
}

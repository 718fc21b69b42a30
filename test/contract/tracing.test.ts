/** OpenTelemetry traces: spans as a collector receives them, and the trace in and out. */
import assert from "node:assert/strict";
import { after, before, type TestContext, test } from "node:test";
import { WebSocket } from "ws";
import { eventually } from "../support/eventually.ts";
import { freePort } from "../support/free-port.ts";
import { createOtlpReceiver, type OtlpReceiver, type ReceivedSpan } from "../support/otlp-receiver.ts";
import { spawnCrest } from "../support/spawn-crest.ts";
import { tempDir } from "../support/temp-dir.ts";
import { liveGateway } from "./live-gateway.ts";
import { type SpawnedGateway, spawnGateway } from "./spawned-gateway.ts";

/** Spans leave soon. */
const env = { OTEL_BSP_SCHEDULE_DELAY: "20" };
let receiver: OtlpReceiver;
let gateway: SpawnedGateway;
const closing: (() => unknown)[] = [];
before(async () => {
  receiver = await createOtlpReceiver();
  const flags = [`--otlp-endpoint=${receiver.endpoint}/`];
  gateway = await spawnGateway({ after: (close: () => unknown) => void closing.push(close) } as TestContext, {
    flags,
    env: { ...env, OTEL_EXPORTER_OTLP_HEADERS: "x-key=abc", OTEL_RESOURCE_ATTRIBUTES: "host.name=node-7" },
  });
});
after(async () => {
  for (const close of closing) await close();
  await receiver.close();
});

const traceId = "0af7651916cd43dd8448eb211c80319c";
const spanId = "b7ad6b7169203331";

async function ask(
  path: string,
  { method = "GET", json, headers = {} }: { method?: string; json?: object; headers?: object } = {},
): Promise<{ readonly status: number; readonly requestId: string; readonly text: string }> {
  const response = await fetch(`http://127.0.0.1:${gateway.port}${path}`, {
    method,
    ...(json === undefined ? {} : { body: JSON.stringify(json) }),
    headers: {
      authorization: `Bearer ${gateway.token}`,
      ...(json === undefined ? {} : { "content-type": "application/json" }),
      ...headers,
    },
  });
  const requestId = response.headers.get("x-request-id") ?? "";
  return { status: response.status, requestId, text: await response.text() };
}

/** The span of a request, and the spans below it. */
async function traceOf(requestId: string): Promise<{
  readonly server: ReceivedSpan;
  readonly calls: readonly ReceivedSpan[];
}> {
  const server = await eventually(() =>
    receiver.spans.find(({ attributes }) => attributes["crest.request_id"] === requestId),
  );
  const calls = receiver.spans.filter(({ parentSpanId }) => parentSpanId === server.spanId);
  return { server, calls };
}

test("a request continues its client's trace, and the runtime is told of it", async () => {
  gateway.fake.calls.length = 0;
  const { status, requestId } = await ask(`${gateway.container}?verbose=false`, {
    headers: { traceparent: `00-${traceId}-${spanId}-01`, tracestate: "rojo=00f067", "x-request-id": "mine" },
  });
  assert.deepEqual([status, requestId], [200, "mine"]);
  const { server, calls } = await traceOf("mine");
  assert.deepEqual(
    [server.name, server.kind, server.traceId, server.parentSpanId, server.isError],
    ["GET /v1/containers/{containerId}", "server", traceId, spanId, false],
  );
  assert.deepEqual(server.attributes, {
    "http.request.method": "GET",
    "http.route": "/v1/containers/{containerId}",
    "http.response.status_code": 200,
    "url.path": gateway.container,
    "url.scheme": "http",
    "crest.request_id": "mine",
    "crest.target": gateway.container.replace("/v1/", ""),
  });
  const asked = gateway.fake.calls.filter(({ metadata }) => metadata.traceparent !== undefined);
  assert.ok(calls.length > 0);
  assert.deepEqual(
    calls.map((span) => [`00-${traceId}-${span.spanId}-01`]).toSorted(),
    asked.map(({ metadata }) => metadata.traceparent).toSorted(),
  );
  for (const { metadata } of asked) assert.deepEqual(metadata.tracestate, ["rojo=00f067"]);
  const status_ = calls.find(({ name }) => name === "runtime.v1.RuntimeService/ContainerStatus");
  assert.deepEqual([status_?.kind, status_?.traceId, status_?.isError], ["client", traceId, false]);
  assert.deepEqual(status_?.attributes, {
    "rpc.system": "grpc",
    "rpc.service": "runtime.v1.RuntimeService",
    "rpc.method": "ContainerStatus",
    "rpc.grpc.status_code": 0,
    "network.transport": "unix",
    "server.address": gateway.fake.socket,
  });
  assert.ok(server.durationNs >= (status_?.durationNs ?? 0n));
});

test("a request without a trace begins one, also behind a body, and the log has it", async () => {
  const { requestId } = await ask("/v1/pods", { method: "POST", json: { metadata: { name: "traced" } } });
  const { server, calls } = await traceOf(requestId);
  assert.equal(server.parentSpanId, undefined);
  assert.match(String(server.attributes["crest.target"]), /^pods\/\w+$/);
  assert.ok(calls.some(({ name }) => name.endsWith("/RunPodSandbox")));
  const line = await eventually(() =>
    gateway.process
      .stderr()
      .split("\n")
      .find((one) => one.includes(requestId)),
  );
  assert.equal(JSON.parse(line).traceId, server.traceId);
});

test("the sender is named, with what the environment adds", () => {
  const { resource, headers } = receiver;
  assert.equal(resource["service.name"], "crest");
  assert.match(String(resource["service.version"]), /^\d+\.\d+\.\d+/);
  assert.equal(resource["host.name"], "node-7");
  assert.equal(headers["x-key"], "abc");
});

test("a refusal is no error of the span, and a failure is", async () => {
  const absent = await ask(`/v1/containers/${"f".repeat(64)}`);
  const refused = (await traceOf(absent.requestId)).server;
  assert.deepEqual(
    [
      refused.isError,
      refused.attributes["http.response.status_code"],
      refused.attributes["crest.problem_code"],
    ],
    [false, 404, "not_found"],
  );
  const unknown = await ask("/v1/nope?secret=query-secret", {
    headers: { authorization: "Bearer wrong-secret" },
  });
  const nowhere = (await traceOf(unknown.requestId)).server;
  assert.deepEqual([nowhere.name, nowhere.attributes["url.path"]], ["GET", "/v1/nope"]);
  const stop = gateway.fake.on("RuntimeService/Version", () => {
    throw new Error("body-secret");
  });
  const failed = await ask("/v1/version");
  stop();
  const { server, calls } = await traceOf(failed.requestId);
  assert.deepEqual([server.isError, server.attributes["error.type"]], [true, "runtime_error"]);
  const call = calls.find(({ name }) => name.endsWith("/Version"));
  assert.deepEqual([call?.isError, call?.attributes["rpc.grpc.status_code"]], [true, 13]);
  for (const body of receiver.bodies) assert.doesNotMatch(body, /secret|Bearer/);
});

test("the span of a stream and of a session ends when they end", async () => {
  const { id } = gateway.fake.addContainer({ state: "running" });
  const followed = ask(`/v1/containers/${id}/wait`, {
    headers: { accept: "application/x-ndjson", "x-request-id": "followed" },
  });
  const socket = new WebSocket(
    `ws://127.0.0.1:${gateway.port}${gateway.container}/exec?command=cat&stdin=true`,
    {
      headers: { authorization: `Bearer ${gateway.token}`, "x-request-id": "shell" },
    },
  );
  await new Promise((resolve, reject) => socket.once("open", resolve).once("error", reject));
  // What is sent later arrives later: neither has ended.
  await traceOf((await ask("/v1/version")).requestId);
  const isOver = (requestId: string): boolean =>
    receiver.spans.some(({ attributes }) => attributes["crest.request_id"] === requestId);
  assert.deepEqual([isOver("followed"), isOver("shell")], [false, false]);
  socket.close();
  await ask(`/v1/containers/${id}/stop?timeout=0`, { method: "POST" });
  await followed;
  const stream = (await traceOf("followed")).server;
  assert.equal(stream.attributes["http.response.status_code"], 200);
  const session = await traceOf("shell");
  assert.equal(session.server.attributes["http.response.status_code"], 101);
  assert.ok(session.calls.some(({ name }) => name.endsWith("/Exec")));
});

test("health probes and what the gateway asks on its own account are not traced", async () => {
  await ask("/livez");
  await ask("/readyz");
  await traceOf((await ask("/v1/version")).requestId);
  const roots = receiver.spans.filter(({ parentSpanId }) => parentSpanId === undefined);
  assert.ok(roots.every(({ kind }) => kind === "server"));
  assert.ok(receiver.spans.every(({ attributes }) => !/z$/.test(String(attributes["url.path"] ?? ""))));
});

test("a trace that is not sampled is passed on and not sent", async () => {
  gateway.fake.calls.length = 0;
  const other = "1".repeat(32);
  await ask("/v1/version", { headers: { traceparent: `00-${other}-${spanId}-00` } });
  const [sent = ""] = gateway.fake.callsOf("RuntimeService/Version")[0]?.metadata.traceparent ?? [];
  assert.match(String(sent), new RegExp(`^00-${other}-[0-9a-f]{16}-00$`));
  await traceOf((await ask("/v1/version")).requestId);
  assert.ok(receiver.spans.every((span) => span.traceId !== other));
});

test("a collector that is away holds nothing up, and is warned of once", async (t) => {
  const port = await freePort();
  const alone = await spawnGateway(t, { flags: [`--otlp-endpoint=http://127.0.0.1:${port}`], env });
  const headers = { authorization: `Bearer ${alone.token}` };
  for (let sent = 0; sent < 20; sent++) {
    const { status } = await fetch(`http://127.0.0.1:${alone.port}/v1/version`, { headers });
    assert.equal(status, 200);
  }
  const { code } = await alone.process.stop();
  assert.equal(code, 0);
  const warnings = alone.process
    .stderr()
    .split("\n")
    .filter((line) => line.includes("Cannot send traces"));
  assert.equal(warnings.length, 1, alone.process.stderr());
});

test("OTEL_EXPORTER_OTLP_ENDPOINT switches traces on, and OTEL_SDK_DISABLED off", async (t) => {
  const own = await createOtlpReceiver();
  t.after(own.close);
  const on = await spawnGateway(t, { env: { ...env, OTEL_EXPORTER_OTLP_ENDPOINT: own.endpoint } });
  const version = (at: SpawnedGateway) =>
    fetch(`http://127.0.0.1:${at.port}/v1/version`, { headers: { authorization: `Bearer ${at.token}` } });
  await version(on);
  await eventually(() => own.spans.length > 0);
  await on.process.stop();
  const before = own.spans.length;
  const disabled = { OTEL_EXPORTER_OTLP_ENDPOINT: own.endpoint, OTEL_SDK_DISABLED: "true" };
  const off = await spawnGateway(t, { env: { ...env, ...disabled } });
  await version(off);
  await off.process.stop();
  assert.equal(own.spans.length, before);
});

/** Makes Node not find OpenTelemetry's SDK, as after an installation without it. */
const hooks = `export async function resolve(name, context, next) {
  if (!/^@opentelemetry\\/(sdk|exporter|resources)/.test(name)) return next(name, context);
  throw Object.assign(new Error("Cannot find package " + name), { code: "ERR_MODULE_NOT_FOUND" });
}`;
const asUrl = (code: string): string => `data:text/javascript,${encodeURIComponent(code)}`;
const withoutSdk = {
  NODE_OPTIONS: `--import=${asUrl(`import { register } from "node:module"; register(${JSON.stringify(asUrl(hooks))});`)}`,
};

test("without the packages --otlp-endpoint stops the start, and the variable only warns", async (t) => {
  const dataDir = await tempDir(t);
  const refused = spawnCrest(
    ["serve", `--data-dir=${dataDir}`, "--listen=127.0.0.1:0", "--otlp-endpoint=http://127.0.0.1:4318"],
    { ready: /Crest/, env: withoutSdk },
  );
  assert.equal((await refused.exit).code, 1);
  const command =
    "npm install @opentelemetry/sdk-trace-base@2 @opentelemetry/exporter-trace-otlp-http@0.223 @opentelemetry/resources@2";
  assert.equal(
    refused.stderr(),
    `crest: --otlp-endpoint: needs packages that are not installed: run ${command} where Crest is installed\n`,
  );
  const serves = await spawnGateway(t, {
    env: { ...withoutSdk, OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:4318" },
  });
  const [line = ""] = await eventually(
    () => serves.process.stderr().includes("\n") && serves.process.stderr().split("\n"),
  );
  assert.match(
    JSON.parse(line).message,
    /^No traces: OTEL_EXPORTER_OTLP_ENDPOINT: needs packages .* npm install /,
  );
});

test("without traces the runtime is told of none, whatever the client sends", async (t) => {
  const plain = await liveGateway(t);
  await plain.ask("GET /v1/version", undefined, { traceparent: `00-${traceId}-${spanId}-01` });
  assert.ok(plain.fake.calls.length > 0);
  assert.ok(plain.fake.calls.every(({ metadata }) => metadata.traceparent === undefined));
});

/** A gateway that listens on a port of 127.0.0.1 in front of a fake runtime: what tests over real sockets stand on. */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { Agent, type IncomingHttpHeaders, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { type App, type AppOptions, createApp } from "../../src/app.ts";
import { type ConnectOptions, connect } from "../../src/cri/channel.ts";
import type { Grants } from "../../src/grants.ts";
import type { LogEntry } from "../../src/server/log-entry.ts";
import { checkAnswer } from "../support/document.ts";
import { createFakeRuntime, type FakeRuntime, type MannerName } from "../support/fake-runtime.ts";

export const token = "a-token-for-live-gateways";

const everything: Grants = { all: true, allow: {}, deny: {} };

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  /** The value at a dotted path of the JSON body: `at("containers.0.id")`; undefined when there is none. */
  at(path: string): unknown;
}

export interface LiveGateway {
  readonly fake: FakeRuntime;
  readonly app: App;
  readonly port: number;
  /** Pods that name no log directory get theirs below it. */
  readonly dataDir: string;
  /** What went to the log; `level` "error" is a bug of the gateway. */
  readonly logged: readonly LogEntry[];
  /** The request log; each request that `ask` sends must have one entry by the end. */
  readonly requests: readonly LogEntry[];
  /** Asks over a socket: `ask("POST /v1/pods", { metadata: { name: "web" } })`. */
  ask(target: string, json?: unknown, headers?: { readonly [name: string]: string }): Promise<Answer>;
}

export interface LiveOptions
  extends Pick<
      AppOptions,
      | "anonymousLimits"
      | "audit"
      | "callerLimits"
      | "events"
      | "logLimits"
      | "requestTimeoutMs"
      | "stallTimeoutMs"
      | "listSilenceMs"
      | "maxBufferBytes"
      | "otherCallers"
      | "execMaxMs"
      | "roomWaitMs"
    >,
    Pick<ConnectOptions, "deadlineMs"> {
  /** How long the fake stays down on a restart. */
  readonly recoveryMs?: number;
  /** Default: everything. */
  readonly grants?: Grants;
  /** Default: none. */
  readonly allowOrigin?: readonly string[];
}

/** Starts both; they are gone when the test has ended. */
export async function liveGateway(
  t: Pick<TestContext, "after">,
  manner: MannerName = "containerd-2.1",
  {
    requestTimeoutMs,
    stallTimeoutMs,
    listSilenceMs,
    maxBufferBytes,
    roomWaitMs,
    deadlineMs,
    recoveryMs,
    execMaxMs,
    events,
    logLimits,
    audit,
    grants = everything,
    allowOrigin,
    ...limits
  }: LiveOptions = {},
): Promise<LiveGateway> {
  const fake = await createFakeRuntime({ manner, ...(recoveryMs === undefined ? {} : { recoveryMs }) });
  const dataDir = await mkdtemp(join(tmpdir(), "crest-live-"));
  const runtime = connect({
    runtimeEndpoint: fake.socket,
    ...(deadlineMs === undefined ? {} : { deadlineMs }),
  });
  const logged: LogEntry[] = [];
  const requests: LogEntry[] = [];
  const answered: (string | undefined)[] = [];
  const app = createApp({
    config: {
      listen: { host: "127.0.0.1", port: 0 },
      dataDir,
      acceptHost: ["localhost", "127.0.0.1"],
      ...(allowOrigin === undefined ? {} : { allowOrigin }),
      grants,
    },
    ...{ runtime, token },
    log: (entry) => logged.push(entry),
    requestLog: { log: (entry) => requests.push(entry), probes: true },
    ...(requestTimeoutMs === undefined ? {} : { requestTimeoutMs }),
    ...(stallTimeoutMs === undefined ? {} : { stallTimeoutMs }),
    listSilenceMs,
    maxBufferBytes,
    ...(execMaxMs === undefined ? {} : { execMaxMs }),
    roomWaitMs,
    ...{ logLimits, audit },
    ...limits,
    ...(events === undefined ? {} : { events }),
  });
  const port = Number(new URL(await app.listen()).port);
  const agent = new Agent({ keepAlive: true });
  t.after(async () => {
    agent.destroy();
    await app.close();
    runtime.close();
    await fake.close();
    await rm(dataDir, { recursive: true, force: true });
    // A stream has one at its start as well.
    const ends = requests.filter((entry) => !("event" in entry && entry.event === "start"));
    const entries = countById(ends.map(({ requestId }) => requestId));
    for (const [id, count] of countById(answered)) assert.equal(entries.get(id), count, `request ${id}`);
  });
  return {
    ...{ fake, app, port, dataDir, logged, requests },
    async ask(target, json, headers = {}) {
      const answer = await ask({ agent, port }, target, { json, headers });
      const [method = "", path = ""] = target.split(" ");
      checkAnswer(method, path, answer);
      answered.push(answer.headers["x-request-id"] as string | undefined);
      return answer;
    },
  };
}

function countById(ids: readonly (string | undefined)[]): ReadonlyMap<string | undefined, number> {
  const counts = new Map<string | undefined, number>();
  for (const id of ids) counts.set(id, (counts.get(id) ?? 0) + 1);
  return counts;
}

function ask(
  where: { readonly agent: Agent; readonly port: number },
  target: string,
  { json, headers }: { readonly json: unknown; readonly headers: { readonly [name: string]: string } },
): Promise<Answer> {
  const [method, path] = target.split(" ");
  const body = json === undefined ? undefined : JSON.stringify(json);
  return new Promise((resolve, reject) => {
    const sent = request({
      ...where,
      ...{ host: "127.0.0.1", method, path },
      headers: {
        authorization: `Bearer ${token}`,
        ...(body === undefined
          ? {}
          : { "content-type": "application/json", "content-length": String(Buffer.byteLength(body)) }),
        ...headers,
      },
    });
    sent.on("error", reject);
    sent.on("response", (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (part) => {
        text += part;
      });
      response.on("error", reject);
      response.on("end", () =>
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          text,
          at: (path) => valueAt(JSON.parse(text), path),
        }),
      );
    });
    sent.end(body);
  });
}

/** The value at a dotted path; undefined when there is none. */
export function valueAt(value: unknown, path: string): unknown {
  return path
    .split(".")
    .reduce<unknown>(
      (at, key) => (at as { readonly [key: string]: unknown } | null | undefined)?.[key],
      value,
    );
}

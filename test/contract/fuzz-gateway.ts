/** A gateway for random requests: its runtime answers everything, and what reaches it is kept as bytes. */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { createApp } from "../../src/app.ts";
import { connect, type Runtime } from "../../src/cri/channel.ts";
import type { Rpc } from "../../src/gen/methods.ts";
import type { LogEntry } from "../../src/server/log-entry.ts";
import { checkAnswer, type Received } from "../support/document.ts";
import {
  createFakeRuntime,
  type FakeContainer,
  type FakePod,
  type FakeRuntime,
} from "../support/fake-runtime.ts";
import type { PlacedOperation } from "../support/openapi-document.ts";
import { everything, token } from "./table-gateway.ts";

/** What requests are about: a pod, and a running container in it. */
export interface Subjects {
  readonly pod: FakePod;
  readonly container: FakeContainer;
}

export interface FuzzGateway {
  readonly fake: FakeRuntime;
  readonly dataDir: string;
  /** What the runtime was asked with; may be emptied. */
  readonly sent: { readonly rpc: Rpc; readonly bytes: Buffer }[];
  /** What went wrong in the gateway itself. */
  readonly errors: readonly LogEntry[];
  /** New ones, for an operation that may be about to remove them. */
  newSubjects(): Subjects;
  /** `body` goes out as it is. The answer is as the operation's description has it, by one of its statuses. */
  ask(operation: PlacedOperation, url: string, body?: string): Promise<Received>;
  close(): Promise<void>;
}

/** Longer than anything takes that does not hang. */
const answerTimeoutMs = 30_000;

export async function createFuzzGateway(): Promise<FuzzGateway> {
  const fake = await createFakeRuntime({ manner: "containerd-2.1" });
  const dataDir = await mkdtemp(join(tmpdir(), "crest-contract-"));
  const runtime = connect({ runtimeEndpoint: fake.socket });
  const sent: { rpc: Rpc; bytes: Buffer }[] = [];
  const errors: LogEntry[] = [];
  const recording: Runtime = {
    ...runtime,
    call(rpc, request, options) {
      sent.push({ rpc, bytes: Buffer.from(request) });
      return runtime.call(rpc, request, options);
    },
  };
  const { server, close } = createApp({
    config: {
      listen: { host: "127.0.0.1", port: 0 },
      dataDir,
      acceptHost: ["localhost"],
      grants: everything,
    },
    runtime: recording,
    token,
    // Every timeout of the document goes down.
    execMaxMs: 0,
    log: (entry) => void (entry.level === "error" && errors.push(entry)),
  });
  const logDirectory = join(dataDir, "logs", "fuzz");
  return {
    ...{ fake, dataDir, sent, errors },
    newSubjects() {
      const pod = fake.addPod({ config: { logDirectory, linux: { cgroupParent: "/crest" } } });
      return { pod, container: fake.addContainer({ pod }) };
    },
    async ask({ method, responses }, url, body) {
      const answered = new AbortController();
      const limit = delay(answerTimeoutMs, undefined, { signal: answered.signal }).then(() => {
        throw new Error(`${method} ${url}: no answer to ${body}`);
      });
      const answer = server.inject({
        ...{ method: method as "GET", url },
        headers: {
          ...{ host: "localhost:8585", authorization: `Bearer ${token}` },
          ...(body === undefined ? {} : { "content-type": "application/json" }),
        },
        ...(body === undefined ? {} : { payload: body }),
      });
      limit.catch(() => undefined);
      const response = await Promise.race([answer, limit]).finally(() => answered.abort());
      const received = {
        status: response.statusCode,
        headers: response.headers as Received["headers"],
        text: response.payload,
      };
      const what = `${method} ${url} ${body?.slice(0, 2000)}: ${received.status} ${received.text}`;
      assert.ok(received.status in responses, `a status that is not documented: ${what}`);
      checkAnswer(method, url, received);
      return received;
    },
    async close() {
      await close();
      runtime.close();
      await fake.close();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

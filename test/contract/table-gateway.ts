/** A whole gateway in front of a fake runtime, asked without a socket: what the tests of the route table stand on. */
import assert from "node:assert/strict";
import { generateKeyPairSync, sign } from "node:crypto";
import { writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import { sha256 } from "../../src/access/callers/token-store.ts";
import { type App, createApp, type TlsSettings } from "../../src/app.ts";
import { type ConnectOptions, connect } from "../../src/cri/channel.ts";
import { allGrants, type Grant, type Grants, type GrantWord } from "../../src/grants.ts";
import type { LogEntry } from "../../src/server/log-entry.ts";
import { checkAnswer } from "../support/document.ts";
import { createFakeRuntime, type FakeRuntime, type MannerName } from "../support/fake-runtime.ts";

/** CREST_TEST_SEED makes a run repeatable; without it each run is new. */
export const seed = process.env.CREST_TEST_SEED ? Number(process.env.CREST_TEST_SEED) : Date.now() % 2 ** 31;

export const token = "a-token-for-the-contract-tests";
export const authorization = `Bearer ${token}`;

/** `-A`. */
export const everything: Grants = { all: true, allow: {}, deny: {} };
export const nothing: Grants = { all: false, allow: {}, deny: {} };

/** Exactly these, as `--allow-*` flags would give them. */
export function exactly(grants: readonly Grant[]): Grants {
  const allow: { [word: string]: true | string[] } = {};
  for (const grant of grants) {
    const [word = "", kind] = grant.split(":");
    const held = allow[word];
    if (kind === undefined) allow[word] = true;
    else if (Array.isArray(held)) held.push(kind);
    else allow[word] = [kind];
  }
  return { all: false, allow, deny: {} };
}

/** All but one. */
export const allBut = (missing: Grant): Grants => exactly(allGrants.filter((grant) => grant !== missing));

/** The flag that grants it, as an operator types it. */
export function flagOf(grant: Grant): string {
  const [word, kind] = grant.split(":") as [GrantWord, string | undefined];
  return kind === undefined ? `--allow-${word}` : `--allow-${word}=${kind}`;
}

export interface Ask {
  readonly headers?: { readonly [name: string]: string };
  /** A value for `authorization`; the right token by default, `null` for none. */
  readonly authorization?: string | null;
  /** Sent as JSON. */
  readonly json?: unknown;
  /** Sent as it is, as application/json unless `headers` says otherwise. */
  readonly body?: string | Buffer;
}

export interface Answer {
  readonly status: number;
  readonly headers: { readonly [name: string]: string | undefined };
  readonly bytes: Buffer;
  readonly text: string;
  /** The body as JSON. @throws when it is none. */
  json<T = { readonly [name: string]: unknown }>(): T;
}

/** How a caller shows who it is. */
export type Credential =
  | "the gateway's token"
  | "a token of the file"
  | "a JSON Web Token"
  | "a client certificate";

export interface TestApp {
  readonly app: App;
  /** The header of the caller with the grants; null for one with a certificate for `narrow`. */
  readonly authorization: string | null;
  readonly logged: readonly LogEntry[];
  /** Asks `GET /v1/pods`. */
  ask(target: string, options?: Ask): Promise<Answer>;
}

export interface OpenOptions extends Pick<ConnectOptions, "deadlineMs"> {
  /** With another than the gateway's, the process grants everything, and the credential has the grants. */
  readonly by?: Credential;
  /** For a client certificate. */
  readonly tls?: TlsSettings;
}

export interface TestGateway {
  readonly fake: FakeRuntime;
  /** Pods that name no log directory get theirs below it. */
  readonly dataDir: string;
  /** The app with these grants; closed with the gateway. */
  open(grants?: Grants, options?: OpenOptions): TestApp;
  close(): Promise<void>;
}

/** Starts a fake runtime; apps come from `open`. */
export async function createGateway(manner: MannerName): Promise<TestGateway> {
  const fake = await createFakeRuntime({ manner });
  const dataDir = await mkdtemp(join(tmpdir(), "crest-contract-"));
  const apps = new Map<string, TestApp>();
  const channels = new Map<number | undefined, ReturnType<typeof connect>>();

  function channel(deadlineMs: number | undefined): ReturnType<typeof connect> {
    const open = channels.get(deadlineMs);
    if (open) return open;
    const made = connect({
      runtimeEndpoint: fake.socket,
      ...(deadlineMs === undefined ? {} : { deadlineMs }),
    });
    channels.set(deadlineMs, made);
    return made;
  }

  return {
    fake,
    dataDir,
    open(grants = everything, { deadlineMs, by = "the gateway's token", tls } = {}) {
      const key = JSON.stringify([grants, deadlineMs, by]);
      const opened = apps.get(key);
      if (opened) return opened;
      const logged: LogEntry[] = [];
      const isOperator = by === "the gateway's token";
      const tokensFile = join(dataDir, `tokens-${apps.size}.json`);
      if (by === "a token of the file") {
        const tokens = [{ name: "narrow", sha256: sha256(token), grants }];
        writeFileSync(tokensFile, JSON.stringify({ tokens }), { mode: 0o600 });
      }
      if (by === "a client certificate") {
        const certificates = [{ name: "narrow", subject: "CN:narrow", grants }];
        writeFileSync(tokensFile, JSON.stringify({ certificates }), { mode: 0o600 });
      }
      const jwt = by === "a JSON Web Token" ? issue(dataDir, grants) : undefined;
      const app = createApp({
        config: {
          ...{ listen: { host: "127.0.0.1", port: 0 }, dataDir, tokensFile, acceptHost: ["localhost"] },
          grants: isOperator ? grants : everything,
          ...(jwt === undefined ? {} : { jwt: jwt.settings }),
        },
        runtime: channel(deadlineMs),
        token: isOperator ? token : `${token}-of-the-operator`,
        ...(by === "a client certificate" ? { tls } : {}),
        // Nothing is filled in.
        execMaxMs: 0,
        log: (entry) => logged.push(entry),
      });
      const made: TestApp = {
        ...{ app, logged, authorization: tls ? null : (jwt?.authorization ?? authorization) },
        ask: (target, options = {}) => ask(app, target, options),
      };
      apps.set(key, made);
      return made;
    },
    async close() {
      for (const { app } of apps.values()) await app.close();
      for (const runtime of channels.values()) runtime.close();
      await fake.close();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

const issuer = generateKeyPairSync("ed25519");

/** A JSON Web Token with these grants, and the settings that accept it. */
function issue(folder: string, grants: Grants) {
  const jwks = join(folder, "keys.json");
  const key = { ...issuer.publicKey.export({ format: "jwk" }), kid: "1", alg: "EdDSA" };
  writeFileSync(jwks, JSON.stringify({ keys: [key] }));
  const [iss, aud, exp] = ["https://issuer.example", "crest", Math.floor(Date.now() / 1000) + 3600];
  const text = [
    { alg: "EdDSA", kid: "1" },
    { iss, aud, exp, sub: "narrow", crest: grants },
  ]
    .map((part) => Buffer.from(JSON.stringify(part)).toString("base64url"))
    .join(".");
  const signature = sign(null, Buffer.from(text), issuer.privateKey).toString("base64url");
  return {
    settings: { issuer: iss, audience: aud, jwks, algorithms: ["EdDSA" as const], grantsClaim: "crest" },
    authorization: `Bearer ${text}.${signature}`,
  };
}

/** The gateway that the tests of a file share, with its runtime and its app of every grant; gone after the last. */
export async function sharedGateway() {
  const gateway = await createGateway("containerd-2.1");
  after(() => gateway.close());
  return { gateway, fake: gateway.fake, open: gateway.open() };
}

async function ask(app: App, target: string, options: Ask): Promise<Answer> {
  const [method = "GET", url = "/"] = target.split(" ");
  const body = options.json === undefined ? options.body : JSON.stringify(options.json);
  const given = options.authorization === undefined ? authorization : options.authorization;
  const response = await app.server.inject({
    method: method as "GET",
    url,
    headers: {
      host: "localhost:8585",
      // Without it, logs are text.
      ...(/\/logs(\?|$)/.test(url) ? { accept: "application/json" } : {}),
      ...(given === null ? {} : { authorization: given }),
      ...(body === undefined ? {} : { "content-type": "application/json" }),
      ...options.headers,
    },
    ...(body === undefined ? {} : { payload: body }),
  });
  // To HEAD, Node sends no body; what injects requests has no Node in between.
  const bytes = method === "HEAD" ? Buffer.alloc(0) : response.rawPayload;
  const text = bytes.toString("utf8");
  const answer = {
    status: response.statusCode,
    headers: response.headers as Answer["headers"],
    bytes,
    text,
    json: () => JSON.parse(text),
  };
  checkAnswer(method, url, answer);
  return answer;
}

/** The body of a problem. */
export interface ProblemBody {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly instance: string;
  readonly code: string;
  readonly requestId: string;
  readonly retryable: boolean;
  readonly grpcCode?: string;
  readonly grant?: string;
  readonly grants?: readonly string[];
  readonly resource?: string;
  readonly errors?: readonly {
    readonly pointer?: string;
    readonly parameter?: string;
    readonly detail: string;
  }[];
}

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

/** Holds an answer to the shape of RFC 9457 with our members, and to what is expected of it. */
export function problemOf(
  answer: Answer,
  expected: { readonly status: number; readonly code: string; readonly path?: string },
): ProblemBody {
  assert.equal(answer.status, expected.status, answer.text);
  assert.equal(answer.headers["content-type"], "application/problem+json");
  const problem = answer.json<ProblemBody>();
  assert.equal(problem.status, expected.status);
  assert.equal(problem.code, expected.code);
  assert.equal(problem.type, `/docs/problems#${expected.code}`);
  assert.match(problem.title, /\S/);
  assert.match(problem.detail, /\S/);
  if (expected.path !== undefined) assert.equal(problem.instance, expected.path);
  assert.match(problem.instance, /^\/[^?]*$/);
  assert.equal(problem.requestId, answer.headers["x-request-id"]);
  assert.match(problem.requestId, uuid);
  assert.equal(typeof problem.retryable, "boolean");
  for (const error of problem.errors ?? []) {
    assert.equal(typeof error.detail, "string");
    assert.ok((error.pointer === undefined) !== (error.parameter === undefined), "a pointer or a parameter");
  }
  return problem;
}

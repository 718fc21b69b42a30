/**
 * A client of the gateway's HTTP for tests: nothing is retried, normalised or thrown because of a status. Every
 * answer is held against the published document.
 */
import assert from "node:assert/strict";
import { Agent, type IncomingHttpHeaders, request } from "node:http";
import type { ErrorCode } from "../../../src/errors.ts";
import type { Problem as AnyProblem } from "../../../src/server/problems.ts";
import { checkAnswer } from "../../support/document.ts";

export interface Answer<Body = unknown> {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  /** The parsed text where it is JSON, else undefined. */
  readonly body: Body;
}

export interface SendOptions {
  /** A string goes out as it is, anything else as JSON. */
  readonly body?: unknown;
  /** Beside or instead of the usual ones; `undefined` leaves one out. */
  readonly headers?: { readonly [name: string]: string | undefined };
}

export interface Api {
  send<Body = unknown>(method: string, path: string, options?: SendOptions): Promise<Answer<Body>>;
  get<Body = unknown>(path: string): Promise<Answer<Body>>;
  post<Body = unknown>(path: string, body?: unknown): Promise<Answer<Body>>;
  patch<Body = unknown>(path: string, body: unknown): Promise<Answer<Body>>;
  delete<Body = unknown>(path: string): Promise<Answer<Body>>;
  close(): void;
}

/** Longer than anything takes that a test waits for. */
const timeoutMs = 120_000;

/** `address`: `http://127.0.0.1:8585` or `unix:/path`, as a gateway prints it. */
export function createApi(address: string, token: string): Api {
  const agent = new Agent({ keepAlive: true });
  const where = address.startsWith("unix:")
    ? { socketPath: address.slice("unix:".length) }
    : { host: new URL(address).hostname, port: new URL(address).port };

  async function send<Body>(method: string, path: string, options: SendOptions = {}): Promise<Answer<Body>> {
    const { body } = options;
    const text = typeof body === "string" ? body : body === undefined ? undefined : JSON.stringify(body);
    const headers: { [name: string]: string | number } = { authorization: `Bearer ${token}` };
    if (text !== undefined) {
      headers["content-type"] = "application/json";
      headers["content-length"] = Buffer.byteLength(text);
    }
    for (const [name, value] of Object.entries(options.headers ?? {})) {
      if (value === undefined) delete headers[name];
      else headers[name] = value;
    }
    const answer = await new Promise<Answer<Body>>((resolve, reject) => {
      const outgoing = request({ ...where, method, path, headers, agent, timeout: timeoutMs }, (incoming) => {
        const chunks: Buffer[] = [];
        incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
        incoming.on("error", reject);
        incoming.on("end", () => {
          const received = Buffer.concat(chunks).toString("utf8");
          const isJson = /\bjson\b/.test(incoming.headers["content-type"] ?? "");
          resolve({
            status: incoming.statusCode ?? 0,
            headers: incoming.headers,
            text: received,
            body: (isJson ? JSON.parse(received) : undefined) as Body,
          });
        });
      });
      outgoing.on("timeout", () => outgoing.destroy(new Error(`${method} ${path}: no answer`)));
      outgoing.on("error", reject);
      outgoing.end(text);
    });
    checkAnswer(method, path, answer);
    return answer;
  }

  return {
    send,
    get: (path) => send("GET", path),
    post: (path, body) => send("POST", path, { body }),
    patch: (path, body) => send("PATCH", path, { body }),
    delete: (path) => send("DELETE", path),
    close: () => agent.destroy(),
  };
}

/** The body of an answer that must have `status`. */
export function bodyOf<Body>(answer: Answer<Body>, status = 200): Body {
  assert.equal(answer.status, status, answer.text);
  return answer.body;
}

/** Asserts on a 204: nothing is told, in no bytes. */
export function assertDone(answer: Answer): void {
  bodyOf(answer, 204);
  assert.equal(answer.text, "");
}

export interface Problem extends AnyProblem {
  readonly errors?: readonly {
    readonly pointer?: string;
    readonly parameter?: string;
    readonly detail: string;
  }[];
}

/** The problem document of a refusal that must have `status` and `code`. */
export function problemOf(answer: Answer, status: number, code: ErrorCode): Problem {
  const problem = anyProblemOf(answer);
  assert.deepEqual([problem.status, problem.code], [status, code], answer.text);
  return problem;
}

/** The problem document of any refusal, in the shape that all have. */
export function anyProblemOf(answer: Answer): Problem {
  assert.match(answer.headers["content-type"] ?? "", /^application\/problem\+json\b/, answer.text);
  const problem = answer.body as Problem;
  assert.equal(problem.status, answer.status);
  assert.equal(problem.requestId, answer.headers["x-request-id"]);
  assert.equal(problem.type, `/docs/problems#${problem.code}`);
  for (const text of [problem.title, problem.detail]) assert.ok(text.length > 0, answer.text);
  return problem;
}

/**
 * Requests that no handler sees, or should not, as raw bytes: every refusal is a problem, and the gateway
 * goes on serving.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually } from "../support/eventually.ts";
import { type LiveGateway, liveGateway } from "./live-gateway.ts";
import { goodHeaders, problemIn, rawAnswer, rawAnswers, requestText } from "./raw-http.ts";

const jsonType = "Content-Type: application/json";
const absent = "f".repeat(64);

/** Whatever came before: it serves, and nothing of it was a bug. */
async function stillServes(gateway: LiveGateway): Promise<void> {
  assert.equal((await gateway.ask("GET /v1/version")).status, 200);
  assert.deepEqual(gateway.logged, []);
}

/** Everything that one bad request can be: what is sent, what comes. */
interface Refusal {
  readonly name: string;
  /** The bytes; `good` are the header lines that every good request has. */
  readonly bytes: (gateway: LiveGateway) => string | Uint8Array;
  readonly status: number;
  readonly code: string;
  readonly detail?: RegExp;
  readonly allow?: string;
}

const post =
  (headers: readonly string[], body = "{}") =>
  (gateway: LiveGateway): string =>
    requestText(gateway, "POST /v1/pods", { headers, body });
const start =
  (line: string) =>
  (gateway: LiveGateway): string =>
    requestText(gateway, line);

const refusals: readonly Refusal[] = [
  {
    name: "an unknown route",
    bytes: start("GET /v1/nope"),
    status: 404,
    code: "route_not_found",
    detail: /No route GET \/v1\/nope/,
  },
  { name: "the root", bytes: start("GET /"), status: 404, code: "route_not_found" },
  {
    name: "a path that ends where an id should stand",
    bytes: start("GET /v1/pods/"),
    status: 400,
    code: "invalid_request",
    detail: /podSandboxId/,
  },
  { name: "a path in other letters", bytes: start("GET /V1/pods"), status: 404, code: "route_not_found" },
  { name: "OPTIONS *", bytes: start("OPTIONS *"), status: 404, code: "route_not_found" },

  {
    name: "PUT on a list",
    bytes: start("PUT /v1/pods"),
    status: 405,
    code: "method_not_allowed",
    allow: "GET, HEAD, POST",
  },
  {
    name: "POST on a status",
    bytes: start("POST /v1/version"),
    status: 405,
    code: "method_not_allowed",
    allow: "GET, HEAD",
  },
  {
    name: "GET on an action",
    bytes: start(`GET /v1/containers/${absent}/start`),
    status: 405,
    code: "method_not_allowed",
    allow: "POST",
  },
  {
    name: "PATCH on an image with slashes",
    bytes: start("PATCH /v1/images/docker.io/library/busybox:1.36"),
    status: 405,
    code: "method_not_allowed",
    allow: "DELETE, GET, HEAD",
  },
  {
    name: "OPTIONS",
    bytes: start("OPTIONS /v1/version"),
    status: 405,
    code: "method_not_allowed",
    allow: "GET, HEAD",
  },
  {
    name: "TRACE",
    bytes: start("TRACE /v1/version"),
    status: 405,
    code: "method_not_allowed",
    allow: "GET, HEAD",
  },
  {
    name: "a method of WebDAV",
    bytes: start("PROPFIND /v1/version"),
    status: 405,
    code: "method_not_allowed",
    allow: "GET, HEAD",
  },
  {
    name: "CONNECT",
    bytes: start("CONNECT example.org:443"),
    status: 405,
    code: "method_not_allowed",
    allow: "DELETE, GET, HEAD, PATCH, POST",
  },
  {
    name: "a method that nobody knows",
    bytes: start("BREW /v1/version"),
    status: 400,
    code: "invalid_request",
  },

  {
    name: "a Content-Length over the limit",
    bytes: (gateway) =>
      requestText(gateway, "POST /v1/pods", { headers: [jsonType, "Content-Length: 1048577"] }),
    status: 413,
    code: "body_too_large",
    detail: /1048576 bytes/,
  },
  {
    name: "a body over the limit",
    bytes: (gateway) =>
      requestText(gateway, "POST /v1/pods", { headers: [jsonType], body: " ".repeat(1_048_577) }),
    status: 413,
    code: "body_too_large",
  },
  {
    name: "chunks over the limit",
    bytes: (gateway) =>
      `${requestText(gateway, "POST /v1/pods", { headers: [jsonType, "Transfer-Encoding: chunked"] })}100001\r\n${" ".repeat(1_048_577)}\r\n0\r\n\r\n`,
    status: 413,
    code: "body_too_large",
  },

  {
    name: "a body without a type",
    bytes: post([]),
    status: 415,
    code: "unsupported_media_type",
    detail: /use curl --json/,
  },
  {
    name: "a form",
    bytes: post(["Content-Type: application/x-www-form-urlencoded"], "a=b"),
    status: 415,
    code: "unsupported_media_type",
    detail: /use curl --json/,
  },
  {
    name: "a multipart form",
    bytes: post(["Content-Type: multipart/form-data; boundary=x"], "--x--"),
    status: 415,
    code: "unsupported_media_type",
    detail: /use curl --json/,
  },
  {
    name: "plain text",
    bytes: post(["Content-Type: text/plain"]),
    status: 415,
    code: "unsupported_media_type",
    detail: /use curl --json/,
  },
  {
    name: "a type that only begins as JSON's",
    bytes: post(["Content-Type: application/jsonx"]),
    status: 415,
    code: "unsupported_media_type",
  },
  {
    name: "another JSON type",
    bytes: post(["Content-Type: application/merge-patch+json"]),
    status: 415,
    code: "unsupported_media_type",
  },
  {
    name: "a compressed body",
    bytes: post([jsonType, "Content-Encoding: gzip"]),
    status: 415,
    code: "unsupported_media_type",
    detail: /gzip/,
  },

  {
    name: "headers over the limit",
    bytes: (gateway) =>
      requestText(gateway, "GET /v1/version", { headers: [`X-Long: ${"a".repeat(400_000)}`] }),
    status: 431,
    code: "headers_too_large",
    detail: /at most 393216 bytes, and 16384 while/,
  },
  {
    name: "many small headers over the limit",
    bytes: (gateway) =>
      requestText(gateway, "GET /v1/version", {
        headers: Array.from({ length: 3000 }, (_, i) => `X-${i}: ${"y".repeat(130)}`),
      }),
    status: 431,
    code: "headers_too_large",
  },
  {
    name: "a URL over the limit",
    bytes: start(`GET /v1/version?${"a".repeat(400_000)}`),
    status: 431,
    code: "headers_too_large",
  },

  {
    name: "an escape in the path that is not UTF-8",
    bytes: start("GET /v1/pods/%ff"),
    status: 400,
    code: "invalid_request",
  },
  {
    name: "an escape in the path that is none",
    bytes: start("GET /v1/pods/%zz"),
    status: 400,
    code: "invalid_request",
  },
  {
    name: "bytes in the path that are not ASCII",
    bytes: (gateway) => Buffer.from(requestText(gateway, "GET /v1/pods/\xff"), "latin1"),
    status: 400,
    code: "invalid_request",
  },
  {
    name: "an escape in the query that is not UTF-8",
    bytes: start("GET /v1/pods?id=%ff"),
    status: 400,
    code: "invalid_request",
    detail: /not UTF-8/,
  },
  {
    name: "an escape in the query that is none",
    bytes: start("GET /v1/pods?id=%zz"),
    status: 400,
    code: "invalid_request",
  },
  {
    name: "an id that is too long for the router",
    bytes: start(`GET /v1/pods/${"a".repeat(2000)}`),
    status: 400,
    code: "invalid_request",
  },
  {
    name: "no Host",
    bytes: () => "GET /v1/version HTTP/1.1\r\n\r\n",
    status: 400,
    code: "invalid_request",
    detail: /no Host/,
  },
  {
    name: "two Hosts",
    bytes: (gateway) => requestText(gateway, "GET /v1/version", { headers: ["HOST: localhost"] }),
    status: 400,
    code: "invalid_request",
    detail: /more than one Host/,
  },
  {
    name: "an empty Host",
    bytes: () => "GET /v1/version HTTP/1.1\r\nHost:\r\n\r\n",
    status: 403,
    code: "host_not_allowed",
  },
  {
    name: "a strange Host",
    bytes: () => "GET /v1/version HTTP/1.1\r\nHost: example.org\r\n\r\n",
    status: 403,
    code: "host_not_allowed",
  },
  {
    name: "a target of a strange host, with a good Host",
    bytes: start("GET http://example.org/v1/version"),
    status: 403,
    code: "host_not_allowed",
  },
  {
    name: "HTTP/1.0 without Host",
    bytes: () => "GET /v1/version HTTP/1.0\r\n\r\n",
    status: 403,
    code: "host_not_allowed",
  },
  {
    name: "no token",
    bytes: () => "GET /v1/version HTTP/1.1\r\nHost: localhost\r\n\r\n",
    status: 401,
    code: "unauthenticated",
  },
  {
    name: "no token on an unknown route",
    bytes: () => "GET /v1/nope HTTP/1.1\r\nHost: localhost\r\n\r\n",
    status: 401,
    code: "unauthenticated",
  },

  {
    name: "Content-Length and Transfer-Encoding",
    bytes: (gateway) =>
      `${requestText(gateway, "POST /v1/images/pull", { headers: [jsonType, "Content-Length: 5", "Transfer-Encoding: chunked"] })}0\r\n\r\n`,
    status: 400,
    code: "invalid_request",
  },
  {
    name: "two Content-Lengths",
    bytes: (gateway) =>
      `${requestText(gateway, "POST /v1/images/pull", { headers: [jsonType, "Content-Length: 2", "Content-Length: 3"] })}{} `,
    status: 400,
    code: "invalid_request",
  },
  {
    name: "a Content-Length with a sign",
    bytes: (gateway) =>
      `${requestText(gateway, "POST /v1/images/pull", { headers: [jsonType, "Content-Length: +2"] })}{}`,
    status: 400,
    code: "invalid_request",
  },
  {
    name: "a transfer coding that is not taken off",
    bytes: (gateway) =>
      `${requestText(gateway, "POST /v1/images/pull", { headers: [jsonType, "Transfer-Encoding: gzip, chunked"] })}0\r\n\r\n`,
    status: 400,
    code: "invalid_request",
    detail: /gzip/,
  },
  {
    name: "a transfer coding like chunked",
    bytes: (gateway) =>
      `${requestText(gateway, "POST /v1/images/pull", { headers: [jsonType, "Transfer-Encoding: xchunked"] })}0\r\n\r\n`,
    status: 400,
    code: "invalid_request",
  },
  {
    name: "a chunk's length that is no number",
    bytes: (gateway) =>
      `${requestText(gateway, "POST /v1/images/pull", { headers: [jsonType, "Transfer-Encoding: chunked"] })}zz\r\n{}\r\n0\r\n\r\n`,
    status: 400,
    code: "invalid_request",
  },
  {
    name: "a space before the colon",
    bytes: (gateway) => requestText(gateway, "GET /v1/version", { headers: ["X-A : b"] }),
    status: 400,
    code: "invalid_request",
  },
  {
    name: "a folded header",
    bytes: (gateway) => requestText(gateway, "GET /v1/version", { headers: ["X-A: a", " b"] }),
    status: 400,
    code: "invalid_request",
  },
  {
    name: "lines that end without CR",
    bytes: (gateway) => requestText(gateway, "GET /v1/version").replaceAll("\r", ""),
    status: 400,
    code: "invalid_request",
  },
  {
    name: "a NUL in a header",
    bytes: (gateway) => requestText(gateway, "GET /v1/version", { headers: ["X-A: a\0b"] }),
    status: 400,
    code: "invalid_request",
  },
  {
    name: "a version that is none of HTTP/1",
    bytes: () => "GET /v1/version HTTP/3.7\r\nHost: localhost\r\n\r\n",
    status: 400,
    code: "invalid_request",
  },
  {
    name: "HTTP/2 from the first byte on",
    bytes: () => "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    status: 400,
    code: "invalid_request",
  },
  {
    name: "a TLS handshake",
    bytes: () => Buffer.from("160301020001000001fc0303", "hex"),
    status: 400,
    code: "invalid_request",
  },
];

test("every refusal is a problem with an entry in the log, and the gateway serves on", async (t) => {
  const gateway = await liveGateway(t);
  for (const { name, bytes, status, code, detail, allow } of refusals) {
    await t.test(name, async () => {
      const answer = await rawAnswer(gateway, bytes(gateway));
      const problem = problemIn(answer, { status, code });
      if (detail) assert.match(String(problem.detail), detail);
      assert.equal(answer.headers.allow, allow);
      if (status === 401) assert.equal(answer.headers["www-authenticate"], "Bearer");
      const logged = await eventually(() => {
        const entries = gateway.requests.filter(({ requestId }) => requestId === problem.requestId);
        return entries.length > 0 && entries;
      });
      assert.deepEqual(
        logged.map((entry) => ({ level: entry.level, status: entry.status, code: entry.code })),
        [{ level: "info", status, code }],
      );
    });
  }
  await stillServes(gateway);
});

test("a request that comes too slowly is 408", async (t) => {
  const gateway = await liveGateway(t, "containerd-2.1", { requestTimeoutMs: 400 });
  const good = goodHeaders(gateway);
  const slow: { readonly [what: string]: string } = {
    "the start line": "GET /v1/ver",
    headers: `GET /v1/version HTTP/1.1\r\n${good}`,
    "the body": `POST /v1/pods HTTP/1.1\r\n${good}${jsonType}\r\nContent-Length: 9\r\n\r\n{`,
    "a chunk": `POST /v1/pods HTTP/1.1\r\n${good}${jsonType}\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n{`,
  };
  await Promise.all(
    Object.entries(slow).map(async ([what, bytes]) => {
      const answers = await rawAnswers(gateway, bytes);
      assert.equal(answers.length, 1, what);
      for (const answer of answers) {
        const { requestId } = problemIn(answer, { status: 408, code: "request_timeout" });
        await eventually(() => gateway.requests.some((entry) => entry.requestId === requestId));
      }
    }),
  );
  await stillServes(gateway);
});

test("an answer that takes longer than a request may is not cut", async (t) => {
  const gateway = await liveGateway(t, "containerd-2.1", { requestTimeoutMs: 400 });
  const container = gateway.fake.addContainer();
  const answer = await gateway.ask(`POST /v1/containers/${container.id}/exec`, {
    cmd: ["sh", "-c", "sleep 1; echo done"],
  });
  assert.equal(answer.status, 200);
  assert.equal(answer.at("stdout"), "done\n");
});

test("a refusal of what stands behind a request waits for that request's answer", async (t) => {
  const gateway = await liveGateway(t);
  const answers = await rawAnswers(gateway, `${requestText(gateway, "GET /v1/version")}GARBAGE\r\n\r\n`);
  assert.equal(answers.length, 2);
  assert.equal(answers[0]?.status, 200);
  assert.equal(answers[1]?.status, 400);
  await stillServes(gateway);
});

test("health is answered without a token, and to nobody under a strange Host", async (t) => {
  const gateway = await liveGateway(t);
  for (const path of ["/livez", "/readyz"]) {
    const good = await rawAnswer(gateway, `GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
    assert.equal(good.status, 200);
    assert.equal(good.body, "ok\n");
    const strange = await rawAnswer(gateway, `GET ${path} HTTP/1.1\r\nHost: example.org\r\n\r\n`);
    problemIn(strange, { status: 403, code: "host_not_allowed" });
  }
});

test("every answer forbids guessing its type, and every answer of the API forbids storing it", async (t) => {
  const gateway = await liveGateway(t);
  const { id } = gateway.fake.addContainer({ state: "running" });
  const api: readonly (readonly [start: string, status: number])[] = [
    ["GET /v1/version", 200],
    ["GET /v1/containers", 200],
    [`GET /v1/containers/${id}`, 200],
    [`POST /v1/containers/${id}/stop`, 204],
    ["GET /v1/grants", 200],
    ["GET /livez", 200],
    ["GET /readyz", 200],
    ["GET /v1/nope", 404],
    ["GET /%zz", 400],
    ["PUT /v1/pods", 405],
    [`GET /v1/containers/${id}/exec?command=ls`, 426],
    ["CONNECT localhost:1", 405],
    ["GET /v1/version HTTP/9", 400],
  ];
  for (const [start, status] of api) {
    const { headers, ...answer } = await rawAnswer(gateway, requestText(gateway, start));
    assert.equal(answer.status, status, start);
    assert.equal(headers["cache-control"], "no-store", start);
    assert.equal(headers["x-content-type-options"], "nosniff", start);
  }
  for (const path of ["/docs", "/docs/problems", "/openapi.json"]) {
    const { headers } = await rawAnswer(gateway, requestText(gateway, `GET ${path}`));
    assert.equal(headers["cache-control"], "no-cache", path);
    assert.equal(headers["x-content-type-options"], "nosniff", path);
  }
});

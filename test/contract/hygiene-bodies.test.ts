/** What stands in bodies, parameters and headers of requests that are well framed. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { liveGateway } from "./live-gateway.ts";
import { problemIn, rawAnswer, requestText } from "./raw-http.ts";

const jsonType = "Content-Type: application/json";

interface BadBody {
  readonly name: string;
  readonly body: string | Buffer;
  readonly code: "invalid_json" | "invalid_request";
  readonly detail?: RegExp;
  /** The place that the problem names. */
  readonly pointer?: string;
}

const deep = (levels: number): string => `${'{"a":'.repeat(levels)}1${"}".repeat(levels)}`;

/** Bodies of `POST /v1/pods`. */
const badBodies: readonly BadBody[] = [
  {
    name: "bytes that are not UTF-8",
    body: Buffer.from('{"hostname":"\xff"}', "latin1"),
    code: "invalid_json",
    detail: /not UTF-8/,
  },
  {
    name: "UTF-8 that is cut off",
    body: Buffer.from('{"hostname":"\xe2\x82"}', "latin1"),
    code: "invalid_json",
    detail: /not UTF-8/,
  },
  {
    name: "a surrogate as UTF-8",
    body: Buffer.from('{"hostname":"\xed\xa0\x80"}', "latin1"),
    code: "invalid_json",
    detail: /not UTF-8/,
  },
  {
    name: "an overlong slash",
    body: Buffer.from('{"hostname":"\xc0\xaf"}', "latin1"),
    code: "invalid_json",
    detail: /not UTF-8/,
  },
  { name: "UTF-16", body: Buffer.from('{"hostname":"a"}', "utf16le"), code: "invalid_json" },
  {
    name: "a byte order mark",
    body: '\ufeff{"metadata":{"name":"a"}}',
    code: "invalid_json",
    detail: /byte order mark/,
  },
  { name: "no JSON", body: "metadata:\n  name: a\n", code: "invalid_json" },
  { name: "JSON that is cut off", body: '{"metadata":{', code: "invalid_json" },
  { name: "two values", body: "{}{}", code: "invalid_json" },
  { name: "a comment", body: "{/* */}", code: "invalid_json" },
  { name: "a comma too many", body: '{"hostname":"a",}', code: "invalid_json" },
  { name: "a lone surrogate", body: '{"hostname":"\\ud800"}', code: "invalid_request", pointer: "/hostname" },
  {
    name: "the same member twice",
    body: '{"hostname":"a","hostname":"b"}',
    code: "invalid_json",
    pointer: "/hostname",
    detail: /is repeated/,
  },
  {
    name: "the same member twice, once in escapes",
    body: '{"hostname":"a","\\u0068ostname":"b"}',
    code: "invalid_json",
    pointer: "/hostname",
  },
  {
    name: "the same label twice",
    body: '{"labels":{"a":"1","a":"2"}}',
    code: "invalid_json",
    pointer: "/labels/a",
  },
  {
    name: "a member in both spellings",
    body: '{"logDirectory":"/a","log_directory":"/b"}',
    code: "invalid_request",
  },
  { name: "nesting without end", body: deep(5000), code: "invalid_json", detail: /nested/ },
  { name: "lists without end", body: `${"[".repeat(100_000)}`, code: "invalid_json", detail: /nested/ },
  { name: "a list", body: "[]", code: "invalid_request", detail: /JSON object/ },
  { name: "null", body: "null", code: "invalid_request", detail: /JSON object/ },
  { name: "a string", body: '"web"', code: "invalid_request", detail: /JSON object/ },
  {
    name: "an unknown member",
    body: '{"hostnam":"a"}',
    code: "invalid_request",
    pointer: "/hostnam",
    detail: /hostname/,
  },
  {
    name: "__proto__",
    body: '{"__proto__":{"hostname":"a"}}',
    code: "invalid_request",
    pointer: "/__proto__",
  },
  {
    name: "__proto__ inside",
    body: '{"metadata":{"name":"a","__proto__":{"uid":"b"}}}',
    code: "invalid_request",
    pointer: "/metadata/__proto__",
  },
  {
    name: "constructor",
    body: '{"constructor":{"prototype":{"hostname":"a"}}}',
    code: "invalid_request",
    pointer: "/constructor",
  },
  { name: "toString", body: '{"toString":"a"}', code: "invalid_request", pointer: "/toString" },
];

test("bad bodies are refused with their place, and change nothing", async (t) => {
  const gateway = await liveGateway(t);
  for (const { name, body, code, detail, pointer } of badBodies) {
    await t.test(name, async () => {
      const head = requestText(gateway, "POST /v1/pods", {
        headers: [jsonType, `Content-Length: ${Buffer.byteLength(body)}`],
      });
      const answer = await rawAnswer(gateway, Buffer.concat([Buffer.from(head), Buffer.from(body)]));
      const problem = problemIn(answer, { status: 400, code });
      if (detail) assert.match(String(problem.detail), detail);
      const errors = problem.errors as readonly { readonly pointer: string }[] | undefined;
      if (pointer !== undefined) assert.equal(errors?.[0]?.pointer, pointer);
    });
  }
  assert.equal(({} as { hostname?: unknown }).hostname, undefined);
  assert.equal(gateway.fake.callsOf("RuntimeService/RunPodSandbox").length, 0);
  assert.deepEqual(gateway.logged, []);
});

test("names that JavaScript knows are labels like any other", async (t) => {
  const { ask } = await liveGateway(t);
  const labels = { constructor: "a", toString: "b", hasOwnProperty: "c", valueOf: "d" };
  const ran = await ask("POST /v1/pods", { metadata: { name: "web" }, labels, annotations: labels });
  assert.equal(ran.status, 201, ran.text);
  const pod = await ask(`GET /v1/pods/${ran.at("podSandboxId")}`);
  assert.deepEqual(pod.at("status.annotations"), labels);
  assert.deepEqual(pod.at("status.labels"), { ...labels, "crest/managed": "true" });
});

test("parameters that JavaScript knows are unknown parameters", async (t) => {
  const { ask, logged } = await liveGateway(t);
  for (const name of ["__proto__", "constructor", "toString", "__proto__[limit]", "limit[__proto__]"]) {
    const answer = await ask(`GET /v1/pods?${encodeURIComponent(name)}=1`);
    assert.equal(answer.status, 400, answer.text);
    assert.equal(answer.at("errors.0.parameter"), name);
  }
  assert.deepEqual(logged, []);
});

test("a body may be as long as the limit, and JSON as wide as that", async (t) => {
  const gateway = await liveGateway(t);
  const body = `{"metadata":{"name":"web"}}${" ".repeat(1024 * 1024)}`.slice(0, 1024 * 1024);
  const answer = await rawAnswer(
    gateway,
    requestText(gateway, "POST /v1/pods", { headers: [jsonType], body }),
  );
  assert.equal(answer.status, 201, answer.body);
});

test("a JSON type may have parameters and any letters", async (t) => {
  const gateway = await liveGateway(t);
  const types = ["application/json; charset=utf-8", "application/json;charset=UTF-8", "Application/JSON"];
  for (const [index, type] of types.entries()) {
    const body = JSON.stringify({ metadata: { name: `web-${index}` } });
    const answer = await rawAnswer(
      gateway,
      requestText(gateway, "POST /v1/pods", { headers: [`Content-Type: ${type}`], body }),
    );
    assert.equal(answer.status, 201, answer.body);
  }
});

test("a DELETE with a JSON type and no body is no mistake", async (t) => {
  const gateway = await liveGateway(t);
  for (const headers of [[jsonType], [jsonType, "Content-Length: 0"]]) {
    const { id } = gateway.fake.addContainer();
    const answer = await rawAnswer(gateway, requestText(gateway, `DELETE /v1/containers/${id}`, { headers }));
    assert.equal(answer.status, 204, answer.body);
  }
  const { id } = gateway.fake.addContainer();
  const chunked = requestText(gateway, `DELETE /v1/containers/${id}`, {
    headers: [jsonType, "Transfer-Encoding: chunked"],
  });
  assert.equal((await rawAnswer(gateway, `${chunked}0\r\n\r\n`)).status, 204);
});

test("a POST without a body needs no type", async (t) => {
  const gateway = await liveGateway(t);
  const { id } = gateway.fake.addContainer({ state: "created" });
  const start = requestText(gateway, `POST /v1/containers/${id}/start`, { headers: ["Content-Length: 0"] });
  assert.equal((await rawAnswer(gateway, start)).status, 204);
  const stop = requestText(gateway, `POST /v1/containers/${id}/stop`);
  assert.equal((await rawAnswer(gateway, stop)).status, 204);
});

/** `Accept` -> what comes of it, for an answer of JSON and for one without a body. */
const accepted: readonly {
  readonly accept: string | undefined;
  readonly json: number;
  /** Of a list, which has lines as well. */
  readonly list?: number;
}[] = [
  { accept: undefined, json: 200 },
  { accept: "", json: 200 },
  { accept: "*/*", json: 200 },
  { accept: "application/json", json: 200 },
  { accept: "APPLICATION/JSON", json: 200 },
  { accept: "application/*", json: 200 },
  { accept: "application/json, application/problem+json", json: 200 },
  { accept: "application/json, text/plain, */*", json: 200 },
  { accept: "text/html, application/xhtml+xml, application/xml;q=0.9, */*;q=0.8", json: 200 },
  { accept: "text/plain;q=0.5, application/json;q=0.1", json: 200 },
  { accept: "application/json;charset=utf-8", json: 200 },
  { accept: "application/problem+json", json: 406 },
  { accept: "application/json;q=0", json: 406 },
  { accept: "application/json;q=0, */*", json: 406, list: 200 },
  { accept: "application/xml", json: 406 },
  { accept: "text/*", json: 406 },
  { accept: "garbage", json: 406 },
];

test("Accept is taken as generated clients send it", async (t) => {
  const { ask, fake } = await liveGateway(t);
  const { id } = fake.addContainer({ state: "exited" });
  for (const { accept, json, list = json } of accepted) {
    const headers = accept === undefined ? {} : { accept };
    const answer = await ask("GET /v1/version", undefined, headers);
    assert.equal(answer.status, json, `${accept}: ${answer.text}`);
    assert.equal(
      answer.headers["content-type"],
      json === 200 ? "application/json" : "application/problem+json",
    );
    const pods = await ask("GET /v1/pods", undefined, headers);
    assert.equal(pods.status, list, `${accept}: ${pods.text}`);
    const none = await ask(`POST /v1/containers/${id}/stop`, undefined, headers);
    assert.equal(none.status, 204, `${accept}: ${none.text}`);
    const absent = await ask("GET /v1/nope", undefined, headers);
    assert.equal(absent.status, 404, `${accept}: ${absent.text}`);
    assert.equal(absent.headers["content-type"], "application/problem+json");
  }
});

test("of JSON and NDJSON the better one is answered, and of equals the first", async (t) => {
  const { ask, fake } = await liveGateway(t);
  fake.addPod();
  const typeOf = async (accept: string): Promise<string | undefined> =>
    (await ask("GET /v1/pods", undefined, { accept })).headers["content-type"];
  assert.equal(await typeOf("application/x-ndjson, application/json"), "application/x-ndjson");
  assert.equal(await typeOf("application/json, application/x-ndjson"), "application/json");
  assert.equal(await typeOf("application/x-ndjson, application/json;q=0.9"), "application/x-ndjson");
  assert.equal(await typeOf("application/x-ndjson, */*;q=0.1"), "application/x-ndjson");
});

test("X-Request-Id is taken when it is plain, and always answered", async (t) => {
  const gateway = await liveGateway(t);
  const idOf = async (given: string): Promise<string | undefined> => {
    const headers = [`X-Request-Id: ${given}`];
    return (await rawAnswer(gateway, requestText(gateway, "GET /v1/version", { headers }))).headers[
      "x-request-id"
    ];
  };
  assert.equal(await idOf("trace-1.a_B"), "trace-1.a_B");
  for (const bad of ["a b", "a/b", "a".repeat(65), "", "ä"]) {
    const made = await idOf(bad);
    assert.match(made ?? "", /^[0-9a-f-]{36}$/);
  }
});

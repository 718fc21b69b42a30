import assert from "node:assert/strict";
import { test } from "node:test";
import { checkAnswer, checkValue, operationAt, type Received } from "../support/document.ts";

const headers = { "x-request-id": "a", "content-type": "application/json" };
const version = {
  version: "0.1.0",
  runtimeName: "containerd",
  runtimeVersion: "1.6.20",
  runtimeApiVersion: "v1",
};
const problem = {
  ...{ type: "/docs/problems#not_found", title: "Not found", status: 404, detail: "None", code: "not_found" },
  retryable: false,
};
const answer = (status: number, body: unknown, others: object = {}): Received => ({
  ...{ status, text: JSON.stringify(body) },
  headers: {
    ...headers,
    ...(status >= 400 ? { "content-type": "application/problem+json" } : {}),
    ...others,
  },
});
const versioned = (body: unknown, others: object = {}): Received =>
  answer(200, body, { "crest-version": "0.1.0", ...others });
const fails = (why: RegExp, target: string, received: Received, method = "GET"): void =>
  assert.throws(() => checkAnswer(method, target, received), { name: "AssertionError", message: why });

test("what the document has passes", () => {
  checkAnswer("GET", "/v1/version", versioned(version));
  checkAnswer("GET", "/v1/version?x=1", answer(400, { ...problem, status: 400, code: "invalid_request" }));
  checkAnswer("GET", "/v1/pods/abc", answer(404, problem));
  checkAnswer("DELETE", "/v1/pods/abc", { status: 204, headers: { "x-request-id": "a" }, text: "" });
  const created = answer(201, { podSandboxId: "abc" }, { location: "/v1/pods/abc" });
  checkAnswer("POST", "/v1/pods", created);
  checkAnswer("GET", "/livez", answer(200, "anything"));
});

test("a member that the document does not have is refused, at any depth", () => {
  fails(/additional properties.*"build"/, "/v1/version", versioned({ ...version, build: "" }));
  const status = {
    ...{ status: { conditions: [{ type: "", status: true, reason: "", message: "", since: "1" }] } },
    ...{ info: {}, runtimeHandlers: [] },
  };
  fails(/\/status\/conditions\/0 .*"since"/, "/v1/runtime/status", answer(200, status));
  fails(/additional properties.*"hint"/, "/v1/pods/abc", answer(404, { ...problem, hint: "" }));
});

test("a member that the document promises is missed", () => {
  const { runtimeName: _name, ...rest } = version;
  fails(/required property 'runtimeName'/, "/v1/version", versioned(rest));
});

test("values are held to their type and format", () => {
  fails(/\/version must be string/, "/v1/version", versioned({ ...version, version: 1 }));
  const int64 = { type: "string", format: "int64", pattern: "^-?[0-9]{1,19}$" };
  checkValue("time", int64, "9223372036854775807");
  assert.throws(() => checkValue("time", int64, "9223372036854775808"), /format "int64"/);
});

test("a status, a code and a media type that the document does not have are refused", () => {
  fails(/has only 200,/, "/v1/version", answer(201, version));
  fails(/has only 200,/, "/v1/version", answer(409, { ...problem, status: 409, code: "conflict" }));
  fails(/has the codes not_found,/, "/v1/pods/a", answer(404, { ...problem, code: "route_not_found" }));
  fails(
    /application\/json for it, not "text\/html"/,
    "/v1/version",
    versioned(version, { "content-type": "text/html" }),
  );
  fails(/no body for it/, "/v1/pods/a", answer(204, {}), "DELETE");
  fails(/no such operation/, "/v1/nothing", answer(200, {}));
});

test("`default` is for what the runtime said, and for what comes before any operation", () => {
  const conflict = { ...problem, status: 409, code: "conflict", grpcCode: "ABORTED" };
  checkAnswer("GET", "/v1/version", answer(409, conflict));
  checkAnswer("GET", "/v1/version", answer(500, { ...problem, status: 500, code: "internal" }));
});

test("headers are held to the document: promised ones are there, others are not", () => {
  fails(/x-request-id is missing/, "/v1/version", versioned(version, { "x-request-id": undefined }));
  fails(/crest-version is missing/, "/v1/version", answer(200, version));
  fails(/location is missing/, "/v1/pods", answer(201, { podSandboxId: "a" }), "POST");
  fails(/does not have these headers/, "/v1/version", versioned(version, { etag: 'W/"x"' }));
  fails(/ETag/, "/v1/pods", answer(200, { items: [] }));
  fails(/pattern/, "/v1/pods", answer(200, { items: [] }, { etag: "x" }));
});

test("every line is held to the item's schema", () => {
  const lines = (text: string): Received => ({
    status: 200,
    headers: { ...headers, "content-type": "application/x-ndjson" },
    text,
  });
  checkAnswer("GET", "/v1/pods", lines(""));
  fails(/required property 'id'/, "/v1/pods", lines("{}\n"));
  fails(/not whole/, "/v1/pods", lines("{}"));
});

test("a path finds its operation, images with their slashes, HEAD that of GET", () => {
  const idOf = (method: string, path: string): string | undefined => operationAt(method, path)?.operationId;
  assert.equal(idOf("POST", "/v1/pods/restore"), "restorePod");
  assert.equal(idOf("HEAD", "/v1/images/docker.io/library/busybox:latest"), "getImage");
  assert.equal(idOf("POST", "/v1/containers//stop"), "stopContainer");
  assert.equal(idOf("PUT", "/v1/pods"), undefined);
});

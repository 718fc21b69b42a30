/** Pages of allowed origins: what their browser is told, and that nothing changes for anybody else. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { liveGateway, token } from "./live-gateway.ts";

/** The document says nothing of these headers, so the answers are not compared with it. */
async function ask(
  port: number,
  request: string,
  headers: { readonly [name: string]: string },
): Promise<{ readonly status: number; readonly headers: Headers; readonly text: string }> {
  const [method = "", path = ""] = request.split(" ");
  const response = await fetch(`http://127.0.0.1:${port}${path}`, { method, headers });
  return { status: response.status, headers: response.headers, text: await response.text() };
}

const page = "https://app.example";
const authorization = `Bearer ${token}`;

test("a preflight of an allowed page is answered without a token, whatever it asks for", async (t) => {
  const { fake, port } = await liveGateway(t, undefined, { allowOrigin: [page] });
  for (const path of ["/v1/pods", "/v1/containers/0123/exec", "/openapi.json", "/v1/nothing"]) {
    const { status, headers, text } = await ask(port, `OPTIONS ${path}`, {
      origin: page,
      "access-control-request-method": "DELETE",
      "access-control-request-headers": "authorization,content-type,x-own",
      "sec-fetch-site": "cross-site",
      "sec-fetch-mode": "cors",
    });
    assert.deepEqual([status, text], [204, ""], path);
    assert.equal(headers.get("access-control-allow-origin"), page);
    assert.equal(headers.get("access-control-allow-headers"), "authorization,content-type,x-own");
    assert.match(String(headers.get("access-control-allow-methods")), /\bDELETE\b.*\bPOST\b/);
    assert.equal(headers.get("access-control-allow-credentials"), null);
    assert.equal(headers.get("vary"), "Origin");
  }
  assert.deepEqual(fake.calls, []);
});

test("an allowed page reads answers, streams and problems", async (t) => {
  const { fake, port } = await liveGateway(t, undefined, { allowOrigin: [page] });
  const { id } = fake.addContainer({ state: "running" });
  const forms: readonly (readonly [string, number, { readonly [name: string]: string }])[] = [
    ["GET /v1/containers", 200, { authorization }],
    ["HEAD /v1/containers", 200, { authorization }],
    ["GET /v1/containers", 200, { authorization, accept: "application/x-ndjson" }],
    ["GET /v1/events", 200, { authorization, accept: "text/plain" }],
    [`GET /v1/containers/${id}`, 200, { authorization }],
    ["GET /v1/containers/feedfeedfeed", 404, { authorization }],
    ["GET /v1/containers", 401, { authorization: "Bearer wrong" }],
    ["GET /v1/nothing", 404, { authorization }],
    ["OPTIONS /v1/pods", 405, { authorization }],
    ["GET /openapi.json", 200, {}],
    ["GET /readyz", 200, {}],
  ];
  for (const [request, expected, headers] of forms) {
    const answer = await ask(port, request, {
      ...headers,
      origin: page,
      "sec-fetch-site": "cross-site",
    });
    assert.equal(answer.status, expected, request);
    assert.equal(answer.headers.get("access-control-allow-origin"), page, request);
    assert.equal(answer.headers.get("access-control-expose-headers"), "*", request);
    assert.match(String(answer.headers.get("vary")), /\bOrigin\b/, request);
  }
});

test("others are refused and told nothing, and requests without an origin are as before", async (t) => {
  const { port } = await liveGateway(t, undefined, { allowOrigin: [page] });
  for (const origin of ["https://evil.example", "null", `${page}.evil.example`]) {
    for (const method of ["OPTIONS", "GET"]) {
      const { status, headers } = await ask(port, `${method} /v1/pods`, {
        ...{ authorization, origin },
        "access-control-request-method": "GET",
      });
      assert.equal(status, 403);
      assert.equal(headers.get("access-control-allow-origin"), null);
    }
  }
  const plain = await ask(port, "GET /v1/pods", { authorization });
  assert.equal(plain.status, 200);
  for (const name of plain.headers.keys()) assert.doesNotMatch(name, /^(access-control-|vary$)/);
  // A cache may keep it.
  assert.match((await ask(port, "GET /openapi.json", {})).headers.get("vary") ?? "", /\bOrigin\b/);
});

test("without the flag no answer speaks of origins", async (t) => {
  const { port } = await liveGateway(t);
  const { status, headers } = await ask(port, "OPTIONS /v1/pods", {
    origin: page,
    "access-control-request-method": "GET",
  });
  assert.equal(status, 403);
  for (const name of headers.keys()) assert.doesNotMatch(name, /^(access-control-|vary$)/);
});

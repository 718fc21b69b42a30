/** What a connection does besides one request: upgrades, pipelining, HEAD, 100-continue, ends on one side. */
import assert from "node:assert/strict";
import { connect } from "node:net";
import { test } from "node:test";
import { eventually } from "../support/eventually.ts";
import { held } from "../support/fake-runtime.ts";
import { rawRequest } from "../support/raw-request.ts";
import { liveGateway, token } from "./live-gateway.ts";
import { begin, goodHeaders, problemIn, rawAnswer, rawAnswers, requestText } from "./raw-http.ts";

const jsonType = "Content-Type: application/json";

/** As Java's HttpClient sends it with its first request of every connection, and `curl --http2` too. */
const h2c = [
  "Connection: Upgrade, HTTP2-Settings",
  "HTTP2-Settings: AAEAAEAAAAIAAAAAAAMAAAAAAAQBAAAAAAUAAEAAAAYABgAA",
  "Upgrade: h2c",
];
const handshake = [
  "Connection: Upgrade",
  "Upgrade: websocket",
  "Sec-WebSocket-Version: 13",
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
];

test("an offer of HTTP/2 is passed over, with and without a body", async (t) => {
  const gateway = await liveGateway(t);
  const read = await rawAnswer(gateway, requestText(gateway, "GET /v1/version", { headers: h2c }));
  assert.equal(read.status, 200);
  const body = JSON.stringify({ metadata: { name: "web" } });
  const headers = [...h2c, jsonType];
  const ran = await rawAnswer(gateway, requestText(gateway, "POST /v1/pods", { headers, body }));
  assert.equal(ran.status, 201, ran.body);
  // The connection is HTTP/1.1 still.
  const socket = await begin(gateway, requestText(gateway, "GET /v1/version", { headers: h2c }));
  t.after(() => socket.destroy());
  let came = "";
  socket.on("data", (bytes) => {
    came += bytes.toString();
  });
  await eventually(() => came.endsWith("}\n"));
  socket.write(requestText(gateway, "GET /v1/nope"));
  await eventually(() => /HTTP\/1\.1 404 /.test(came));
});

test("other upgrades are passed over", async (t) => {
  const gateway = await liveGateway(t);
  for (const upgrade of ["TLS/1.0", "SPDY/3.1", "foo"]) {
    const headers = ["Connection: Upgrade", `Upgrade: ${upgrade}`];
    const answer = await rawAnswer(gateway, requestText(gateway, "GET /v1/version", { headers }));
    assert.equal(answer.status, 200, upgrade);
  }
});

test("a handshake behind an answer that is still owed is refused in its turn", async (t) => {
  const gateway = await liveGateway(t);
  const { id } = gateway.fake.addContainer();
  const gate = held();
  gateway.fake.on("RuntimeService/Version", gate.answer);
  for (const first of ["GET /v1/version", "GET /%zz"]) {
    const second = requestText(gateway, `GET /v1/containers/${id}/exec?command=true`, { headers: handshake });
    const answers = rawAnswers(gateway, requestText(gateway, first) + second);
    if (first === "GET /v1/version") await gate.arrived;
    gate.release();
    // And then the connection is closed.
    const statuses = (await answers).map(({ status }) => status);
    assert.deepEqual(statuses, [first === "GET /%zz" ? 400 : 200, 426]);
  }
  assert.equal(gateway.fake.callsOf("RuntimeService/Exec").length, 0);
});

test("a WebSocket handshake to a route that is none is a problem, never 101", async (t) => {
  const gateway = await liveGateway(t);
  const { id } = gateway.fake.addContainer();
  for (const path of ["/v1/version", "/v1/pods", `/v1/containers/${id}`, "/v1/images/busybox:1.36"]) {
    const answer = await rawAnswer(gateway, requestText(gateway, `GET ${path}`, { headers: handshake }));
    const problem = problemIn(answer, { status: 400, code: "invalid_request" });
    assert.match(String(problem.detail), /is not a WebSocket/);
  }
  const absent = await rawAnswer(gateway, requestText(gateway, "GET /v1/nope", { headers: handshake }));
  problemIn(absent, { status: 404, code: "route_not_found" });
  const head = handshake.map((line) => `${line}\r\n`).join("");
  const stranger = await rawAnswer(gateway, `GET /v1/pods HTTP/1.1\r\nHost: localhost\r\n${head}\r\n`);
  problemIn(stranger, { status: 401, code: "unauthenticated" });
  assert.equal((await gateway.ask("GET /v1/version")).status, 200);
  assert.deepEqual(gateway.logged, []);
});

test("pipelined requests are answered in order, however long each takes", async (t) => {
  const gateway = await liveGateway(t);
  const slow = held();
  gateway.fake.on("RuntimeService/Version", slow.answer, { once: true });
  const { id } = gateway.fake.addContainer();
  const body = JSON.stringify({ cmd: ["echo", "hello"] });
  const bytes = [
    requestText(gateway, "GET /v1/version"),
    requestText(gateway, "GET /v1/nope"),
    requestText(gateway, `POST /v1/containers/${id}/exec`, { headers: [jsonType], body }),
    requestText(gateway, "GET /v1/pods?limit=x"),
  ];
  const answers = rawAnswers(gateway, bytes.join(""), { count: 4 });
  await slow.arrived;
  slow.release();
  assert.deepEqual(
    (await answers).map(({ status }) => status),
    [200, 404, 200, 400],
  );
  assert.match((await answers)[2]?.body ?? "", /hello/);
});

test("HEAD is GET without the body", async (t) => {
  const gateway = await liveGateway(t);
  const { id } = gateway.fake.addContainer({ state: "exited" });
  for (const path of ["/v1/version", `/v1/containers/${id}`, "/v1/images", "/v1/grants", "/livez"]) {
    const headers = ["Connection: close"];
    const get = await rawAnswer(gateway, requestText(gateway, `GET ${path}`, { headers }));
    const head = await rawRequest(gateway.port, requestText(gateway, `HEAD ${path}`, { headers }));
    assert.equal(get.status, 200);
    const [status, ...lines] = head.toString().split("\r\n");
    assert.equal(status, "HTTP/1.1 200 OK");
    assert.ok(lines.includes(`content-length: ${Buffer.byteLength(get.body)}`), head.toString());
    assert.ok(head.toString().endsWith("\r\n\r\n"), "no body comes");
  }
});

test("Expect: 100-continue gets its 100, and what else is expected is passed over", async (t) => {
  const gateway = await liveGateway(t);
  const body = JSON.stringify({ metadata: { name: "web" } });
  const headers = [jsonType, "Expect: 100-continue"];
  const answers = await rawAnswers(gateway, requestText(gateway, "POST /v1/pods", { headers, body }), {
    count: 2,
  });
  assert.deepEqual(
    answers.map(({ status }) => status),
    [100, 201],
  );
  const odd = requestText(gateway, "GET /v1/version", { headers: ["Expect: a-miracle"] });
  assert.equal((await rawAnswer(gateway, odd)).status, 200);
});

test("HTTP/1.0 is answered, and the connection ends", async (t) => {
  const gateway = await liveGateway(t);
  const answers = await rawAnswers(gateway, `GET /v1/version HTTP/1.0\r\n${goodHeaders(gateway)}\r\n`);
  assert.equal(answers.length, 1);
  assert.equal(answers[0]?.status, 200);
});

test("a target may be in absolute form", async (t) => {
  const gateway = await liveGateway(t);
  const targets = [
    `http://127.0.0.1:${gateway.port}/v1/version`,
    "http://localhost/v1/version",
    "HTTP://LOCALHOST:1/v1/version",
    "http://localhost/livez?",
  ];
  for (const target of targets) {
    const answer = await rawAnswer(gateway, requestText(gateway, `GET ${target}`));
    assert.equal(answer.status, 200, `${target}: ${answer.body}`);
  }
  const root = await rawAnswer(gateway, requestText(gateway, "GET http://localhost"));
  const problem = problemIn(root, { status: 404, code: "route_not_found" });
  assert.equal(problem.instance, "/");
});

test("a client that ends its side after the request gets its answer", async (t) => {
  const gateway = await liveGateway(t);
  gateway.fake.addPod();
  const { id } = gateway.fake.addContainer();
  const exec = JSON.stringify({ cmd: ["sh", "-c", "sleep 0.5; echo done"] });
  const requests: { readonly [what: string]: string } = {
    read: requestText(gateway, "GET /v1/version"),
    list: requestText(gateway, "GET /v1/pods"),
    lines: requestText(gateway, "GET /v1/pods", { headers: ["Accept: application/x-ndjson"] }),
    problem: requestText(gateway, "GET /v1/nope"),
    "HTTP/1.0": `GET /v1/version HTTP/1.0\r\n${goodHeaders(gateway)}\r\n`,
    exec: requestText(gateway, `POST /v1/containers/${id}/exec`, { headers: [jsonType], body: exec }),
  };
  for (const [what, bytes] of Object.entries(requests)) {
    const answers = await rawAnswers(gateway, bytes, { end: true });
    const last = answers.at(-1);
    assert.ok(last && last.status >= 200, `${what}: no answer`);
    // Interim answers ask whether anyone is still there, when it takes long.
    assert.ok(answers.slice(0, -1).every(({ status }) => status === 100));
    if (what !== "exec") continue;
    assert.ok(answers.length > 1);
    assert.match(last.body, /done/);
  }
});

test("a client that ends its side in pipelined requests gets every answer", async (t) => {
  const gateway = await liveGateway(t);
  const one = requestText(gateway, "GET /v1/version");
  const answers = await rawAnswers(gateway, one + one + one, { end: true });
  assert.deepEqual(
    answers.map(({ status }) => status),
    [200, 200, 200],
  );
});

test("a client that ends its side in the middle of a request is told so", async (t) => {
  const gateway = await liveGateway(t);
  const cut: readonly string[] = [
    "GET /v1/ver",
    `GET /v1/version HTTP/1.1\r\n${goodHeaders(gateway)}`,
    `${requestText(gateway, "POST /v1/pods", { headers: [jsonType, "Content-Length: 9"] })}{`,
    `${requestText(gateway, "POST /v1/pods", { headers: [jsonType, "Transfer-Encoding: chunked"] })}9\r\n{`,
  ];
  for (const bytes of cut) {
    const [answer] = await rawAnswers(gateway, bytes, { end: true });
    assert.ok(answer, bytes);
    problemIn(answer, { status: 400, code: "invalid_request" });
  }
  assert.equal((await gateway.ask("GET /v1/version")).status, 200);
  assert.deepEqual(gateway.logged, []);
});

test("connections that say nothing cost nothing, and leave no trace", async (t) => {
  const gateway = await liveGateway(t);
  const closed = Array.from(
    { length: 20 },
    () =>
      new Promise((resolve) => {
        const socket = connect(gateway.port, "127.0.0.1", () => socket.end());
        socket.on("close", resolve);
        socket.resume();
      }),
  );
  await Promise.all(closed);
  assert.equal((await gateway.ask("GET /v1/version")).status, 200);
  assert.deepEqual(gateway.logged, []);
});

test("many small parts of a request are one request", async (t) => {
  const gateway = await liveGateway(t);
  const body = JSON.stringify({ metadata: { name: "web" } });
  const text = requestText(gateway, "POST /v1/pods", { headers: [jsonType, "Connection: close"], body });
  const socket = connect({ port: gateway.port, host: "127.0.0.1", noDelay: true });
  t.after(() => socket.destroy());
  let came = "";
  socket.on("data", (bytes) => {
    came += bytes.toString();
  });
  for (const byte of text) {
    await new Promise((resolve) => socket.write(byte, resolve));
  }
  await new Promise((resolve) => socket.on("close", resolve));
  assert.match(came, /^HTTP\/1\.1 201 /);
  assert.ok(!came.includes(token));
});

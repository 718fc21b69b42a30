/**
 * Requests whose end two servers could see at different places, each with a second request behind it. If a proxy took
 * that one for a part of the first, nobody has checked it: it must never run.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { routes } from "../../src/routes/index.ts";
import { maxHeaders } from "../../src/server/request-checks.ts";
import { type LiveGateway, liveGateway, token } from "./live-gateway.ts";
import { goodHeaders, problemIn, rawAnswer, rawAnswers, requestText } from "./raw-http.ts";
import { caseOf, targetOf } from "./table-cases.ts";

const jsonType = "Content-Type: application/json";
const chunked = "Transfer-Encoding: chunked";

/** A gateway, and a request that stops a container: what is smuggled. */
async function attacked(t: Parameters<typeof liveGateway>[0]) {
  const gateway = await liveGateway(t);
  const { id } = gateway.fake.addContainer({ state: "running" });
  const second = requestText(gateway, `POST /v1/containers/${id}/stop`, { headers: ["Content-Length: 0"] });
  return { gateway, second, stops: () => gateway.fake.callsOf("RuntimeService/StopContainer").length };
}

/** A pull whose headers end as `lines` say, and what stands behind them. */
const pull = (gateway: LiveGateway, lines: readonly string[], behind: string, version = "1.1"): string =>
  `POST /v1/images/pull HTTP/${version}\r\n${goodHeaders(gateway)}${[jsonType, ...lines].map((line) => `${line}\r\n`).join("")}\r\n${behind}`;

/** Header lines; the second request follows an empty chunked body. */
const ambiguousHeaders: { readonly [name: string]: (length: number) => readonly string[] } = {
  "CL.TE": (length) => [`Content-Length: ${length + 5}`, chunked],
  "TE.CL": () => [chunked, "Content-Length: 5"],
  "chunked, then identity": () => [chunked, "Transfer-Encoding: identity"],
  "identity, then chunked": () => ["Transfer-Encoding: identity", chunked],
  "identity and chunked in one line": () => ["Transfer-Encoding: identity, chunked"],
  "chunked and identity in one line": () => ["Transfer-Encoding: chunked, identity"],
  "chunked twice": () => [chunked, chunked],
  "chunked twice in one line": () => ["Transfer-Encoding: chunked, chunked"],
  "an empty coding before chunked": () => ["Transfer-Encoding: ,chunked"],
  "an empty coding behind chunked": () => ["Transfer-Encoding: chunked,"],
  "no coding": () => ["Transfer-Encoding:"],
  "no coding, and a length": (length) => ["Transfer-Encoding:", `Content-Length: ${length + 5}`],
  "identity alone": () => ["Transfer-Encoding: identity"],
  "chunked in quotes": () => ['Transfer-Encoding: "chunked"'],
  "chunked with a parameter": () => ["Transfer-Encoding: chunked;q=1"],
  "chunked behind a vertical tab": () => ["Transfer-Encoding: \x0bchunked"],
  "a space before the colon": (length) => ["Transfer-Encoding : chunked", `Content-Length: ${length + 5}`],
  "a space before the name": (length) => [` ${chunked}`, `Content-Length: ${length + 5}`],
  "a folded line": (length) => ["X-A: a", ` ${chunked}`, `Content-Length: ${length + 5}`],
  "a line that ends without CR": (length) => [`X-A: a\n${chunked}`, `Content-Length: ${length + 5}`],
  "a line that ends without LF": (length) => [`X-A: a\r${chunked}`, `Content-Length: ${length + 5}`],
  "a NUL in a value": (length) => [`X-A: a\0${chunked}`, `Content-Length: ${length + 5}`],
  "a name with a space": (length) => ["Transfer Encoding: chunked", `Content-Length: ${length + 5}`],
  "a name with a NUL": (length) => ["Transfer-Encoding\0: chunked", `Content-Length: ${length + 5}`],
  "no name": (length) => [": chunked", `Content-Length: ${length + 5}`],
  "no colon": (length) => ["Transfer-Encoding", `Content-Length: ${length + 5}`],
  "the same length twice": () => ["Content-Length: 5", "Content-Length: 5"],
  "two lengths": (length) => ["Content-Length: 5", `Content-Length: ${length + 5}`],
  "two lengths in one line": () => ["Content-Length: 5, 5"],
  "a length in hexadecimal": () => ["Content-Length: 0x5"],
  "a length with a sign": () => ["Content-Length: +5"],
  "a negative length": () => ["Content-Length: -5"],
  "a length with a space in it": () => ["Content-Length: 0 5"],
  "a length over 64 bits": () => ["Content-Length: 18446744073709551621"],
  "no length": () => ["Content-Length:"],
  "a length with a space before the colon": () => ["Content-Length : 5"],
};

/** Bodies in chunks; the second request follows them. */
const ambiguousChunks: { readonly [name: string]: string } = {
  "a size that ends without CR": "2\n{}\r\n0\r\n\r\n",
  "data that ends without CR": "2\r\n{}\n0\r\n\r\n",
  "data that does not end": "2\r\n{}0\r\n\r\n",
  "an extension that ends without CR": "2;a\n{}\r\n0\r\n\r\n",
  "an extension with a CR": "2;a\rb\r\n{}\r\n0\r\n\r\n",
  "a size with 0x": "0x2\r\n{}\r\n0\r\n\r\n",
  "a size behind a space": " 2\r\n{}\r\n0\r\n\r\n",
  "a size before a space": "2 \r\n{}\r\n0\r\n\r\n",
  "a negative size": "-2\r\n{}\r\n0\r\n\r\n",
  "a size over 64 bits": "10000000000000002\r\n{}\r\n0\r\n\r\n",
  "no size": "\r\n{}\r\n0\r\n\r\n",
  "a last chunk that ends without CR": "2\r\n{}\r\n0\n\n",
  "a trailer that ends without CR": "2\r\n{}\r\n0\r\n\n",
  "a trailer with a length": "2\r\n{}\r\n0\r\nContent-Length: 9\r\n\r\n",
};

test("what stands behind a request whose end is uncertain never runs, and the connection ends", async (t) => {
  const { gateway, second, stops } = await attacked(t);
  const attacks: { readonly [name: string]: string } = {
    ...Object.fromEntries(
      Object.entries(ambiguousHeaders).map(([name, lines]) => [
        name,
        pull(gateway, lines(second.length), `0\r\n\r\n${second}`),
      ]),
    ),
    ...Object.fromEntries(
      Object.entries(ambiguousChunks).map(([name, body]) => [name, pull(gateway, [chunked], body + second)]),
    ),
    "chunks with HTTP/1.0": pull(gateway, [chunked], `0\r\n\r\n${second}`, "1.0"),
    "chunks with HTTP/1.0 that goes on": pull(
      gateway,
      ["Connection: keep-alive", chunked],
      `0\r\n\r\n${second}`,
      "1.0",
    ),
    "HTTP/0.9": pull(gateway, ["Content-Length: 0"], second, "0.9"),
    "HTTP/2.0 in a start line": pull(gateway, ["Content-Length: 0"], second, "2.0"),
    RTSP: `SETUP /livez RTSP/1.0\r\n${goodHeaders(gateway)}\r\n${second}`,
    "HTTP/2 from the first byte on": `PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n${second}`,
    "an empty line without CR": `POST /v1/images/pull HTTP/1.1\r\n${goodHeaders(gateway)}\n${second}`,
    "a start line without CR": `GET /livez HTTP/1.1\n${goodHeaders(gateway)}\r\n${second}`,
    "a start line with tabs": `GET\t/livez\tHTTP/1.1\r\n${goodHeaders(gateway)}\r\n${second}`,
    "a space in the target": `GET /livez /livez HTTP/1.1\r\n${goodHeaders(gateway)}\r\n${second}`,
  };
  for (const [name, bytes] of Object.entries(attacks)) {
    // Resolves when the gateway has closed the connection.
    const answers = await rawAnswers(gateway, Buffer.from(bytes, "latin1"));
    assert.deepEqual(
      answers.map(({ status, headers }) => [status, headers.connection]),
      [[400, "close"]],
      name,
    );
    for (const answer of answers) problemIn(answer, { status: 400, code: "invalid_request" });
  }
  assert.equal(stops(), 0);
  assert.equal((await gateway.ask("GET /v1/version")).status, 200);
  assert.deepEqual(gateway.logged, []);
});

test("a header behind so many others that Node would drop it is not overlooked", async (t) => {
  const { gateway, second, stops } = await attacked(t);
  const many = Array.from({ length: maxHeaders }, (_, at) => `X-${at}: a`);
  const socket = ["Connection: Upgrade", "Upgrade: websocket"];
  const hidden: readonly string[][] = [
    [chunked],
    ["Transfer-Encoding: identity", chunked],
    ["Content-Length: 5"],
  ];
  for (const last of [...hidden, ["Host: evil.example"], ["Origin: http://evil.example"], socket]) {
    const bytes = `GET /livez HTTP/1.1\r\nHost: localhost\r\n${[...many, ...last].join("\r\n")}\r\n\r\n`;
    const answers = await rawAnswers(gateway, `${bytes}0\r\n\r\n${second}`);
    assert.equal(answers.length, 1);
    for (const answer of answers) problemIn(answer, { status: 431, code: "headers_too_large" });
  }
  assert.equal(stops(), 0);
  const allowed = many.slice(3);
  assert.equal(
    (await rawAnswer(gateway, requestText(gateway, "GET /v1/version", { headers: allowed }))).status,
    200,
  );
});

test("what is valid, if rare, is understood as it is meant, and what follows is a request", async (t) => {
  const { gateway, second, stops } = await attacked(t);
  const rare: { readonly [name: string]: string } = {
    "a coding in capitals": pull(gateway, ["TRANSFER-ENCODING: CHUNKED"], "2\r\n{}\r\n0\r\n\r\n"),
    "a coding behind a tab": pull(gateway, ["Transfer-Encoding:\tchunked"], "2\r\n{}\r\n0\r\n\r\n"),
    "an extension": pull(gateway, [chunked], '2;a="b"\r\n{}\r\n0;c\r\n\r\n'),
    "a trailer": pull(gateway, [chunked], "2\r\n{}\r\n0\r\nX-A: b\r\n\r\n"),
    "zeros before a size": pull(gateway, [chunked], "00000002\r\n{}\r\n000\r\n\r\n"),
    "zeros before a length": pull(gateway, ["Content-Length: 0002"], "{}"),
  };
  for (const [at, [name, bytes]] of Object.entries(rare).entries()) {
    const answers = await rawAnswers(gateway, bytes + second, { count: 2 });
    assert.deepEqual(
      answers.map(({ status }) => status),
      [400, 204],
      name,
    );
    assert.match(
      String(problemIn(answers[0] as never, { status: 400, code: "invalid_request" }).detail),
      /image/,
    );
    assert.equal(stops(), at + 1, name);
  }
});

test("a body is never a request, also where nobody reads it", async (t) => {
  const { gateway, second, stops } = await attacked(t);
  const framed = [`Content-Length: ${second.length}`];
  const stranger = (start: string) =>
    `${start} HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${second.length}\r\n\r\n`;
  const attacks: { readonly [name: string]: readonly [bytes: string, status: number] } = {
    "a read": [requestText(gateway, "GET /v1/version", { headers: framed }), 200],
    "an unknown route": [requestText(gateway, "POST /v1/nope", { headers: framed }), 404],
    "another type": [
      requestText(gateway, "POST /v1/pods", { headers: ["Content-Type: text/plain", ...framed] }),
      415,
    ],
    "a path that cannot be read": [requestText(gateway, "POST /%zz", { headers: framed }), 400],
    "another method": [requestText(gateway, "PUT /v1/pods", { headers: framed }), 405],
    "no token": [stranger("POST /v1/pods"), 401],
    "a page": [stranger("GET /docs/problems"), 200],
  };
  const next = requestText(gateway, "GET /v1/nope");
  for (const [name, [bytes, status]] of Object.entries(attacks)) {
    const answers = await rawAnswers(gateway, bytes + second + next, { count: 2 });
    assert.deepEqual(
      answers.map((answer) => answer.status),
      [status, 404],
      name,
    );
  }
  assert.equal(stops(), 0);
});

const handshake = [
  "Connection: Upgrade",
  "Upgrade: websocket",
  "Sec-WebSocket-Version: 13",
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
];

test("what stands behind a refused upgrade never runs, and the connection ends", async (t) => {
  const { gateway, second, stops } = await attacked(t);
  const { id } = gateway.fake.addContainer({ state: "running" });
  const exec = `GET /v1/containers/${id}/exec?command=true`;
  const length = `Content-Length: ${second.length}`;
  const ask = (start: string, ...headers: readonly string[]) => requestText(gateway, start, { headers });
  const attacks: { readonly [name: string]: readonly [bytes: string, status: number] } = {
    "no token": [
      `${exec} HTTP/1.1\r\nHost: localhost\r\n${handshake.map((line) => `${line}\r\n`).join("")}\r\n`,
      401,
    ],
    "a foreign origin": [ask(exec, ...handshake, "Origin: http://evil.example"), 403],
    "no WebSocket": [ask("GET /v1/pods", ...handshake), 400],
    "no WebSocket, with a body": [ask("GET /v1/pods", ...handshake, length), 400],
    "no WebSocket, with chunks": [`${ask("GET /v1/pods", ...handshake, chunked)}0\r\n\r\n`, 400],
    "a body": [ask(exec, ...handshake, length), 400],
    chunks: [`${ask(exec, ...handshake, chunked)}0\r\n\r\n`, 400],
    "a coding that is none": [ask(exec, ...handshake, "Transfer-Encoding: identity"), 400],
    "two upgrades": [ask(exec, ...handshake, "Upgrade: h2c"), 426],
    SPDY: [ask(exec, "Connection: Upgrade", "Upgrade: SPDY/3.1"), 426],
    "an upgrade that is passed over": [
      ask("GET /v1/version", "Connection: Upgrade", "Upgrade: TLS/1.0"),
      200,
    ],
    "HTTP/1.0": [ask(exec, ...handshake).replace("HTTP/1.1", "HTTP/1.0"), 426],
    "HTTP/2.0": [ask(exec, ...handshake).replace("HTTP/1.1", "HTTP/2.0"), 400],
    RTSP: [ask(exec, ...handshake).replace(/^GET (.*) HTTP/, "SETUP $1 RTSP"), 400],
    CONNECT: [ask("CONNECT localhost:1"), 405],
  };
  for (const [name, [bytes, status]] of Object.entries(attacks)) {
    const answers = await rawAnswers(gateway, bytes + second);
    assert.deepEqual(
      answers.map((answer) => answer.status),
      [status],
      name,
    );
  }
  assert.equal(stops(), 0);
  assert.equal(gateway.fake.callsOf("RuntimeService/Exec").length, 0);
});

test("a credential or a host that stands twice is refused, whichever is good", async (t) => {
  const { gateway } = await attacked(t);
  const good = [`Authorization: Bearer ${token}`, "Authorization: Bearer wrong"];
  for (const lines of [good, good.toReversed(), [good[0], good[0]]]) {
    const text = `GET /v1/version HTTP/1.1\r\nHost: localhost\r\n${lines.join("\r\n")}\r\n\r\n`;
    const problem = problemIn(await rawAnswer(gateway, text), { status: 400, code: "invalid_request" });
    assert.match(String(problem.detail), /more than one Authorization/);
  }
  const elsewhere = [
    "GET http://evil.example/v1/version HTTP/1.1\r\nHost: localhost",
    "GET http://localhost/v1/version HTTP/1.1\r\nHost: evil.example",
    "GET http://user@localhost/v1/version HTTP/1.1\r\nHost: localhost",
    "GET http://localhost@evil.example/v1/version HTTP/1.1\r\nHost: localhost",
    "GET /v1/version HTTP/1.1\r\nHost: user@localhost",
    "GET /v1/version HTTP/1.1\r\nHost: localhost.",
    "GET /v1/version HTTP/1.1\r\nHost: localhost, evil.example",
    "GET /v1/version HTTP/1.1\r\nHost: [::1%25lo]",
    "GET /v1/version HTTP/1.1\r\nHost: evil.example\r\nX-Forwarded-Host: localhost\r\nForwarded: host=localhost",
  ];
  for (const start of elsewhere) {
    const answer = await rawAnswer(gateway, `${start}\r\n${good[0]}\r\n\r\n`);
    problemIn(answer, { status: 403, code: "host_not_allowed" });
  }
  assert.deepEqual(
    (await rawAnswer(gateway, `GET /v1/version HTTP/1.1\r\nHost: LocalHost:1\r\n${good[0]}\r\n\r\n`)).status,
    200,
  );
});

test("requests of foreign pages are refused on every route before anything runs, and nothing allows reading", async (t) => {
  const { gateway } = await attacked(t);
  const own = `http://127.0.0.1:${gateway.port}`;
  const foreign: readonly (readonly string[])[] = [
    ["Origin: http://evil.example"],
    ["Origin: null"],
    ["Origin:"],
    [`Origin: https://127.0.0.1:1`],
    [`Origin: ${own}`, "Origin: http://evil.example"],
    ["Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: no-cors", "Sec-Fetch-Dest: image"],
    ["Sec-Fetch-Site: same-site", "Sec-Fetch-Mode: cors", "Sec-Fetch-Dest: empty"],
    ["Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: iframe"],
    [
      `Origin: ${own}`,
      "Sec-Fetch-Site: cross-site",
      "Sec-Fetch-Mode: websocket",
      "Sec-Fetch-Dest: websocket",
    ],
  ];
  const starts = [
    ...routes.map((route) => targetOf(caseOf(gateway.fake, route))),
    ...[
      "GET /livez",
      "GET /readyz",
      "GET /metrics",
      "GET /openapi.json",
      "GET /docs",
      "OPTIONS /v1/pods",
      "GET /",
    ],
  ];
  gateway.fake.calls.length = 0;
  for (const start of starts) {
    for (const headers of foreign) {
      const answer = await rawAnswer(gateway, requestText(gateway, start, { headers }));
      problemIn(answer, { status: 403, code: "origin_not_allowed" });
      const shared = Object.keys(answer.headers).filter((name) => name.startsWith("access-control-"));
      assert.deepEqual(shared, [], start);
    }
  }
  assert.deepEqual(gateway.fake.calls, []);
  const visits = [
    ["Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document"],
    ["Sec-Fetch-Site: none", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document"],
    [`Origin: ${own}`, "Sec-Fetch-Site: same-origin", "Sec-Fetch-Mode: cors", "Sec-Fetch-Dest: empty"],
  ];
  for (const headers of visits) {
    const answer = await rawAnswer(gateway, requestText(gateway, "GET /docs/problems", { headers }));
    assert.equal(answer.status, 200);
    assert.equal(answer.headers["access-control-allow-origin"], undefined);
  }
});

/** What an address may use without a valid token: idle connections, unfinished headers, wrong tokens. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { connect as connectTcp, type Socket } from "node:net";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { connect as connectTls } from "node:tls";
import { loadTls } from "../../src/tls/identity.ts";
import { eventually } from "../support/eventually.ts";
import { selfSigned } from "../support/spdy-certificate.ts";
import { sessionGateway, token } from "../support/spdy-gateway.ts";
import { tempDir } from "../support/temp-dir.ts";
import { type LiveGateway, liveGateway } from "./live-gateway.ts";
import { goodHeaders, problemIn, rawAnswer, rawAnswers, requestText } from "./raw-http.ts";

/** Opens connections from an address of this machine, and writes `bytes` on each. */
async function opened(
  t: TestContext,
  { port }: Pick<LiveGateway, "port">,
  { count, from = "127.0.0.1", bytes = "" }: { count: number; from?: string; bytes?: string },
): Promise<readonly Socket[]> {
  const sockets = await Promise.all(
    Array.from({ length: count }, async () => {
      const socket = connectTcp({ port, host: "127.0.0.1", localAddress: from });
      socket.on("error", () => undefined);
      await once(socket, "connect");
      // Otherwise nobody notices that the gateway closes it.
      socket.resume();
      if (bytes !== "") socket.write(bytes);
      return socket;
    }),
  );
  t.after(() => {
    for (const socket of sockets) socket.destroy();
  });
  return sockets;
}

const openOf = (sockets: readonly Socket[]): number => sockets.filter(({ closed }) => !closed).length;

test("of 1,000 idle connections of one address the newest stay, and whoever sends a token gets in", async (t) => {
  const anonymousLimits = { connections: 50, requestsPerSecond: 100 };
  const gateway = await liveGateway(t, "containerd-2.1", { anonymousLimits });
  assert.equal((await gateway.ask("GET /v1/version")).status, 200);
  const [elsewhere] = await opened(t, gateway, { count: 1, from: "127.0.0.2" });
  const idle = await opened(t, gateway, { count: 1000 });
  await eventually(() => openOf(idle) === 50, { timeoutMs: 20_000 });
  assert.equal(elsewhere?.closed, false, "another address does not notice");
  const { status } = await rawAnswer(gateway, requestText(gateway, "GET /v1/version"));
  assert.equal(status, 200);
  assert.equal((await gateway.ask("GET /v1/version")).status, 200);
  const { text } = await gateway.ask("GET /metrics");
  assert.match(text, /^crest_limit_refusals_total\{limit="anonymousConnections"\} 9[0-9]{2}$/m);
  assert.equal(gateway.logged.length, 1, "once a minute");
  assert.match(gateway.logged[0]?.message ?? "", /its address has as many as --anonymous-connections/);
});

test("connections with unfinished headers make room, and do not shorten the headers of another address", async (t) => {
  const anonymousLimits = { connections: 400, requestsPerSecond: 100 };
  const gateway = await liveGateway(t, "containerd-2.1", { anonymousLimits });
  const slow = await opened(t, gateway, {
    count: 1000,
    from: "127.0.0.2",
    bytes: `GET /v1/version HTTP/1.1\r\n${goodHeaders(gateway)}X-Slow: `,
  });
  await eventually(() => openOf(slow) === 400, { timeoutMs: 20_000 });
  const long = requestText(gateway, "GET /v1/version", { headers: [`X-Long: ${"x".repeat(300 * 1024)}`] });
  assert.equal((await rawAnswer(gateway, long)).status, 200);
  slow.findLast(({ closed }) => !closed)?.write("done\r\n\r\n");
  await eventually(() => openOf(slow) === 400);
});

test("a connection over which a valid token has come stays, whatever comes after it", async (t) => {
  const anonymousLimits = { connections: 3, requestsPerSecond: 100 };
  const gateway = await liveGateway(t, "containerd-2.1", { anonymousLimits });
  const mine = connectTcp(gateway.port, "127.0.0.1");
  t.after(() => mine.destroy());
  mine.write(requestText(gateway, "GET /v1/version"));
  await once(mine, "data");
  const others = await opened(t, gateway, { count: 100 });
  await eventually(() => openOf(others) === 3);
  mine.write(requestText(gateway, "GET /v1/version"));
  const [bytes] = (await once(mine, "data")) as [Buffer];
  assert.match(bytes.toString("latin1"), /^HTTP\/1\.1 200 /);
});

test("over TLS, unfinished handshakes make room, and a connection with a token stays", async (t) => {
  const folder = await tempDir(t);
  const files = { cert: join(folder, "tls.crt"), key: join(folder, "tls.key") };
  const { cert, key } = selfSigned();
  writeFileSync(files.cert, cert);
  writeFileSync(files.key, key, { mode: 0o600 });
  const gateway = await sessionGateway(t, {
    tls: { files, identity: await loadTls(files) },
    anonymousLimits: { connections: 5, requestsPerSecond: 100 },
  });
  const mine = connectTls({ port: gateway.port, host: "127.0.0.1", rejectUnauthorized: false });
  t.after(() => mine.destroy());
  await once(mine, "secureConnect");
  const text = `GET /v1/version HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${token}\r\n\r\n`;
  mine.write(text);
  await once(mine, "data");
  const others = await opened(t, gateway, { count: 100 });
  await eventually(() => openOf(others) === 5);
  mine.write(text);
  const [bytes] = (await once(mine, "data")) as [Buffer];
  assert.match(bytes.toString("latin1"), /^HTTP\/1\.1 200 /);
});

test("wrong tokens are 401, then 429 on a connection that is closed; the right one passes at once", async (t) => {
  const gateway = await liveGateway(t, "containerd-2.1", {
    anonymousLimits: { connections: 1000, requestsPerSecond: 1 },
  });
  const wrong = `GET /v1/version HTTP/1.1\r\nHost: 127.0.0.1:${gateway.port}\r\nAuthorization: Bearer wrong-token-000000\r\n\r\n`;
  const answers = await rawAnswers(gateway, wrong.repeat(10), { count: 10 });
  assert.ok(answers.every(({ status }) => status === 401));
  const none = `GET /readyz?verbose HTTP/1.1\r\nHost: 127.0.0.1:${gateway.port}\r\n\r\n`;
  for (const text of [wrong, none]) {
    // Until the gateway closes the connection. During the pause there may be room for another 401.
    const refused = (await rawAnswers(gateway, text.repeat(4))).at(-1);
    assert.ok(refused);
    const problem = problemIn(refused, { status: 429, code: "too_many_requests" });
    assert.deepEqual(
      [problem.limit, problem.max, problem.setting],
      ["anonymousRequestsPerSecond", 1, "--anonymous-requests"],
    );
    assert.match(refused.headers["retry-after"] ?? "", /^[1-9]$/);
  }
  assert.equal((await gateway.ask("GET /v1/version")).status, 200);
  // A proxy on this machine speaks for those who open pages and probe the gateway.
  for (const path of ["/livez", "/readyz", "/docs", "/openapi.json"])
    assert.equal((await gateway.ask(`GET ${path}`)).status, 200, path);
});

test("a handshake with a wrong token counts, and one with the right token opens a session all the same", async (t) => {
  const gateway = await sessionGateway(t, { anonymousLimits: { connections: 1000, requestsPerSecond: 1 } });
  const path = `${gateway.container}/exec?command=ls`;
  const statuses = new Set<number>();
  await eventually(async () => {
    const { status } = await gateway.refusal(path, {
      headers: { authorization: "Bearer wrong-token-000000" },
    });
    statuses.add(status);
    return status === 429;
  });
  assert.deepEqual([...statuses], [401, 429]);
  await gateway.open(path).opened;
});

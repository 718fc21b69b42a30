import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, createServer as createPlainServer } from "node:net";
import { networkInterfaces } from "node:os";
import { type TestContext, test } from "node:test";
import { GatewayError } from "../../../src/errors.ts";
import { type DialOptions, dial } from "../../../src/streaming/dial.ts";
import { SpdyProtocolError } from "../../../src/streaming/spdy/frames.ts";
import { eventually } from "../../support/eventually.ts";
import { freePort } from "../../support/free-port.ts";
import { selfSigned } from "../../support/spdy-certificate.ts";
import { createSpdyServer, type SpdyServerOptions } from "../../support/spdy-server.ts";
import { dataBytes } from "../../support/spdy-wire.ts";

const command: DialOptions = { protocol: "v4.channel.k8s.io", timeoutMs: 5000 };

async function serve(t: TestContext, options: SpdyServerOptions = {}) {
  const server = await createSpdyServer(options);
  t.after(() => server.close());
  return server;
}

/** Dials, and gives the refusal, which tells no token. */
async function refusalOf(url: string, options: DialOptions = command): Promise<string> {
  const error = await dial(url, options).then(
    (connection) => {
      connection.destroy();
      return undefined;
    },
    (error: unknown) => error,
  );
  assert.ok(error instanceof GatewayError, `it was not refused as it should be: ${String(error)}`);
  assert.equal(error.code, "runtime_error");
  const token = url.slice(url.lastIndexOf("/") + 1);
  assert.ok(!`${error.stack}${String(error.cause)}`.includes(token), "the token is told");
  return error.message;
}

test("a session is opened with one POST, its protocol and no header that is nobody's business", async (t) => {
  const server = await serve(t);
  const url = server.issue("exec");
  const connection = await dial(url, command);
  const { pathname } = new URL(url);
  assert.deepEqual(server.requests, [`POST ${pathname}`]);
  const headers = { ...server.sessions[0]?.requestHeaders };
  assert.deepEqual(headers, {
    host: `127.0.0.1:${server.port}`,
    connection: "upgrade",
    upgrade: "SPDY/3.1",
    "x-stream-protocol-version": "v4.channel.k8s.io",
    "content-length": "0",
  });
  connection.createStream({ streamtype: "error" });
  await server.sessions[0]?.stream("error");
  connection.destroy();
  assert.equal(await connection.closed, undefined);
  await server.sessions[0]?.closed;
});

test("a server on IPv6's loopback is reached", async (t) => {
  const hasIpv6 = Object.values(networkInterfaces())
    .flat()
    .some((address) => address?.address === "::1");
  if (!hasIpv6) return t.skip("this machine has no ::1");
  const server = await serve(t, { host: "::1" });
  const connection = await dial(server.issue("attach"), command);
  await connection.ping();
  connection.destroy();
});

test("cri-dockerd's URL is reached, with every address as loopback", async (t) => {
  const server = await serve(t, { host: "0.0.0.0" });
  const token = new URL(server.issue("exec")).pathname.split("/").at(-1);
  const connection = await dial(`//[::]:${server.port}/cri/exec/${token}`, command);
  await connection.ping();
  connection.destroy();
});

test("bytes that come with the 101 are not lost", async (t) => {
  const server = await serve(t);
  // Data for a stream before it is known to the server: ids are given in order, so it can be guessed.
  server.head = Buffer.concat([dataBytes(1, Buffer.from("early")), dataBytes(1, Buffer.from(" bird"), 1)]);
  for (const kind of ["exec", "portforward"] as const) {
    const protocol = kind === "exec" ? command.protocol : "portforward.k8s.io";
    const connection = await dial(server.issue(kind), { ...command, protocol });
    const stream = connection.createStream({ streamtype: "error" });
    const chunks: Buffer[] = [];
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    await once(stream, "end");
    assert.equal(Buffer.concat(chunks).toString(), "early bird");
    connection.destroy();
  }
});

test("a server that refuses is told with its status, and asked once", async (t) => {
  const server = await serve(t);
  for (const status of [200, 204, 400, 403, 404, 500, 503]) {
    server.refusal = { status, body: "page not found" };
    const before = server.requests.length;
    assert.match(await refusalOf(server.issue("exec")), new RegExp(`its server answered ${status}$`));
    assert.equal(server.requests.length, before + 1);
  }
});

test("a token works once", async (t) => {
  const server = await serve(t);
  const url = server.issue("exec");
  (await dial(url, command)).destroy();
  assert.match(await refusalOf(url), /answered 404/);
});

test("a protocol that the server does not speak is refused with its 403", async (t) => {
  const server = await serve(t);
  const message = await refusalOf(server.issue("exec"), { ...command, protocol: "v5.channel.k8s.io" });
  assert.match(message, /answered 403/);
});

test("redirects are not followed", async (t) => {
  const [server, other] = [await serve(t), await serve(t)];
  for (const status of [301, 302, 303, 307, 308]) {
    server.refusal = { status, headers: { Location: other.issue("exec") } };
    assert.match(await refusalOf(server.issue("exec")), new RegExp(`answered ${status}`));
  }
  assert.deepEqual(other.requests, []);
});

test("a server that switches to something else is refused, and let go", async (t) => {
  const server = await serve(t);
  for (const upgrade of ["websocket", "h2c", "SPDY/2"]) {
    server.upgradeHeaders = { Upgrade: upgrade };
    assert.match(await refusalOf(server.issue("exec")), /did not switch to SPDY\/3\.1/);
    await server.sessions.at(-1)?.closed;
  }
  server.upgradeHeaders = { Upgrade: "spdy/3.1" };
  (await dial(server.issue("exec"), command)).destroy();
});

test("a server that speaks no HTTP, or ends at once, is refused", async (t) => {
  const server = await serve(t);
  for (const bytes of [
    Buffer.from("SSH-2.0-OpenSSH_9.2p1\r\n"),
    Buffer.from("HTTP/1.1 101 Switching Protocols\r\n\r\n"),
    Buffer.from("HTTP/1.1 101 Switching"),
    Buffer.alloc(0),
    Buffer.alloc(100_000, "A"),
    Buffer.from([0, 1, 2, 3, 255]),
  ]) {
    server.refusal = bytes;
    assert.match(await refusalOf(server.issue("exec")), /^Cannot open the runtime's stream: /);
  }
});

test("a server that speaks no SPDY behind the 101 ends the session with the reason", async (t) => {
  const server = await serve(t);
  server.head = Buffer.from([0x80, 2, 0, 1, 0, 0, 0, 0]);
  const connection = await dial(server.issue("exec"), command);
  assert.ok((await connection.closed) instanceof SpdyProtocolError);
});

test("a port at which nobody listens is refused at once", async () => {
  const url = `http://127.0.0.1:${await freePort()}/exec/tkqu3XBc`;
  assert.match(await refusalOf(url), /ECONNREFUSED/);
});

test("a server that does not answer is given up after the limit", async (t) => {
  const server = await serve(t);
  server.refusal = "silence";
  const begun = performance.now();
  assert.match(await refusalOf(server.issue("exec"), { ...command, timeoutMs: 100 }), /Headers Timeout/i);
  const took = performance.now() - begun;
  assert.ok(took >= 90 && took < 4000, `${took} ms`);
});

test("a server with which no connection stands in time is given up", async (t) => {
  // It accepts and says nothing: TLS never stands.
  const listener = createPlainServer((socket) => {
    t.after(() => socket.destroy());
  });
  listener.listen(0, "127.0.0.1");
  await once(listener, "listening");
  t.after(() => listener.close());
  const { port } = listener.address() as AddressInfo;
  const begun = performance.now();
  const url = `https://127.0.0.1:${port}/exec/tkqu3XBc`;
  assert.match(await refusalOf(url, { ...command, timeoutMs: 100 }), /Connect Timeout/i);
  assert.ok(performance.now() - begun < 4000);
});

test("what is cancelled is given up at once, and the server let go", async (t) => {
  const server = await serve(t);
  server.refusal = "silence";
  let cancel = (): void => undefined;
  const dialled = refusalOf(server.issue("exec"), {
    ...command,
    onCancel: (given) => {
      cancel = given;
    },
  });
  await eventually(() => server.requests.length === 1);
  cancel();
  await dialled;
  assert.equal(server.requests.length, 1);
});

test("an URL that points elsewhere is refused before anything is connected", async (t) => {
  const server = await serve(t);
  const url = server.issue("exec").replace("127.0.0.1", "localhost");
  assert.match(await refusalOf(url), /has a host name/);
  assert.match(
    await refusalOf(server.issue("exec"), { ...command, streamHost: "127.0.0.2" }),
    /does not point to/,
  );
  assert.deepEqual(server.requests, []);
});

test("TLS is taken when the certificate chains to the CA that was given", async (t) => {
  const certificate = selfSigned();
  const server = await serve(t, { tls: certificate });
  const connection = await dial(server.issue("exec"), { ...command, ca: certificate.cert });
  const stream = connection.createStream({ streamtype: "data" });
  stream.end(Buffer.alloc(1024 * 1024, 7));
  const theirs = await server.sessions[0]?.stream("data");
  theirs?.input.resume();
  await eventually(() => theirs?.receivedBytes === 1024 * 1024);
  await connection.ping();
  connection.destroy();
});

test("TLS with a certificate of nobody we know is refused before the token is told", async (t) => {
  const certificate = selfSigned();
  const server = await serve(t, { tls: certificate });
  assert.match(await refusalOf(server.issue("exec")), /self-signed certificate/);
  const { cert: other } = selfSigned();
  assert.match(await refusalOf(server.issue("exec"), { ...command, ca: other }), /certificate|signature/);
  assert.deepEqual(server.requests, []);
});

test("dial() checks the certificate although NODE_TLS_REJECT_UNAUTHORIZED is 0", async (t) => {
  const given = process.env.NODE_TLS_REJECT_UNAUTHORIZED;
  t.after(() => {
    if (given === undefined) delete process.env.NODE_TLS_REJECT_UNAUTHORIZED;
    else process.env.NODE_TLS_REJECT_UNAUTHORIZED = given;
  });
  process.env.NODE_TLS_REJECT_UNAUTHORIZED = "0";
  const server = await serve(t, { tls: selfSigned() });
  assert.match(await refusalOf(server.issue("exec")), /self-signed certificate/);
});

test("TLS with a certificate for another address is refused", async (t) => {
  const certificate = selfSigned();
  const server = await serve(t, { tls: certificate, host: "127.0.0.2" });
  assert.match(await refusalOf(server.issue("exec"), { ...command, ca: certificate.cert }), /altnames/);
  assert.deepEqual(server.requests, []);
});

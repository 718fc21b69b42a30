/** TLS as its clients see it, down to the handshake: versions, authorities, clients' certificates, renewal. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { renameSync, symlinkSync, writeFileSync } from "node:fs";
import { request } from "node:https";
import { connect as connectPlain } from "node:net";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { type ConnectionOptions, connect, type TLSSocket } from "node:tls";
import { loadTls, type TlsFiles } from "../../src/tls/identity.ts";
import { eventually } from "../support/eventually.ts";
import { cat } from "../support/spdy-behaviours.ts";
import { type Certificate, createAuthority, selfSigned } from "../support/spdy-certificate.ts";
import { channel, type SessionGateway, sessionGateway, token } from "../support/spdy-gateway.ts";
import { tempDir } from "../support/temp-dir.ts";

const servers = createAuthority("servers");
const clients = createAuthority("clients");
const trusting = { ca: servers.cert };

interface TlsGateway extends SessionGateway {
  readonly files: TlsFiles;
}

async function tlsGateway(t: TestContext, { clientCa }: { clientCa?: string } = {}): Promise<TlsGateway> {
  const folder = await tempDir(t);
  const files = {
    ...writePair(folder, servers.issue("first")),
    ...(clientCa === undefined ? {} : { clientCa: join(folder, "clients.crt") }),
  };
  if (clientCa !== undefined) writeFileSync(join(folder, "clients.crt"), clientCa);
  const tls = { files, identity: await loadTls(files), everyMs: 20 };
  return { ...(await sessionGateway(t, { tls })), files };
}

function writePair(folder: string, { cert, key }: Certificate): { cert: string; key: string } {
  const files = { cert: join(folder, "tls.crt"), key: join(folder, "tls.key") };
  writeFileSync(files.cert, cert);
  writeFileSync(files.key, key, { mode: 0o600 });
  return files;
}

/** A connection after its handshake; in TLS 1.3 that says nothing yet of the client's certificate. */
async function connection(
  t: TestContext,
  { port }: SessionGateway,
  options: ConnectionOptions & { readonly allowHalfOpen?: boolean } = trusting,
): Promise<TLSSocket> {
  const socket = connect({ port, host: "127.0.0.1", ...options });
  t.after(() => socket.destroy());
  socket.setEncoding("utf8");
  await once(socket, "secureConnect");
  return socket;
}

/** The common name of the certificate that a new connection is shown. */
async function shownBy(t: TestContext, gateway: SessionGateway): Promise<string> {
  const socket = await connection(t, gateway);
  const { subject } = socket.getPeerCertificate();
  socket.destroy();
  return String(subject.CN);
}

/** The status of GET /v1/version. */
function ask(gateway: SessionGateway, options: ConnectionOptions, withToken = true): Promise<number> {
  return new Promise((resolve, reject) => {
    const headers = withToken ? { authorization: `Bearer ${token}` } : {};
    const where = { host: "127.0.0.1", port: gateway.port, path: "/v1/version", agent: false };
    const sent = request({ ...where, headers, ...options }, (answer) => {
      answer.resume();
      answer.once("end", () => resolve(answer.statusCode ?? 0));
    });
    sent.once("error", reject).end();
  });
}

/** All that comes until the end of a connection. */
async function restOf(socket: TLSSocket): Promise<string> {
  let text = "";
  socket.on("data", (chunk: string) => {
    text += chunk;
  });
  await once(socket, "end");
  return text;
}

test("requests and WebSockets go over TLS, to those who trust its authority", async (t) => {
  const gateway = await tlsGateway(t);
  gateway.streams.behaviour = cat;
  assert.equal(await ask(gateway, trusting), 200);
  assert.equal(await ask(gateway, trusting, false), 401, "TLS is no token");
  const session = gateway.open(`${gateway.container}/exec?command=cat&stdin=true&stdout=true`, trusting);
  await session.opened;
  await session.send(channel.stdin, "there and back");
  await eventually(() => session.text(channel.stdout) === "there and back");
  await assert.rejects(ask(gateway, { ca: clients.cert }), { code: "UNABLE_TO_VERIFY_LEAF_SIGNATURE" });
});

test("TLS 1.2 and 1.3 are spoken, 1.1 and 1.0 are refused", async (t) => {
  const gateway = await tlsGateway(t);
  for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
    const socket = await connection(t, gateway, { ...trusting, minVersion: version, maxVersion: version });
    assert.equal(socket.getProtocol(), version);
  }
  for (const version of ["TLSv1", "TLSv1.1"] as const) {
    // Without it the client's own OpenSSL would refuse.
    const ciphers = "DEFAULT@SECLEVEL=0";
    const old = connection(t, gateway, { ...trusting, ciphers, minVersion: version, maxVersion: version });
    await assert.rejects(old, { code: "ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION" });
  }
});

test("of TLS 1.2 only ciphers with forward secrecy are taken", async (t) => {
  const gateway = await tlsGateway(t);
  for (const ciphers of ["AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-SHA"]) {
    await assert.rejects(connection(t, gateway, { ...trusting, ciphers, maxVersion: "TLSv1.2" }), {
      code: "ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE",
    });
  }
});

test("plain HTTP on the port ends without an answer, and is no fault in the log", async (t) => {
  const gateway = await tlsGateway(t);
  const socket = connectPlain({ port: gateway.port, host: "127.0.0.1" });
  let came = "";
  socket.setEncoding("latin1").on("data", (text: string) => {
    came += text;
  });
  socket.on("error", () => undefined);
  socket.write(`GET /v1/version HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer ${token}\r\n\r\n`);
  await once(socket, "close");
  assert.doesNotMatch(came, /HTTP\/1/);
  assert.deepEqual(gateway.logged, []);
  assert.equal(await ask(gateway, trusting), 200);
});

test("what is no HTTP inside of TLS is answered with a problem, as without TLS", async (t) => {
  const gateway = await tlsGateway(t);
  const socket = await connection(t, gateway);
  socket.write("nonsense\r\n\r\n");
  assert.match(await restOf(socket), /^HTTP\/1\.1 400 .*"code":"invalid_request"/s);
});

test("a client that ends its side over TLS is still answered", async (t) => {
  const gateway = await tlsGateway(t);
  const socket = await connection(t, gateway, { ...trusting, allowHalfOpen: true });
  socket.end(`GET /v1/version HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer ${token}\r\n\r\n`);
  assert.match(await restOf(socket), /HTTP\/1\.1 200 OK/);
});

test("with an authority of clients, their certificate is asked for besides the token", async (t) => {
  const gateway = await tlsGateway(t, { clientCa: clients.cert });
  const { cert, key } = clients.issue("somebody");
  assert.equal(await ask(gateway, { ...trusting, cert, key }), 200);
  assert.equal(await ask(gateway, { ...trusting, cert, key }, false), 401, "a certificate is no token");
  const refused = { code: /^(ERR_SSL_\w*ALERT\w*|ECONNRESET|EPIPE)$/ };
  await assert.rejects(ask(gateway, trusting), refused);
  for (const other of [servers.issue("somebody"), selfSigned()]) {
    await assert.rejects(ask(gateway, { ...trusting, ...other }), refused);
    await assert.rejects(ask(gateway, { ...trusting, ...other, maxVersion: "TLSv1.2" }), refused);
  }
  const session = gateway.open(`${gateway.container}/exec?command=ls&stdout=true`, {
    ...trusting,
    cert,
    key,
  });
  await session.opened;
  await assert.rejects(gateway.open(`${gateway.container}/exec?command=ls`, trusting).opened, refused);
  assert.deepEqual(gateway.logged, []);
});

test("a renewed certificate is shown to the next handshake, and open sessions go on", async (t) => {
  const gateway = await tlsGateway(t);
  gateway.streams.behaviour = cat;
  const session = gateway.open(`${gateway.container}/exec?command=cat&stdin=true&stdout=true`, trusting);
  await session.opened;
  assert.equal(await shownBy(t, gateway), "first");

  writePair(join(gateway.files.cert, ".."), servers.issue("second"));
  await eventually(async () => (await shownBy(t, gateway)) === "second");
  await session.send(channel.stdin, "still here");
  await eventually(() => session.text(channel.stdout) === "still here");
  // Before it may stand that half of the pair was seen.
  const entry = gateway.logged.at(-1);
  assert.equal(entry?.level, "info");
  assert.match(entry.message, /^The certificate was renewed: \S+tls\.crt is valid until \d{4}-/);
});

test("certificates that are replaced by a symbolic link above them are taken up, as Kubernetes does it", async (t) => {
  const folder = await tempDir(t);
  const generation = (data: string): void => {
    symlinkSync(data, join(folder, "..data.new"));
    renameSync(join(folder, "..data.new"), join(folder, "..data"));
  };
  const first = await tempDir(t);
  const second = await tempDir(t);
  writePair(first, servers.issue("first"));
  writePair(second, servers.issue("second"));
  generation(first);
  const files = { cert: join(folder, "..data", "tls.crt"), key: join(folder, "..data", "tls.key") };
  const tls = { files, identity: await loadTls(files), everyMs: 20 };
  const gateway = await sessionGateway(t, { tls });
  assert.equal(await shownBy(t, gateway), "first");
  generation(second);
  await eventually(async () => (await shownBy(t, gateway)) === "second");
});

test("files that are no pair are not taken, which is said once, and half a pair is waited for", async (t) => {
  const gateway = await tlsGateway(t);
  const { cert, key } = servers.issue("second");
  writeFileSync(gateway.files.cert, cert);
  const why = `--tls-key: ${gateway.files.key} does not match ${gateway.files.cert}`;
  const entry = await eventually(() =>
    gateway.logged.find(({ message }) => message === `Keeping the current certificate: ${why}`),
  );
  assert.equal(entry.level, "warn");
  assert.equal(await shownBy(t, gateway), "first");
  writeFileSync(gateway.files.key, key);
  await eventually(async () => (await shownBy(t, gateway)) === "second");
  assert.deepEqual(
    gateway.logged.map(({ level }) => level).filter((level, index, all) => level !== all[index - 1]),
    ["warn", "info"],
  );
});

test("an authority of clients that is replaced holds for the next handshake", async (t) => {
  const gateway = await tlsGateway(t, { clientCa: clients.cert });
  const old = clients.issue("old");
  assert.equal(await ask(gateway, { ...trusting, ...old }), 200);
  const others = createAuthority("others");
  writeFileSync(gateway.files.clientCa ?? "", others.cert);
  const fresh = others.issue("new");
  await eventually(async () => (await ask(gateway, { ...trusting, ...fresh })) === 200);
  await assert.rejects(ask(gateway, { ...trusting, ...old }));
});

test("the end of the gateway waits for no handshake, and says 1001 over TLS", async (t) => {
  const gateway = await tlsGateway(t);
  const silent = connectPlain({ port: gateway.port, host: "127.0.0.1" });
  t.after(() => silent.destroy());
  silent.on("error", () => undefined);
  await once(silent, "connect");
  const session = gateway.open(`${gateway.container}/exec?command=ls&stdin=true`, trusting);
  await session.opened;
  await gateway.app.close(3_600_000);
  assert.equal((await session.closed).code, 1001);
});

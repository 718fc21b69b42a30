/** The server below Fastify: how much of a request it keeps, and how it ends. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect } from "node:net";
import { test } from "node:test";
import { closeConnections, createListener, headerLimit } from "../../../src/server/listener.ts";
import { eventually } from "../../support/eventually.ts";
import { selfSigned } from "../../support/spdy-certificate.ts";

const kibibyte = 1024;

test("headerLimit() leaves room for a long command, and shrinks as connections come", () => {
  assert.equal(headerLimit(0), 384 * kibibyte);
  assert.equal(headerLimit(100), 384 * kibibyte);
  assert.equal(headerLimit(1000), 67_108);
  assert.equal(headerLimit(100_000), 16 * kibibyte);
});

test("headerLimit() bounds what a flood of unfinished requests can hold", () => {
  let held = 0;
  for (let connections = 0; connections < 4000; connections++) held += headerLimit(connections);
  assert.ok(held < 350 * kibibyte * kibibyte, `${held} bytes`);
});

test("closeConnections() ends a TLS handshake that has only begun", async (t) => {
  const timeouts = { requestTimeoutMs: 60_000, stallTimeoutMs: 60_000 };
  const server = createListener(() => undefined, { ...timeouts, tls: selfSigned() });
  const failures: string[] = [];
  server.on("tlsClientError", ({ code = "" }: NodeJS.ErrnoException) => failures.push(code));
  await once(server.listen(0, "127.0.0.1"), "listening");
  t.after(() => server.close());
  const connected = once(server, "connection");
  const silent = connect({ port: (server.address() as AddressInfo).port, host: "127.0.0.1" });
  t.after(() => silent.destroy());
  silent.on("error", () => undefined).resume();
  await connected;
  closeConnections(server);
  await eventually(() => silent.closed, { timeoutMs: 20_000 });
  assert.ok(!failures.includes("ERR_TLS_HANDSHAKE_TIMEOUT"), "it did not end by its timeout");
});

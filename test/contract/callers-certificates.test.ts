/** Callers that are known by their certificates. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { request } from "node:https";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { loadTls } from "../../src/tls/identity.ts";
import { cat } from "../support/spdy-behaviours.ts";
import { type Certificate, createAuthority } from "../support/spdy-certificate.ts";
import { type SessionGateway, sessionGateway, token } from "../support/spdy-gateway.ts";
import { tempDir } from "../support/temp-dir.ts";

const servers = createAuthority("servers");
const clients = createAuthority("clients");

const certificates = [
  { name: "alice", subject: "CN:alice", grants: { allow: { read: true, exec: true } } },
  { name: "ci", subject: "URI:spiffe://example/ci", grants: { allow: { read: ["pods"] } } },
];

/** A gateway that wants certificates of `clients`, and knows some callers by them. */
async function certificateGateway(t: TestContext, content: object = { certificates }) {
  const folder = await tempDir(t);
  const own = servers.issue("gateway");
  const files = {
    cert: join(folder, "tls.crt"),
    key: join(folder, "tls.key"),
    clientCa: join(folder, "clients.crt"),
  };
  writeFileSync(files.cert, own.cert);
  writeFileSync(files.key, own.key, { mode: 0o600 });
  writeFileSync(files.clientCa, clients.cert);
  const gateway = await sessionGateway(t, { tls: { files, identity: await loadTls(files) } });
  const callers = join(gateway.dataDir, "tokens.json");
  const write = (text: object): void => writeFileSync(callers, JSON.stringify(text), { mode: 0o600 });
  write(content);
  // The file is looked at twice a second; a request with a token that is not in it looks at once.
  await ask(gateway, clients.issue("alice"), { bearer: "unknown-token-of-nobody" });
  return { gateway, write };
}

interface Asked {
  readonly path?: string;
  readonly bearer?: string;
}

function ask(
  { port }: SessionGateway,
  client: Certificate,
  { path = "/v1/grants", bearer }: Asked = {},
): Promise<{ readonly status: number; readonly json: { readonly [name: string]: unknown } }> {
  return new Promise((resolve, reject) => {
    const headers = bearer === undefined ? {} : { authorization: `Bearer ${bearer}` };
    const where = { host: "127.0.0.1", port, path, agent: false, ca: servers.cert, headers };
    const sent = request({ ...where, ...client }, (answer) => {
      let text = "";
      answer.on("data", (part) => {
        text += part;
      });
      answer.once("end", () => resolve({ status: answer.statusCode ?? 0, json: JSON.parse(text) }));
    });
    sent.once("error", reject).end();
  });
}

test("a certificate that the tokens file names is its caller, without a token", async (t) => {
  const { gateway } = await certificateGateway(t);
  const alice = await ask(gateway, clients.issue("alice"));
  assert.deepEqual([alice.status, alice.json.name], [200, "alice"]);
  const ci = await ask(gateway, clients.issue("whoever", { names: [["URI", "spiffe://example/ci"]] }));
  assert.deepEqual([ci.status, ci.json.name], [200, "ci"]);
  const refused = await ask(gateway, clients.issue("alice"), { path: "/v1/images/x?verbose=true" });
  assert.equal(refused.status, 403);
});

test("a certificate that it does not name needs a token, and a token decides where both are sent", async (t) => {
  const { gateway } = await certificateGateway(t);
  assert.equal((await ask(gateway, clients.issue("bob"))).status, 401);
  for (const name of ["alice", "bob"]) {
    const operator = await ask(gateway, clients.issue(name), { bearer: token });
    assert.deepEqual([operator.status, operator.json.name], [200, "token"]);
    assert.equal((await ask(gateway, clients.issue(name), { bearer: "wrong" })).status, 401);
  }
});

test("without certificates in the tokens file, each caller needs a token as well", async (t) => {
  const { gateway } = await certificateGateway(t, { tokens: [] });
  assert.equal((await ask(gateway, clients.issue("alice"))).status, 401);
  assert.equal((await ask(gateway, clients.issue("alice"), { bearer: token })).status, 200);
});

test("a certificate of another authority is refused by the handshake, whatever its name", async (t) => {
  const { gateway } = await certificateGateway(t);
  await assert.rejects(ask(gateway, createAuthority("clients").issue("alice")));
});

test("a session that a certificate opened ends when the tokens file no longer names it", async (t) => {
  const { gateway, write } = await certificateGateway(t);
  gateway.streams.behaviour = cat;
  const session = gateway.open(`${gateway.container}/exec?command=cat&stdin=true`, {
    ...{ withToken: false, ca: servers.cert },
    ...clients.issue("alice"),
  });
  await session.opened;
  write({ certificates: certificates.slice(1) });
  assert.deepEqual(await session.closed, {
    code: 4401,
    reason: 'The certificate "alice" was revoked or changed',
  });
});

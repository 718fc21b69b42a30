import assert from "node:assert/strict";
import { createHmac, generateKeyPairSync, type KeyObject } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { exportJWK, type JWTHeaderParameters, SignJWT } from "jose";
import { canUse } from "../../../../src/access/authorize.ts";
import { createVerifyJwt } from "../../../../src/access/callers/jwt.ts";
import {
  fileKeySource,
  type KeySource,
  type UrlTimes,
  urlKeySource,
} from "../../../../src/access/callers/key-source.ts";
import { GatewayError, StartError } from "../../../../src/errors.ts";
import { tempDir } from "../../../support/temp-dir.ts";

const issuer = "https://login.example";
const grants = { all: true, allow: {}, deny: {} };
const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 });
const ec = generateKeyPairSync("ec", { namedCurve: "P-256" });
const ed = generateKeyPairSync("ed25519");
const other = generateKeyPairSync("ec", { namedCurve: "P-256" });

const publicJwk = async (key: KeyObject, kid: string) => ({ ...(await exportJWK(key)), kid });
const keys = [
  await publicJwk(rsa.publicKey, "rsa"),
  await publicJwk(ec.publicKey, "ec"),
  await publicJwk(ed.publicKey, "ed"),
];

const settings = {
  ...{ issuer, audience: "crest", jwks: "/keys", grantsClaim: "crest" },
  algorithms: ["RS256", "ES256", "EdDSA"] as const,
};
const sourceOf = (...some: readonly object[]): KeySource => {
  const set = { keys: some };
  return { keys: async () => set, newerKeys: async () => set };
};
const verify = createVerifyJwt({ settings, source: sourceOf(...keys), grants });

interface Made {
  readonly claims?: { readonly [name: string]: unknown };
  readonly header?: Partial<JWTHeaderParameters>;
  readonly key?: KeyObject;
}

const inSeconds = (seconds: number): number => Math.floor(Date.now() / 1000) + seconds;

/** A good token, except for what a test changes. */
function made({ claims = {}, header = {}, key = ec.privateKey }: Made = {}): Promise<string> {
  const payload = {
    iss: issuer,
    aud: "crest",
    sub: "alice",
    exp: inSeconds(600),
    crest: { allow: { exec: true } },
  };
  return new SignJWT({ ...payload, ...claims })
    .setProtectedHeader({ alg: "ES256", kid: "ec", ...header })
    .sign(key);
}

async function refused(token: string, why: RegExp, check = verify): Promise<void> {
  await assert.rejects(check(token), (error: unknown) => {
    assert.ok(error instanceof GatewayError, String(error));
    assert.equal(error.code, "unauthenticated");
    assert.match(error.message, why);
    assert.ok(!error.message.includes(token.split(".")[2] || "?"));
    return true;
  });
}

test("a good token is a caller with its subject as name and the grants of its claim, by each algorithm", async () => {
  for (const [alg, kid, key] of [
    ["ES256", "ec", ec.privateKey],
    ["RS256", "rsa", rsa.privateKey],
    ["EdDSA", "ed", ed.privateKey],
  ] as const) {
    const caller = await verify(await made({ header: { alg, kid }, key }));
    assert.equal(caller.name, "jwt:https://login.example#alice");
    assert.equal(caller.by, "jwt");
    assert.ok(canUse("exec", caller) && !canUse("logs", caller));
    assert.equal(caller.whyOver?.(), undefined);
  }
});

test("grants may also be a list of flags, and without the claim there are none", async () => {
  const flags = await verify(await made({ claims: { crest: ["--allow-read=pods", "-A", "--deny-logs"] } }));
  assert.ok(canUse("run", flags) && !canUse("logs", flags));
  const none = await verify(await made({ claims: { crest: undefined } }));
  assert.ok(!canUse("read:pods", none));
});

test("the same token is the same caller, so that what is kept for a caller is kept once", async () => {
  const token = await made();
  assert.equal(await verify(token), await verify(token));
});

const wrong: readonly (readonly [what: string, make: () => Promise<string> | string, why: RegExp])[] = [
  ["of another issuer", () => made({ claims: { iss: "https://evil.example" } }), /"iss"/],
  ["without an issuer", () => made({ claims: { iss: undefined } }), /"iss"/],
  ["for another audience", () => made({ claims: { aud: "other" } }), /"aud"/],
  ["for several other audiences", () => made({ claims: { aud: ["a", "b"] } }), /"aud"/],
  ["without an audience", () => made({ claims: { aud: undefined } }), /"aud"/],
  ["that has expired", () => made({ claims: { exp: inSeconds(-60) } }), /it has expired/],
  ["without an expiry", () => made({ claims: { exp: undefined } }), /"exp"/],
  ["with a text as expiry", () => made({ claims: { exp: "never" } }), /"exp"/],
  ["that is not valid yet", () => made({ claims: { nbf: inSeconds(90) } }), /"nbf"/],
  ["without a subject", () => made({ claims: { sub: undefined } }), /"sub"/],
  ["with a line break in its subject", () => made({ claims: { sub: "a\nb" } }), /its sub/],
  ["with a subject that is too long", () => made({ claims: { sub: "a".repeat(256) } }), /its sub/],
  ["of another key with a known id", () => made({ key: other.privateKey }), /signature/],
  ["with an unknown key id", () => made({ header: { kid: "new" } }), /no applicable key/],
  [
    "with an algorithm that is not accepted",
    () => made({ header: { alg: "RS512", kid: "rsa" }, key: rsa.privateKey }),
    /"alg"/,
  ],
  ["with an unknown critical header", () => unsigned({ alg: "ES256", kid: "ec", crit: ["x"], x: 1 }), /"x"/],
  ["without a signature", () => unsigned({ alg: "none" }).replace(/[^.]*$/, ""), /./],
  ["with alg none and a signature", () => unsigned({ alg: "none" }), /"alg"/],
  ["whose payload was exchanged", async () => exchanged(await made()), /signature/],
  [
    "with wrong grants",
    () => made({ claims: { crest: { allow: { exce: true } } } }),
    /crest\.allow\.exce: unknown/,
  ],
  [
    "with a flag that grants nothing",
    () => made({ claims: { crest: ["--listen=0.0.0.0:1"] } }),
    /"--listen": not a flag/,
  ],
  ["with numbers as grants", () => made({ claims: { crest: [1] } }), /must be an object, or a list/],
];

for (const [what, make, why] of wrong)
  test(`a token ${what} is refused`, async () => refused(await make(), why));

const encoded = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");

/** With a good payload, and a signature that is none. */
function unsigned(header: object): string {
  const payload = { iss: issuer, aud: "crest", sub: "alice", exp: inSeconds(600) };
  return `${encoded(header)}.${encoded(payload)}.${"A".repeat(86)}`;
}

function exchanged(token: string): string {
  const [header, , signature] = token.split(".");
  const payload = { iss: issuer, aud: "crest", sub: "root", exp: inSeconds(600), crest: { all: true } };
  return `${header}.${encoded(payload)}.${signature}`;
}

test("a public key is not taken for the secret of HS256", async () => {
  const header = encoded({ alg: "HS256", kid: "rsa" });
  const payload = encoded({ iss: issuer, aud: "crest", sub: "alice", exp: inSeconds(600) });
  for (const secret of [
    rsa.publicKey.export({ type: "spki", format: "pem" }),
    rsa.publicKey.export({ type: "spki", format: "der" }),
    JSON.stringify(keys[0]),
  ]) {
    const signature = createHmac("sha256", secret).update(`${header}.${payload}`).digest("base64url");
    await refused(`${header}.${payload}.${signature}`, /"alg"/);
  }
});

test("keys that a token brings along or points to are not looked at", async () => {
  const jwk = await exportJWK(other.publicKey);
  for (const header of [
    { jwk },
    { kid: "ec", jwk },
    { jku: "https://evil.example/keys" },
    { x5u: "https://evil.example/cert" },
    { x5c: ["MIIB"] },
  ]) {
    await refused(await made({ header: header as never, key: other.privateKey }), /signature|applicable/);
  }
});

test("a token for several audiences is taken if one is the gateway, and clocks may differ a little", async () => {
  await verify(await made({ claims: { aud: ["other", "crest"] } }));
  await verify(await made({ claims: { nbf: inSeconds(10), exp: inSeconds(-10) } }));
});

test("an expiry beyond all times is none that breaks anything", async () => {
  const caller = await verify(await made({ claims: { exp: 1e300 } }));
  assert.ok(new Date(caller.expiresAtMs ?? Number.NaN).toISOString());
});

test("a token of 64 KiB is checked as any other", async () => {
  await verify(await made({ claims: { more: "x".repeat(65_536) } }));
  await refused(`${"x".repeat(65_536)}.${"y".repeat(10)}.z`, /refused/);
});

test("without a key id, the only key of its kind is taken; among several, none", async () => {
  const token = await made({ header: { kid: undefined as never } });
  await verify(token);
  const two = sourceOf(...keys, await publicJwk(other.publicKey, "ec2"));
  await refused(token, /multiple matching keys/, createVerifyJwt({ settings, source: two, grants }));
});

/** An issuer that answers what the test says, and counts how often it was asked. */
async function issuerAt(t: TestContext, times: UrlTimes = {}) {
  const state = { status: 200, body: JSON.stringify({ keys }), asked: 0, location: "" };
  const server = createServer((_request, response) => {
    state.asked++;
    response.writeHead(state.status, state.location === "" ? {} : { location: state.location });
    response.end(state.body);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => server.close());
  const { port } = server.address() as AddressInfo;
  const reported: string[] = [];
  const source = urlKeySource(`http://127.0.0.1:${port}/keys`, (message) => reported.push(message), times);
  return { state, reported, source, check: createVerifyJwt({ settings, source, grants }) };
}

test("keys from a URL are asked for once, and again for a new key, but not for each", async (t) => {
  const { state, check } = await issuerAt(t);
  await Promise.all([check(await made()), check(await made({ claims: { sub: "bob" } }))]);
  assert.equal(state.asked, 1);
  for (let index = 0; index < 5; index++)
    await refused(await made({ header: { kid: `new${index}` } }), /no applicable key/, check);
  assert.equal(state.asked, 1);
});

test("a key that the issuer has added is found", async (t) => {
  const { state, check } = await issuerAt(t, { cooldownMs: 0 });
  await check(await made());
  state.body = JSON.stringify({ keys: [...keys, await publicJwk(other.publicKey, "new")] });
  await check(await made({ header: { kid: "new" }, key: other.privateKey }));
  assert.equal(state.asked, 2);
});

for (const [what, answer] of [
  ["fails", { status: 500 }],
  ["answers no JSON", { body: "<html>" }],
  ["answers no keys", { body: "{}" }],
  ["redirects", { status: 302, location: "http://127.0.0.1:1/keys" }],
  ["answers too much", { body: `{"keys":["${"x".repeat(1024 * 1024)}"]}` }],
] as const) {
  test(`an issuer that ${what} is 503 and asked again only later, and keys that were read stay`, async (t) => {
    const fresh = await issuerAt(t);
    Object.assign(fresh.state, answer);
    for (let index = 0; index < 3; index++) {
      await assert.rejects(
        fresh.check(await made()),
        (error: unknown) => error instanceof GatewayError && error.code === "issuer_unavailable",
      );
    }
    assert.equal(fresh.state.asked, 1);
    assert.equal(fresh.reported.length, 1);

    const used = await issuerAt(t, { freshMs: 0, cooldownMs: 0, retryMs: 0 });
    await used.check(await made());
    Object.assign(used.state, answer);
    await used.check(await made({ claims: { sub: "bob" } }));
    assert.equal(used.state.asked, 2);
  });
}

test("keys that are too old are not used while the issuer does not answer", async (t) => {
  const { state, check } = await issuerAt(t, { freshMs: 0, staleMs: 0, cooldownMs: 0, retryMs: 0 });
  state.status = 500;
  await assert.rejects(check(await made()), /cannot be asked/);
});

test("keys from a file are read again when it changes, and a broken file leaves them as they were", async (t) => {
  const path = join(await tempDir(t), "keys.json");
  assert.throws(() => fileKeySource(path, assert.fail), StartError);
  await writeFile(path, "{}");
  assert.throws(() => fileKeySource(path, assert.fail), /--jwt-jwks=.*it is no key set/);
  await writeFile(path, JSON.stringify({ keys }));
  const reported: string[] = [];
  const source = fileKeySource(path, (message) => reported.push(message));
  const check = createVerifyJwt({ settings, source, grants });
  await check(await made());
  await writeFile(path, "{");
  await check(await made({ claims: { sub: "bob" } }));
  assert.equal(reported.length, 1);
  await writeFile(path, JSON.stringify({ keys: [await publicJwk(other.publicKey, "ec")] }));
  await refused(await made({ claims: { sub: "carol" } }), /signature/, check);
  await check(await made({ key: other.privateKey }));
});

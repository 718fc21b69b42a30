import assert from "node:assert/strict";
import { createPrivateKey } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { StartError } from "../../src/errors.ts";
import { loadTls, type TlsFiles } from "../../src/tls/identity.ts";
import { createAuthority, selfSigned } from "../support/spdy-certificate.ts";
import { tempDir } from "../support/temp-dir.ts";

interface Texts {
  readonly cert?: string | undefined;
  readonly key?: string;
  readonly clientCa?: string;
}

/** Writes a good pair, with these texts instead. */
async function filesOf(t: TestContext, texts: Texts = {}): Promise<TlsFiles> {
  const folder = await tempDir(t);
  const files: { [name: string]: string } = {};
  for (const [name, text] of Object.entries({ ...selfSigned(), ...texts })) {
    files[name] = join(folder, `${name}.pem`);
    if (text !== undefined) writeFileSync(files[name], text);
  }
  return { cert: "", key: "", ...files };
}

async function refusalOf(files: TlsFiles): Promise<string> {
  const error = await loadTls(files).then(
    () => assert.fail("it was taken"),
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof StartError, String(error));
  return error.message;
}

test("a pair is taken, with the authority of clients and with what stands around the PEM", async (t) => {
  const authority = createAuthority("clients");
  const { cert, key } = selfSigned({ toDays: 30 });
  const files = await filesOf(t, {
    cert: `a comment\n${cert}${authority.cert}`,
    key,
    clientCa: authority.cert,
  });
  const { context, validTo } = await loadTls(files);
  assert.equal(context.minVersion, "TLSv1.2");
  assert.equal(context.ca, authority.cert);
  assert.ok(validTo.getTime() > Date.now() + 29 * 24 * 60 * 60 * 1000);
});

test("a file that cannot be read is named with its flag", async (t) => {
  const files = await filesOf(t);
  for (const [name, flag] of [
    ["cert", "--tls-cert"],
    ["key", "--tls-key"],
    ["clientCa", "--tls-client-ca"],
  ] as const) {
    assert.equal(await refusalOf({ ...files, [name]: "/none" }), `${flag}: cannot read /none: ENOENT`);
  }
});

test("a key of another certificate is refused, by both names", async (t) => {
  const files = await filesOf(t, { key: selfSigned().key });
  assert.equal(await refusalOf(files), `--tls-key: ${files.key} does not match ${files.cert}`);
});

test("an encrypted key is refused, in either of its forms", async (t) => {
  const key = createPrivateKey(selfSigned().key);
  for (const type of ["pkcs8", "sec1"] as const) {
    const encrypted = key.export({ type, format: "pem", cipher: "aes-256-cbc", passphrase: "secret" });
    const files = await filesOf(t, { key: String(encrypted) });
    assert.match(await refusalOf(files), new RegExp(`^--tls-key: ${files.key} is encrypted, `));
  }
});

test("a certificate that expired, or is of the future, is refused with its date", async (t) => {
  const expired = await filesOf(t, selfSigned({ fromDays: -3, toDays: -1 }));
  assert.match(await refusalOf(expired), new RegExp(`^--tls-cert: ${expired.cert} expired on \\d{4}-.*Z$`));
  const future = await filesOf(t, selfSigned({ fromDays: 1, toDays: 2 }));
  assert.match(await refusalOf(future), /^--tls-cert: \S+ is not valid before \d{4}-.*Z$/);
  const { cert } = selfSigned({ fromDays: -3, toDays: -1 });
  assert.match(await refusalOf(await filesOf(t, { clientCa: cert })), /^--tls-client-ca: \S+ expired on /);
});

test("what is no PEM, or a broken one, is refused by what it should be", async (t) => {
  const { cert, key } = selfSigned();
  const broken = cert.replace(/[A-Za-z0-9+/]{64}/, "A".repeat(64));
  for (const [texts, says] of [
    [{ cert: "" }, /^--tls-cert: \S+ holds no certificate: it must be PEM$/],
    [{ cert: key }, /^--tls-cert: \S+ holds no certificate/],
    [{ cert: broken }, /^--tls-cert: \S+ holds a broken certificate: /],
    [{ key: "" }, /^--tls-key: \S+ holds no private key: it must be PEM$/],
    [{ key: cert }, /^--tls-key: \S+ holds no private key/],
    [{ clientCa: "nothing" }, /^--tls-client-ca: \S+ holds no certificate/],
  ] as const) {
    assert.match(await refusalOf(await filesOf(t, texts)), says);
  }
});

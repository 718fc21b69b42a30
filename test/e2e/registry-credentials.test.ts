/** Credentials as cloud registries and Docker's configuration have them, on the real containerd. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import {
  accessToken,
  identityToken,
  startTokenRegistry,
  type TokenRegistry,
  tokenUser,
} from "../support/token-registry.ts";
import { bodyOf, problemOf } from "./support/api.ts";
import { smallImage } from "./support/images.ts";
import { reasonToSkip } from "./support/machine.ts";
import { useGateway } from "./support/suite.ts";

const skip = await reasonToSkip();
const crest = useGateway(skip);
let registry: TokenRegistry;
before(async () => {
  const { manifest, layers, config } = smallImage("behind a token");
  registry = await startTokenRegistry({ manifest, blobs: [...layers, config] });
});
after(() => registry.close());

let pulls = 0;
async function pull(auth?: object) {
  const image = `${registry.address}/team/app:${pulls++}`;
  const asked = registry.asked.length;
  const answer = await crest().post("/v1/images/pull", { image, ...(auth ? { auth } : {}) });
  return { answer, asked: [...new Set(registry.asked.slice(asked))] };
}

const placeholder = "00000000-0000-0000-0000-000000000000";
const base64 = (text: string): string => Buffer.from(text).toString("base64");
const pair = base64(`${tokenUser.username}:${tokenUser.password}`);
const byPassword = [`password ${tokenUser.username}:${tokenUser.password}`];
const byToken = [`refresh_token ${identityToken}`];

test("a pull without credentials is refused by the registry", { skip }, async () => {
  const { answer, asked } = await pull();
  problemOf(answer, 422, "registry_unauthorized");
  assert.deepEqual(asked, ["anonymous"]);
});

for (const [what, auth, expected] of [
  ["user name and password", tokenUser, byPassword],
  ["an identity token", { identityToken }, byToken],
  ["Azure's placeholder beside an identity token", { username: placeholder, identityToken }, byToken],
  ["Docker's configuration for Azure", { auth: base64(`${placeholder}:`), identityToken }, byToken],
  ["both in one word", { auth: pair }, byPassword],
  ["both in one word without its padding", { auth: pair.replace(/=+$/, "") }, byPassword],
  ["the user name beside both in one word", { username: tokenUser.username, auth: pair }, byPassword],
] as const) {
  test(`${what}: the runtime uses it`, { skip }, async () => {
    const { answer, asked } = await pull(auth);
    bodyOf(answer);
    assert.deepEqual(asked, expected);
  });
}

test("an address with and without a scheme is the registry that it names", { skip }, async () => {
  for (const serverAddress of [
    registry.address,
    `http://${registry.address}`,
    `https://${registry.address}/v1/`,
  ]) {
    const { answer, asked } = await pull({ ...tokenUser, serverAddress });
    bodyOf(answer);
    assert.deepEqual(asked, byPassword, serverAddress);
  }
  // Credentials for another registry are not given to this one.
  for (const serverAddress of ["ghcr.io", "https://ghcr.io"]) {
    const { answer, asked } = await pull({ ...tokenUser, serverAddress });
    problemOf(answer, 422, "registry_unauthorized");
    assert.deepEqual(asked, ["anonymous"], serverAddress);
  }
});

test("an address that is none is 400 with its place", { skip }, async () => {
  for (const serverAddress of ["a b", "https://", "registry.example:port"]) {
    const { answer, asked } = await pull({ ...tokenUser, serverAddress });
    const { errors } = problemOf(answer, 400, "invalid_request");
    assert.equal(errors?.[0]?.pointer, "/auth/serverAddress", serverAddress);
    assert.deepEqual(asked, []);
  }
});

test("a registry token, which containerd would ignore, is 501 and nothing is pulled", { skip }, async () => {
  for (const auth of [{ registryToken: accessToken }, { ...tokenUser, registryToken: accessToken }]) {
    const { answer, asked } = await pull(auth);
    const { detail } = problemOf(answer, 501, "not_implemented");
    assert.match(detail, /auth\.registryToken .* containerd 1|2\.\d+.*identityToken/);
    assert.ok(!answer.text.includes(accessToken));
    assert.deepEqual(asked, []);
  }
});

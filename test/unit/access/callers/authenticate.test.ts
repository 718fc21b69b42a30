import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { Socket } from "node:net";
import { test } from "node:test";
import type { Caller } from "../../../../src/access/authorize.ts";
import { createAuthenticate } from "../../../../src/access/callers/authenticate.ts";
import type { KnownCallers } from "../../../../src/access/callers/known-callers.ts";
import { GatewayError } from "../../../../src/errors.ts";

const good = "a-good-token-for-tests";
const grants = { all: true, allow: {}, deny: {} };

/** An authenticator that knows some callers by their tokens. */
function authenticator(callers: { readonly [token: string]: Caller } = {}) {
  const digest = (text: string) => createHash("sha256").update(text).digest("hex");
  const byDigest = new Map(Object.entries(callers).map(([token, caller]) => [digest(token), caller]));
  const known = {
    byToken: (sha256: string) => byDigest.get(sha256),
    byCertificate: () => undefined,
  } as unknown as KnownCallers;
  const authenticate = createAuthenticate({ token: good, tokenFile: "/t", grants, known });
  return (authorization: string | undefined) => authenticate({ authorization, socket: new Socket() });
}

/** The refusal of a header. */
function refusal(check: (header: string | undefined) => unknown, header: string | undefined): GatewayError {
  try {
    check(header);
  } catch (error) {
    assert.ok(error instanceof GatewayError);
    assert.equal(error.code, "unauthenticated");
    return error;
  }
  assert.fail(`not refused: ${header}`);
}

test("the operator's token opens, in any case of the scheme and with any number of spaces", () => {
  const check = authenticator();
  for (const header of [`Bearer ${good}`, `bearer ${good}`, `BEARER   ${good}`, `Bearer ${good}  `])
    assert.deepEqual(check(header), { name: "token", grants, tokenFile: "/t" });
});

test("anything but a token is refused, and the refusal tells nothing of any", () => {
  const check = authenticator({ "another-token-for-tests": { name: "ci", grants } });
  const wrong = [
    undefined,
    "",
    "Bearer",
    "Bearer ",
    good,
    `Basic ${good}`,
    `Bearer${good}`,
    `Bearer ${good}x`,
  ];
  wrong.push(`Bearer ${good.slice(0, -1)}`, `Bearer ${good.toUpperCase()}`, `Bearer ${good} ${good}`);
  wrong.push(`Token ${good}`, `Bearer "${good}"`, ` Bearer ${good}`, `Bearer\t${good}`, `Bearer ${good},`);
  wrong.push(`Bearer ${"x".repeat(100_000)}`, `Bearer\n${good}`, `Bearer ${" ".repeat(100_000)}x y`);
  // A digest is no token.
  wrong.push(`Bearer ${createHash("sha256").update(good).digest("hex")}`);
  for (const header of wrong) {
    const error = refusal(check, header);
    assert.ok(!JSON.stringify(error).includes(good) && !error.message.includes(good));
    assert.deepEqual([error.errors, error.members], [[], {}]);
  }
});

test("a token of the file is its caller, and one that is over says why", () => {
  const ci: Caller = { name: "ci", grants };
  const old: Caller = { name: "old", grants, whyOver: () => 'The token "old" expired at noon' };
  const check = authenticator({ "crest_ci-token": ci, "crest_old-token": old });
  assert.equal(check("Bearer crest_ci-token"), ci);
  const error = refusal(check, "Bearer crest_old-token");
  assert.equal(error.message, 'The token "old" expired at noon');
  assert.deepEqual(error.headers, { "www-authenticate": 'Bearer error="invalid_token"' });
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { type Caller, canUse } from "../../../../src/access/authorize.ts";
import { createSignIns } from "../../../../src/access/callers/sign-ins.ts";
import { sha256 } from "../../../../src/access/callers/token-store.ts";

const all = { all: true, allow: {}, deny: {} } as const;
const alice: Caller = { name: "alice", grants: all };

test("a key signs in once, and may do nothing else", () => {
  const signIns = createSignIns();
  const { secret: key } = signIns.createKey(alice);
  const caller = signIns.byKey(sha256(key));
  assert.ok(caller);
  assert.equal(caller.name, "alice");
  assert.equal(canUse("read:pods", caller), false);
  assert.equal(signIns.byToken(sha256(key)), undefined);
  const made = signIns.signIn(caller);
  assert.ok(made);
  assert.equal(signIns.byKey(sha256(key)), undefined);
  assert.equal(signIns.signIn(caller), undefined, "two requests with one key");

  const signedIn = signIns.byToken(sha256(made.secret));
  assert.ok(signedIn);
  assert.equal(canUse("read:pods", signedIn), true);
  assert.equal(signIns.byToken(sha256(made.secret)), signedIn, "the same object each time");
  assert.equal(signIns.byKey(sha256(made.secret)), undefined);
});

test("keys expire after five minutes, tokens after twelve hours, and neither outlives the caller's own", () => {
  let nowMs = 1_000_000;
  const signIns = createSignIns(() => nowMs);
  const key = signIns.byKey(sha256(signIns.createKey(alice).secret));
  const token = signIns.byToken(sha256(signIns.signIn(alice)?.secret ?? ""));
  const short: Caller = { ...alice, name: "short", expiresAtMs: nowMs + 1000 };
  assert.equal(signIns.createKey(short).expiresAtMs, nowMs + 1000);
  assert.equal(signIns.signIn(short)?.expiresAtMs, nowMs + 1000);
  // A token made with a token gains no time.
  const again = signIns.signIn(token as Caller);
  nowMs += 5 * 60_000 - 1;
  assert.equal(key?.whyOver?.(), undefined);
  nowMs += 1;
  assert.match(key?.whyOver?.() ?? "", /^The key expired at /);
  assert.equal(token?.whyOver?.(), undefined);
  nowMs += 12 * 3_600_000;
  assert.match(token?.whyOver?.() ?? "", /^The sign-in expired at /);
  assert.equal(again?.expiresAtMs, token?.expiresAtMs);
});

test("it ends when the caller's own token is revoked", () => {
  let why: string | undefined;
  const signIns = createSignIns();
  const bob: Caller = { name: "bob", grants: all, by: "token", whyOver: () => why };
  const token = signIns.byToken(sha256(signIns.signIn(bob)?.secret ?? ""));
  assert.equal(token?.whyOver?.(), undefined);
  why = "revoked";
  assert.equal(token?.whyOver?.(), "revoked");
});

test("a caller's oldest ends beyond 100, and nobody else's", () => {
  const signIns = createSignIns();
  const bob = signIns.byToken(sha256(signIns.signIn({ ...alice, name: "bob" })?.secret ?? ""));
  const first = signIns.byToken(sha256(signIns.signIn(alice)?.secret ?? ""));
  for (let count = 0; count < 100; count++) signIns.signIn(alice);
  assert.match(first?.whyOver?.() ?? "", /has ended/);
  assert.equal(bob?.whyOver?.(), undefined);
});

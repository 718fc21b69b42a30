import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type Caller, canUse } from "../../../../src/access/authorize.ts";
import {
  descendantsOf,
  maxDescendants,
  standingsOf,
  withoutToken,
  withToken,
} from "../../../../src/access/callers/token-tree.ts";
import {
  emptyTokensFile,
  type StoredToken,
  type TokensFile,
} from "../../../../src/access/callers/tokens-file.ts";
import { readGrants } from "../../../../src/config/resolve.ts";
import { GatewayError } from "../../../../src/errors.ts";
import { allGrants, type Grants, grantWordNames, grantWords } from "../../../../src/grants.ts";

const everything: Grants = { all: true, allow: {}, deny: {} };
const noon = Date.parse("2030-01-01T12:00:00Z");
const later = (ms: number): string => new Date(noon + ms).toISOString();

function token(name: string, more: Partial<StoredToken> = {}): StoredToken {
  return { name, sha256: name.padEnd(64, "0"), grants: everything, expires: later(3_600_000), ...more };
}

const fileOf = (...tokens: readonly StoredToken[]): TokensFile => ({ tokens, certificates: [] });
const names = (tokens: readonly StoredToken[]): readonly string[] => tokens.map(({ name }) => name);

test("a token has the layers of each token that it was made with, ends with the first, and counts with the first of its line", () => {
  const exec: Grants = { all: false, allow: { exec: true }, deny: {} };
  const file = fileOf(
    token("leaf", { parent: "middle", expires: later(9000) }),
    token("middle", { parent: "root", grants: exec }),
    token("root", { expires: later(5000) }),
    token("other", { parent: "jwt:https://a#b", within: [exec] }),
  );
  const standings = standingsOf(file);
  assert.deepEqual(standings.get("leaf"), {
    name: "leaf",
    layers: [everything, exec, everything],
    expiresAtMs: noon + 5000,
    account: "root",
  });
  assert.deepEqual(standings.get("other")?.layers, [exec, everything]);
  assert.equal(standings.get("other")?.account, "jwt:https://a#b");
});

test("a token without its parent, or that descends from itself, is none", () => {
  const file = fileOf(
    token("orphan", { parent: "gone" }),
    token("below", { parent: "orphan" }),
    token("a", { parent: "b" }),
    token("b", { parent: "a" }),
    token("c", { parent: "c" }),
    token("good"),
  );
  assert.deepEqual([...standingsOf(file).keys()], ["good"]);
});

test("revoking a token revokes those made with it, and no others", () => {
  const file = fileOf(
    token("root"),
    token("child", { parent: "root" }),
    token("grandchild", { parent: "child" }),
    token("sibling", { parent: "root" }),
  );
  const done = withoutToken(file, "child");
  assert.deepEqual(done?.removed, ["child", "grandchild"]);
  assert.deepEqual(names(done?.file.tokens ?? []), ["root", "sibling"]);
  assert.equal(withoutToken(file, "absent"), undefined);
});

test("a name is taken while a caller has it, and is free once its token has expired, without its descendants", () => {
  const file = fileOf(
    token("ci", { expires: later(1000) }),
    // By hand: it would outlive its parent.
    token("below", { parent: "ci", expires: later(9000) }),
  );
  assert.throws(() => withToken(file, token("ci"), noon), /a caller has this name/);
  const again = withToken(file, token("ci", { sha256: "f".repeat(64) }), noon + 2000);
  assert.deepEqual(names(again.tokens), ["ci"]);
  const mapped = { ...file, certificates: [{ name: "alice", subject: "CN:alice", grants: everything }] };
  assert.throws(() => withToken(mapped, token("alice"), noon), /a caller has this name/);
});

test("a caller cannot have more tokens than the limit, in whatever generation", () => {
  let file = withToken(emptyTokensFile, token("root"), noon);
  for (let index = 0; index < maxDescendants; index++) {
    const parent = index === 0 ? "root" : `t${index - 1}`;
    file = withToken(file, token(`t${index}`, { parent }), noon);
  }
  assert.equal(descendantsOf(file, "root").length, maxDescendants);
  for (const parent of ["root", `t${maxDescendants - 1}`]) {
    assert.throws(
      () => withToken(file, token("more", { parent }), noon),
      (error: unknown) => error instanceof GatewayError && error.code === "conflict",
    );
  }
  // Expired ones no longer count, and others are not affected.
  withToken(file, token("unrelated"), noon);
  withToken(file, token("next", { parent: "root" }), noon + 3_600_001);
});

/** Any grants, with denials, as they are written. */
const anySet = fc
  .tuple(
    ...grantWordNames.map((word) => {
      const kinds =
        "kinds" in grantWords[word]
          ? fc.subarray([...(grantWords.read.kinds ?? [])], { minLength: 1 })
          : undefined;
      const prefixes = fc.subarray(["docker.io", "docker.io/library", "quay.io/team"], { minLength: 1 });
      const some = kinds ?? (grantWords[word].takes === "prefixes" ? prefixes : fc.constant(true));
      return fc.oneof({ weight: 2, arbitrary: fc.constant(undefined) }, fc.constant(true), some);
    }),
  )
  .map((entries) =>
    Object.fromEntries(
      grantWordNames.flatMap((word, index) => (entries[index] === undefined ? [] : [[word, entries[index]]])),
    ),
  );
const anyGrants: fc.Arbitrary<Grants> = fc
  .record({ all: fc.boolean(), allow: anySet, deny: anySet })
  .map((given) => readGrants(given, (key) => key));

test("no token can use what the one that it was made with cannot, whatever both say", () => {
  const resources = [undefined, "docker.io/library/busybox:1", "quay.io/team/app:2", "ghcr.io/x/y:3"];
  fc.assert(
    fc.property(anyGrants, fc.array(anyGrants, { minLength: 2, maxLength: 5 }), (process, line) => {
      const file = fileOf(
        ...line.map((grants, index) =>
          token(`t${index}`, { grants, ...(index === 0 ? {} : { parent: `t${index - 1}` }) }),
        ),
      );
      const standings = standingsOf(file);
      const callers = line.map(
        (_, index): Caller => ({ name: "", grants: process, layers: standings.get(`t${index}`)?.layers }),
      );
      let above: Caller = { name: "", grants: process };
      for (const caller of callers) {
        for (const grant of allGrants)
          for (const resource of resources)
            if (canUse(grant, caller, resource)) assert.ok(canUse(grant, above, resource), grant);
        above = caller;
      }
    }),
  );
});

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  allGrants,
  describeGrant,
  type Grant,
  type GrantSet,
  grantWordNames,
  grantWords,
} from "../../src/grants.ts";

test("the vocabulary has every word of a grant, each with one line that says what it permits", () => {
  assert.deepEqual(grantWordNames, [
    ...["read", "logs", "run", "stop", "remove", "exec", "checkpoint", "forward", "pull"],
    ...["image-remove", "verbose", "unmanaged", "host"],
  ]);
  for (const name of grantWordNames) {
    const { summary } = grantWords[name];
    assert.match(summary, /^[A-Z].*[^.]$/, name);
    assert.ok(summary.length < 100, name);
  }
});

test("allGrants has a word once, or once for each of its kinds", () => {
  assert.deepEqual(allGrants.slice(0, 7), [
    ...["read:pods", "read:containers", "read:images", "read:stats", "read:events", "read:runtime"],
    "logs",
  ]);
  assert.equal(new Set(allGrants).size, allGrants.length);
  assert.equal(allGrants.length, grantWordNames.length - 1 + grantWords.read.kinds.length);
});

test("describeGrant() is the flag that grants it", () => {
  assert.equal(describeGrant("read:pods"), "--allow-read=pods");
  assert.equal(describeGrant("exec"), "--allow-exec");
  assert.equal(describeGrant("image-remove"), "--allow-image-remove");
});

test("types refuse grants that do not exist", () => {
  // @ts-expect-error a word with kinds needs one
  const bare: Grant = "read";
  // @ts-expect-error no such kind
  const kind: Grant = "read:podz";
  const scope: GrantSet = { exec: ["default/web"], read: ["demo/*", "stats:demo/web"] };
  // @ts-expect-error no such kind in a set
  const set: GrantSet = { read: ["podz"] };
  const right: GrantSet = { read: ["pods"], pull: ["docker.io/library"], exec: true };
  assert.ok([bare, kind, scope, set, right]);
});

/** The licenses of what is installed with Crest. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { installedPackages, type LockFile, readJson } from "../../../src/codegen/installed-packages.ts";
import { checkedLicense, thirdPartyNotice } from "../../../src/codegen/third-party.ts";
import { repositoryRoot } from "../../support/repository.ts";

const root = repositoryRoot();

test("THIRD-PARTY.md is current, and has every package that is installed with Crest", () => {
  const notice = readFileSync(join(root, "THIRD-PARTY.md"), "utf8");
  assert.equal(notice, thirdPartyNotice(root));
  const rows = Array.from(notice.matchAll(/^\| (@?[a-z][^ ]*) \| (\d[^ ]*) \|/gm), ([, name, version]) => [
    name,
    version,
  ]);
  const packages = installedPackages(readJson<LockFile>(root, "package-lock.json"));
  assert.ok(packages.length > 50);
  assert.deepEqual(
    rows,
    packages.map(({ name, version }) => [name, version]),
  );
});

test("a license that nobody has permitted fails, and so does one that is not said", () => {
  assert.equal(checkedLicense("a", "MIT"), "MIT");
  for (const license of [
    "GPL-3.0-only",
    "(MIT OR GPL-3.0-only)",
    "SEE LICENSE IN x",
    "UNLICENSED",
    "mit",
    "",
  ])
    assert.throws(() => checkedLicense("a", license), /Cannot list a: it has the license/);
  assert.throws(() => checkedLicense("a", { type: "MIT" }), /Cannot list a: it has the license \{/);
  assert.throws(() => checkedLicense("a", undefined), /it has no license, and permitted are Apache-2\.0, /);
});

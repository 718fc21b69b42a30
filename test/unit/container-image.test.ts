import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { repositoryRoot } from "../support/repository.ts";

const read = (name: string): string => readFileSync(join(repositoryRoot(), name), "utf8");

test("the image's base is pinned by digest, and compose has the same one", () => {
  const dockerfile = read("Dockerfile");
  const [, base = ""] = /^ARG BASE=(.+)$/m.exec(dockerfile) ?? [];
  assert.match(base, /^node:\d+\.\d+\.\d+-slim@sha256:[0-9a-f]{64}$/);
  for (const from of dockerfile.match(/^FROM \S+/gm) ?? []) assert.equal(from, `FROM \${BASE}`);
  assert.ok(read("docker-compose.yml").includes(`BASE: \${BASE:-${base}}\n`));
});

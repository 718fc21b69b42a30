import assert from "node:assert/strict";
import { test } from "node:test";
import { imageDigests } from "../../../src/embedded/import-images.ts";

test("imageDigests() reads names and digests from the table of ctr, and an empty table", () => {
  const header = "REF TYPE DIGEST SIZE PLATFORMS LABELS ";
  const row = "a.local/x:1 application/vnd.oci.image.manifest.v1+json sha256:ab 1.9 MiB linux/amd64 - ";
  assert.deepEqual([...imageDigests(`${header}\n${row}\n`)], [["a.local/x:1", "sha256:ab"]]);
  assert.equal(imageDigests(`${header}\n`).size, 0);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { imageIdDigits, parseReference } from "../support/fake-runtime/references.ts";

const digits = "0".repeat(64);

test("parseReference() completes a name as Docker does", () => {
  const names: [text: string, name: string, host: string, short: boolean][] = [
    ["busybox", "docker.io/library/busybox:latest", "docker.io", true],
    ["busybox:1.36", "docker.io/library/busybox:1.36", "docker.io", true],
    ["busybox:5000", "docker.io/library/busybox:5000", "docker.io", true],
    ["team/app", "docker.io/team/app:latest", "docker.io", true],
    ["quay.io/team/app:v1.2", "quay.io/team/app:v1.2", "quay.io", false],
    ["127.0.0.1:5000/app", "127.0.0.1:5000/app:latest", "127.0.0.1:5000", false],
    ["localhost/app:x", "localhost/app:x", "localhost", false],
    [`busybox@sha256:${digits}`, `docker.io/library/busybox@sha256:${digits}`, "docker.io", true],
  ];
  for (const [text, name, host, short] of names) {
    const reference = parseReference(text);
    assert.deepEqual([reference?.name, reference?.host, reference?.short], [name, host, short], text);
  }
});

test("parseReference() refuses what is no reference", () => {
  for (const text of ["", "Upper", "a b", "app:", ":tag", "app@sha256:12", "-app", "a//b"]) {
    assert.equal(parseReference(text), undefined, text);
  }
});

test("imageIdDigits() knows ids with and without sha256:, whole and short", () => {
  assert.equal(imageIdDigits(`sha256:${digits}`), digits);
  assert.equal(imageIdDigits(digits), digits);
  assert.equal(imageIdDigits("0123456789ab"), "0123456789ab");
  for (const text of ["0123", "busybox", `sha256:${digits}0`, "sha512:0123456789ab"]) {
    assert.equal(imageIdDigits(text), undefined, text);
  }
});

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { normalReference } from "../../../src/auth/reference.ts";

const digest = `sha256:${"ab".repeat(32)}`;

/** What distribution/reference makes of it, which containerd, Docker and CRI-O use. */
const normal: readonly (readonly [written: string, normal: string])[] = [
  ["busybox", "docker.io/library/busybox:latest"],
  ["busybox:1.36", "docker.io/library/busybox:1.36"],
  ["library/busybox", "docker.io/library/busybox:latest"],
  ["docker.io/busybox", "docker.io/library/busybox:latest"],
  ["docker.io/library/busybox:1.36", "docker.io/library/busybox:1.36"],
  ["index.docker.io/busybox", "docker.io/library/busybox:latest"],
  ["index.docker.io/team/app:1", "docker.io/team/app:1"],
  ["team/app", "docker.io/team/app:latest"],
  ["team/sub/app", "docker.io/team/sub/app:latest"],
  ["quay.io/team/app", "quay.io/team/app:latest"],
  ["quay.io/app", "quay.io/app:latest"],
  ["localhost/app", "localhost/app:latest"],
  ["localhost:5000/app", "localhost:5000/app:latest"],
  ["registry:5000/app:1", "registry:5000/app:1"],
  ["127.0.0.1:5000/a/b", "127.0.0.1:5000/a/b:latest"],
  ["[::1]:5000/app", "[::1]:5000/app:latest"],
  [`busybox@${digest}`, `docker.io/library/busybox@${digest}`],
  [`busybox:1.36@${digest}`, `docker.io/library/busybox:1.36@${digest}`],
  [`quay.io/team/app@${digest}`, `quay.io/team/app@${digest}`],
  // Hosts are the same in either case, and a first part in upper case is one.
  ["Quay.IO/team/app", "quay.io/team/app:latest"],
  ["DOCKER.IO/busybox", "docker.io/library/busybox:latest"],
  ["Index.Docker.io/busybox", "docker.io/library/busybox:latest"],
  ["REGISTRY/app", "registry/app:latest"],
];

test("a reference in its normal form is what runtimes read", () => {
  for (const [written, expected] of normal) assert.equal(normalReference(written), expected, written);
});

test("the normal form is its own normal form", () => {
  for (const [, expected] of normal) {
    // A registry in upper case without a dot loses what made it one.
    if (!expected.startsWith("registry/")) assert.equal(normalReference(expected), expected);
  }
});

test("any text has one, and it never throws", () => {
  fc.assert(
    fc.property(
      fc.oneof(fc.string(), fc.string({ unit: fc.constantFrom("a", "A", "/", ":", "@", ".", "-") })),
      (text) => {
        assert.equal(typeof normalReference(text), "string");
        assert.ok(normalReference(text).includes("/"));
      },
    ),
  );
});

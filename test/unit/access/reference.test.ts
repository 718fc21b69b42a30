import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { normalReference, placeOf, repositoryOf } from "../../../src/access/reference.ts";

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
  ["LOCALHOST/app", "localhost/app:latest"],
  // In lower case this one would be a repository of docker.io.
  ["REGISTRY/app", "REGISTRY/app:latest"],
  // Not Docker's name for itself, but a host like others.
  ["registry-1.docker.io/library/busybox", "registry-1.docker.io/library/busybox:latest"],
  ["index.docker.io:443/busybox", "index.docker.io:443/busybox:latest"],
  // A tag is what stands behind the last slash and a colon.
  ["quay.io/app:", "quay.io/app::latest"],
  ["quay.io/app:1:", "quay.io/app:1:"],
  ["quay.io/a:1/app", "quay.io/a:1/app:latest"],
];

test("a reference in its normal form is what runtimes read", () => {
  for (const [written, expected] of normal) assert.equal(normalReference(written), expected, written);
});

test("normalReference() changes nothing of what it made", () => {
  fc.assert(
    fc.property(references, (written) => {
      const normal = normalReference(written);
      // What is no reference may change: "/" in front is no host, and a tag may be missing again.
      if (/^[^/]+(\/[^/:@]+)+(:[^/:@]+)?(@[^/@]+)?$/.test(normal))
        assert.equal(normalReference(normal), normal);
    }),
  );
  for (const [, expected] of normal) {
    if (expected !== "quay.io/app::latest") assert.equal(normalReference(expected), expected, expected);
  }
});

test("repositoryOf() leaves out tag and digest", () => {
  for (const [reference, repository] of [
    ["quay.io/team/app:1", "quay.io/team/app"],
    [`quay.io/team/app@${digest}`, "quay.io/team/app"],
    [`quay.io/team/app:1@${digest}`, "quay.io/team/app"],
    ["localhost:5000/app:1", "localhost:5000/app"],
    ["localhost:5000/app", "localhost:5000/app"],
    ["quay.io/a:1/b", "quay.io/a:1/b"],
  ] as const) {
    assert.equal(repositoryOf(reference), repository);
  }
});

test("placeOf() finds the host, the port and what is behind them", () => {
  for (const [reference, host, port, path] of [
    ["docker.io/library/busybox:1", "docker.io", "", "library/busybox:1"],
    ["registry.example:5000/a/b@x", "registry.example", "5000", "a/b@x"],
    ["[::1]/app:123", "[::1]", "", "app:123"],
    ["[::1]:5000/app", "[::1]", "5000", "app"],
    ["quay.io", "quay.io", "", ""],
    ["quay.io:443", "quay.io", "443", ""],
    ["quay.io:/app", "quay.io:", "", "app"],
  ] as const) {
    assert.deepEqual(placeOf(reference), { host, port, path }, reference);
  }
});

const references = fc
  .array(fc.constantFrom("a", "A", "/", ":", "@", ".", "-", "localhost", "docker.io", "1"), { maxLength: 12 })
  .map((parts) => parts.join(""));

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

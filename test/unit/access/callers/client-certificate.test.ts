import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { test } from "node:test";
import { subjectsIn } from "../../../../src/access/callers/client-certificate.ts";
import { createAuthority, type Name } from "../../../support/spdy-certificate.ts";

const authority = createAuthority("clients");
const subjectsOf = (subject: string, names: readonly Name[] = []): readonly string[] =>
  subjectsIn(new X509Certificate(authority.issue(subject, { names }).cert)).subjects;

test("a certificate is for its alternative names and its common name", () => {
  const names: readonly Name[] = [
    ["DNS", "ci.example"],
    ["URI", "spiffe://example/ci"],
    ["email", "ci@example"],
  ];
  assert.deepEqual(subjectsOf("alice", names), ["DNS:ci.example", "URI:spiffe://example/ci", "CN:alice"]);
});

test("a name that contains another one is not taken for it", () => {
  for (const name of [
    ["email", "x, URI:spiffe://example/ci, y"],
    ["DNS", "x, URI:spiffe://example/ci"],
    ["email", 'x", URI:spiffe://example/ci'],
    ["DNS", "x,DNS:y\nURI:spiffe://example/ci"],
  ] as const satisfies readonly Name[]) {
    const found = subjectsOf("alice", [name]);
    assert.ok(!found.includes("URI:spiffe://example/ci"), JSON.stringify(found));
  }
  for (const subject of ["x\nCN=alice", "x, CN=alice", "CN=alice", "alice\\nx"])
    assert.ok(!subjectsOf(subject).includes("CN:alice"), subject);
});

test("the end of a certificate is known", () => {
  const { cert } = authority.issue("alice", { validity: { toDays: 2 } });
  const { expiresAtMs } = subjectsIn(new X509Certificate(cert));
  assert.ok(Math.abs(expiresAtMs - Date.now() - 2 * 86_400_000) < 60_000);
});

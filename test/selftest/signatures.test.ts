/** What `npm run audit:signatures` makes of npm's answers. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Verdict, verdictOf } from "../signatures/verdict.ts";

const a = { name: "a", version: "1.0.0" };

const outcomes: readonly (readonly [
  name: string,
  code: number,
  answer: unknown,
  Verdict["result"],
  RegExp,
])[] = [
  ["all are right", 0, { invalid: [], missing: [] }, "verified", /of all packages are right/],
  ["one is wrong", 1, { invalid: [a], missing: [] }, "refused", /wrong: a@1\.0\.0/],
  ["one is missing", 1, { invalid: [], missing: [a] }, "refused", /missing: a@1\.0\.0/],
  ["one is missing, whatever npm exits with", 0, { invalid: [], missing: [a] }, "refused", /missing/],
  ...["ENOTFOUND", "ECONNREFUSED", "ETIMEDOUT", "E403", "E503", "TUF_REFRESH_METADATA_ERROR"].map(
    (code) =>
      [
        `${code} instead of the keys`,
        1,
        { error: { code, summary: "request to https://keys.example failed" } },
        "unchecked",
        /NOT checked: request to https:\/\/keys\.example failed/,
      ] as const,
  ),
  [
    "the registry has no keys",
    1,
    { error: { summary: "found no dependencies to audit that were installed from a supported registry" } },
    "unchecked",
    /NOT checked/,
  ],
  [
    "the keys are forged",
    1,
    { error: { code: "TUF_DOWNLOAD_TARGET_ERROR", summary: "bad keys" } },
    "refused",
    /failed: bad keys/,
  ],
  ["a package is unknown", 1, { error: { code: "E404", summary: "no" } }, "refused", /failed: no/],
  ["npm fails without a word", 1, {}, "refused", /failed/],
];

for (const [name, code, answer, result, text] of outcomes) {
  test(`the signatures are ${result}: ${name}`, () => {
    const verdict = verdictOf({ code, stdout: JSON.stringify(answer), stderr: "" });
    assert.equal(verdict.result, result);
    assert.match(verdict.text, text);
  });
}

test("the signatures are refused: npm answers with what is no JSON, or does not start", () => {
  assert.equal(verdictOf({ code: 0, stdout: "ok", stderr: "" }).result, "refused");
  assert.match(verdictOf({ code: null, stdout: "", stderr: "spawn npm ENOENT" }).text, /spawn npm ENOENT/);
});

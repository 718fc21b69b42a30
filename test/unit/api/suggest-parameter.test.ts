import assert from "node:assert/strict";
import { test } from "node:test";
import { suggestParameter } from "../../../src/api/suggest-parameter.ts";

const ofList = ["continue", "id", "labelSelector", "limit", "pod", "state"];

test("suggestParameter() knows what others call a parameter, and misspelt names", () => {
  for (const [name, meant] of [
    ["label", "labelSelector"],
    ["selector", "labelSelector"],
    ["labelselector", "labelSelector"],
    ["podSandboxId", "pod"],
    ["status", "state"],
    ["stat", "state"],
    ["cursor", "continue"],
    ["limti", "limit"],
    ["limits", "limit"],
  ] as const) {
    const phrase = meant === undefined ? undefined : `did you mean ${meant}?`;
    assert.equal(suggestParameter(name, ofList), phrase, name);
  }
});

test("suggestParameter() suggests only what the route has", () => {
  assert.equal(suggestParameter("label", ["limit"]), undefined);
  assert.equal(suggestParameter("all", ["limit"]), undefined);
  assert.match(suggestParameter("all", ofList) ?? "", /omit it/);
  assert.equal(suggestParameter("constructor", ofList), undefined);
  assert.equal(suggestParameter("x".repeat(100_000), ofList), undefined);
});

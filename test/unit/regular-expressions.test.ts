/**
 * No pattern of the sources takes more steps than in proportion to the length of its text, whoever wrote the text:
 * a caller, a registry through the runtime's errors, a program in a container. Steps are counted, not time.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { requests } from "../../src/routes/answers.ts";
import { attackOn } from "../support/pattern-attack.ts";
import { sourcePatterns } from "../support/source-patterns.ts";

test("every pattern of the sources takes steps in proportion to its text", async (t) => {
  const { literals } = sourcePatterns();
  assert.ok(literals.length > 100, `only ${literals.length} found`);
  const seen = new Set<string>();
  for (const { place, source, flags } of literals) {
    const name = `/${source}/${flags}`;
    if (seen.has(name)) continue;
    seen.add(name);
    await t.test(`${place} ${name}`, () => assert.deepEqual(attackOn(source, flags), undefined));
  }
});

test("patterns are written out, where the test before this one finds them", () => {
  // What the operator wrote, once at the start; and the patterns of bodies: see the next test.
  const known = /^dist\/src\/(config\/|api\/check-body\.)/;
  assert.deepEqual(
    sourcePatterns().made.filter((place) => !known.test(place)),
    [],
  );
});

test("so do the patterns of bodies", () => {
  const patterns = JSON.stringify(requests).match(/"pattern":"(?:[^"\\]|\\.)*"/g) ?? [];
  assert.ok(patterns.length > 1);
  for (const pattern of patterns) {
    const source = JSON.parse(`{${pattern}}`).pattern;
    assert.deepEqual(attackOn(source, ""), undefined, source);
  }
});

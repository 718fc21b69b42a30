/**
 * No pattern of the sources takes more steps than in proportion to the length of its text, whoever wrote the text:
 * a caller, a registry through the runtime's errors, a program in a container. Steps are counted, not time.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { fill, type HostileText, hostileTexts } from "../support/hostile-texts.ts";
import { createStepCounter, type StepCounter } from "../support/pattern-steps.ts";
import { sourcePatterns } from "../support/source-patterns.ts";

const length = 64 * 1024;
/** Long enough to tell the worst texts from the others. */
const trialLength = 1024;
const tooMany = trialLength ** 2 / 4;
const worst = 3;

/** Steps for a character: each letter of a pattern may be tried there, some of them twice. */
const stepsFor = (source: string): number => 2 * (source.length + 16);

/** A text of 64 KiB on which the pattern takes too many steps; undefined when there is none among the hostile ones. */
function attackOn(source: string, flags: string): HostileText | undefined {
  const isWithin = createStepCounter(source, flags);
  return worstOf(hostileTexts(source, flags), isWithin).find(
    (text) => !isWithin(fill(text, length), length * stepsFor(source)),
  );
}

/** The texts that took the most steps while they were short, the worst first. */
function worstOf(texts: readonly HostileText[], isWithin: StepCounter): readonly HostileText[] {
  const found: HostileText[] = [];
  let most = trialLength;
  for (const text of texts) {
    const short = fill(text, trialLength);
    if (isWithin(short, most)) continue;
    found.unshift(text);
    while (most < tooMany && !isWithin(short, most)) most *= 2;
    if (most >= tooMany) break;
  }
  return [...found, ...texts.slice(0, 1)].slice(0, worst);
}

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
  // What the operator wrote, once at the start.
  const known = /^dist\/src\/config\//;
  assert.deepEqual(
    sourcePatterns().made.filter((place) => !known.test(place)),
    [],
  );
});

/** Patterns that take steps by the square of the length, most of them once in these sources, and some that do not. */
const quadratic: readonly RegExp[] = [
  /:[^/]+$/,
  /(:[^/@]*)?(@.*)?$/,
  /^\s*([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*?)\s*$/,
  /(^|\s+)#.*$/,
  /^CREST_\w+_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)$/,
  /exec: "[^"]*": stat [^:]*: no such file|exec:? .*no such file/,
  /name unknown|\b404 Not Found|repository .* not found|: not found$/i,
  /write \S+: (invalid argument|out of range)|mkdir [\s\S]*: invalid argument/,
  /timeout .* exceeded|deadline exceeded/,
  /(`[^`]+`|\*\*[^*]+\*\*|\[\w+\]\(\/[^\s)]*\))/,
  /=+$/,
  /a(?=.*x)/g,
  /\s+$/,
  /(x+x+)+y/,
  /^(a|a)*$/,
  /^(\w+\s?)*$/,
];
const linear: readonly RegExp[] = [
  /^a+b/,
  /[^/]+/g,
  /a|b|c/,
  /^(?:[A-Za-z0-9+/]{4})*$/,
  /(?<=a)b/,
  /^[^=;\p{Cc}]*$/u,
];

test("attackOn() finds what makes a pattern slow, and nothing where there is nothing", () => {
  for (const { source, flags } of quadratic) assert.ok(attackOn(source, flags), source);
  for (const { source, flags } of linear) assert.equal(attackOn(source, flags), undefined, source);
});

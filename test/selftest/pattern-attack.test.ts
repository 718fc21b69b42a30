import assert from "node:assert/strict";
import { test } from "node:test";
import { attackOn } from "../support/pattern-attack.ts";

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

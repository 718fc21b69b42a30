/**
 * Counts the steps that V8's own engine takes to match a pattern. The count is the same on every machine.
 *
 * V8 can stop after a number of backtracks. It does not backtrack for everything that it tries, so the pattern is
 * rewritten first: each atom `x` becomes `(?:(?!)|x)`, whose first alternative never matches. The meaning stays the
 * same, and every attempted atom costs at least one backtrack.
 */
import { setFlagsFromString } from "node:v8";
import { RegExpParser, visitRegExpAST } from "@eslint-community/regexpp";

/** Creates a matcher that returns null after `limit` backtracks; 0: no limit. */
const withLimit = ((): ((source: string, flags: string, limit: number) => RegExp) => {
  setFlagsFromString("--allow-natives-syntax");
  const make = new Function(
    "source",
    "flags",
    "limit",
    "return %NewRegExpWithBacktrackLimit(source, flags, limit)",
  );
  setFlagsFromString("--no-allow-natives-syntax");
  return make as (source: string, flags: string, limit: number) => RegExp;
})();

/** Returns whether finding all matches of a pattern in a text takes at most `limit` steps. */
export type StepCounter = (text: string, limit: number) => boolean;

export function createStepCounter(source: string, flags: string): StepCounter {
  // Finds all matches in sequence and then fails to find another, like replace() and split(). The whole pattern always
  // matches unless the engine gives up.
  const all = `(?:[^]*?(?:${withCountedAtoms(source, flags)}))*`;
  const kept = flags.replace(/[gyd]/g, "");
  // The engine compiles each pattern anew, which takes longer than most matches.
  const compiled = new Map<number, RegExp>();
  return (text, limit) => {
    const pattern = compiled.get(limit) ?? withLimit(all, kept, limit);
    compiled.set(limit, pattern);
    return pattern.test(text);
  };
}

function withCountedAtoms(source: string, flags: string): string {
  const atoms: { readonly start: number; readonly end: number; readonly raw: string }[] = [];
  let classes = 0;
  const add = (atom: (typeof atoms)[number]): void => {
    if (classes === 0) atoms.push(atom);
  };
  visitRegExpAST(parsePattern(source, flags), {
    onCharacterEnter: add,
    onCharacterSetEnter: add,
    onBackreferenceEnter: add,
    onCharacterClassEnter(node) {
      add(node);
      classes++;
    },
    onCharacterClassLeave() {
      classes--;
    },
    onExpressionCharacterClassEnter(node) {
      add(node);
      classes++;
    },
    onExpressionCharacterClassLeave() {
      classes--;
    },
    onAssertionEnter(node) {
      // Other assertions contain atoms of their own.
      if (node.kind === "start" || node.kind === "end" || node.kind === "word") add(node);
    },
  });
  let counted = "";
  let at = 0;
  for (const { start, end, raw } of atoms.sort((a, b) => a.start - b.start)) {
    counted += `${source.slice(at, start)}(?:(?!)|${raw})`;
    at = end;
  }
  return counted + source.slice(at);
}

/** Parses a pattern into its syntax tree. @throws {RegExpSyntaxError} */
export function parsePattern(source: string, flags: string) {
  return new RegExpParser({ ecmaVersion: 2024 }).parsePattern(source, 0, source.length, {
    unicode: flags.includes("u"),
    unicodeSets: flags.includes("v"),
  });
}

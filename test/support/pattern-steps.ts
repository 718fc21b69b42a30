/**
 * How many steps V8's own engine takes to match a pattern, counted by the engine: the same on every machine.
 *
 * V8 can give up after a number of backtracks. It does not backtrack for everything that it tries, so a pattern is
 * rewritten first: each of its atoms `x` becomes `(?:(?!)|x)`, whose first alternative never matches. It means the
 * same, and every atom that is tried costs one backtrack at least.
 */
import { setFlagsFromString } from "node:v8";
import { RegExpParser, visitRegExpAST } from "@eslint-community/regexpp";

/** Makes a matcher that answers null after `limit` backtracks; 0: never. */
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

/** Answers whether all matches of a pattern in a text are found within `limit` steps. */
export type StepCounter = (text: string, limit: number) => boolean;

export function createStepCounter(source: string, flags: string): StepCounter {
  // Matches one after the other, and at last looks in vain for one more: what replace() and split() do, too. The
  // whole always matches, unless the engine gives up.
  const all = `(?:[^]*?(?:${withCountedAtoms(source, flags)}))*`;
  const kept = flags.replace(/[gyd]/g, "");
  // The engine compiles each one anew, which takes longer than most matches.
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
      // The others hold atoms of their own.
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

/** The syntax tree of a pattern. @throws {RegExpSyntaxError} */
export function parsePattern(source: string, flags: string) {
  return new RegExpParser({ ecmaVersion: 2024 }).parsePattern(source, 0, source.length, {
    unicode: flags.includes("u"),
    unicodeSets: flags.includes("v"),
  });
}

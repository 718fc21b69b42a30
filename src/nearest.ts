/** Finds the known name that a misspelled one probably stands for. */

/** Names that differ in more than a third of their letters are different words. */
const tolerance = 3;
/** Longer words are not misspelled names, and comparing them takes time. */
const maxLength = 64;

/**
 * Returns the name in `known` with the fewest typos relative to `word`; undefined if none is close. Ignores case and
 * underscores.
 */
export function nearest(word: string, known: readonly string[]): string | undefined {
  const plain = simplify(word);
  if (plain.length > maxLength) return undefined;
  let best: string | undefined;
  let fewest = Math.max(1, Math.floor(plain.length / tolerance)) + 1;
  for (const candidate of known) {
    const slips = countSlips(plain, simplify(candidate));
    if (slips >= fewest) continue;
    best = candidate;
    fewest = slips;
  }
  return best;
}

function simplify(name: string): string {
  return name.replaceAll("_", "").toLowerCase();
}

/** Counts missing, extra, wrong and swapped letters: the optimal string alignment distance. */
function countSlips(from: string, to: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (let row = 1; row <= from.length; row++) {
    const current = [row];
    for (let column = 1; column <= to.length; column++) {
      const wrong = from[row - 1] === to[column - 1] ? 0 : 1;
      let slips = Math.min(at(last, column) + 1, at(current, column - 1) + 1, at(last, column - 1) + wrong);
      const swapped = from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1];
      if (row > 1 && column > 1 && swapped) slips = Math.min(slips, at(beforeLast, column - 2) + 1);
      current.push(slips);
    }
    [beforeLast, last] = [last, current];
  }
  return at(last, to.length);
}

const at = (row: readonly number[], column: number): number => row[column] ?? Number.POSITIVE_INFINITY;

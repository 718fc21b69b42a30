/** The word that somebody probably meant. */

/**
 * The one of `known` that takes the fewest slips to become `word`; when more than a third of the
 * letters, two at least, would have to change, the first one that ends with the word without its
 * `--` or `CREST_`, or else contains it; else undefined. Pure.
 */
export function nearest(word: string, known: readonly string[]): string | undefined {
  let best: string | undefined;
  let fewest = Math.max(2, Math.floor(word.length / 3)) + 1;
  for (const candidate of known) {
    const slips = countSlips(word.toLowerCase(), candidate.toLowerCase());
    if (slips < fewest) [best, fewest] = [candidate, slips];
  }
  const core = word.replace(/^(--|CREST_)/, "");
  if (best !== undefined || core.length <= 2) return best;
  return (
    known.find((candidate) => candidate.endsWith(core)) ?? known.find((candidate) => candidate.includes(core))
  );
}

/** A letter too many, too few, wrong, or two neighbours swapped: optimal string alignment. */
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

/** Which known name somebody probably meant. */

/** Names that differ by more edits than a third of their letters are different words. */
const TOLERANCE = 3;

/** The candidate closest to `name`, ignoring case and underscores, or undefined when none is close. */
export function nearest(name: string, candidates: readonly string[]): string | undefined {
  const plain = simplify(name);
  // Longer names are no spelling of a field; comparing them would only cost time.
  if (plain.length > 64) return undefined;
  let best: string | undefined;
  let least = Math.max(1, Math.floor(plain.length / TOLERANCE)) + 1;
  for (const candidate of candidates) {
    const edits = distance(plain, simplify(candidate));
    if (edits >= least) continue;
    best = candidate;
    least = edits;
  }
  return best;
}

function simplify(name: string): string {
  return name.replaceAll("_", "").toLowerCase();
}

/** Levenshtein's distance. */
function distance(x: string, y: string): number {
  let row = Array.from({ length: y.length + 1 }, (_, j) => j);
  for (let i = 1; i <= x.length; i++) {
    const below = [i];
    for (let j = 1; j <= y.length; j++) {
      const change = (row[j - 1] ?? 0) + (x[i - 1] === y[j - 1] ? 0 : 1);
      below.push(Math.min(change, (row[j] ?? 0) + 1, (below[j - 1] ?? 0) + 1));
    }
    row = below;
  }
  return row[y.length] ?? 0;
}

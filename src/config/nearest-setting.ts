/** The flag, variable or command that somebody probably meant. */
import { nearest } from "../nearest.ts";

/**
 * Returns the nearest name in `known`. When none is close, returns the first that ends with the word without its `--`
 * or `CREST_`, or else contains it: `--allow-exec` for `--exec`.
 */
export function nearestSetting(word: string, known: readonly string[]): string | undefined {
  const near = nearest(word, known);
  const core = word.replace(/^(--|CREST_)/, "");
  if (near !== undefined || core.length <= 2) return near;
  return (
    known.find((candidate) => candidate.endsWith(core)) ?? known.find((candidate) => candidate.includes(core))
  );
}

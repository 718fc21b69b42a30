/** Suggests the flag, variable or command that the user probably meant. */
import { nearest } from "../nearest.ts";

/**
 * Returns the nearest name in `known`. If none is close, strips `--` or `CREST_` from the word and returns the first
 * name that ends with it, or else contains it: `--allow-exec` for `--exec`.
 */
export function nearestSetting(word: string, known: readonly string[]): string | undefined {
  const near = nearest(word, known);
  const core = word.replace(/^(--|CREST_)/, "");
  if (near !== undefined || core.length <= 2) return near;
  return (
    known.find((candidate) => candidate.endsWith(core)) ?? known.find((candidate) => candidate.includes(core))
  );
}

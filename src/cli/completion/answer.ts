/** `crest __complete SHELL WORD...`: what the scripts of `crest completion` ask. Never fails, and says nothing wrong. */
import { printable } from "../../printable.ts";
import { complete } from "./complete.ts";
import { namesOf } from "./names.ts";

/**
 * A candidate a line, with a tab and what it is. Before them, `:files` if names of files fit, and `:nospace` if more of the
 * word follows.
 *
 * @param argv The shell, and the words behind `crest` up to the one to complete.
 */
export async function answerCompletion([shell, ...given]: readonly string[]): Promise<string> {
  const words = shell === "bash" ? joined(given) : given;
  const { candidates, files } = await complete(words, (kind, around) =>
    namesOf(kind, around).catch(() => []),
  ).catch(() => ({ candidates: [], files: false }));
  const start = shell === "bash" ? typedBefore(words.at(-1) ?? "") : 0;
  const isOpen = candidates.length > 0 && candidates.every(({ value }) => /[=:]$/.test(value));
  return [
    ...(files ? [":files"] : []),
    ...(isOpen ? [":nospace"] : []),
    ...candidates.map(({ value, about }) => {
      const text = value.slice(start);
      return shell === "bash" ? text : `${text}\t${printable(firstSentence(about ?? ""))}`;
    }),
  ]
    .map((line) => `${line}\n`)
    .join("");
}

const firstSentence = (text: string): string => text.replace(/\.( .*)?$/s, "");

/** bash takes words apart at `=` and `:`, which are words of their own there. */
function joined(words: readonly string[]): readonly string[] {
  const whole: string[] = [];
  let isOpen = false;
  for (const word of words) {
    const isSeparator = /^[=:]+$/.test(word);
    if ((isOpen || isSeparator) && whole.length > 0) whole[whole.length - 1] += word;
    else whole.push(word);
    isOpen = isSeparator;
  }
  return whole;
}

/** How much of the word bash has put aside. */
const typedBefore = (word: string): number => Math.max(word.lastIndexOf("="), word.lastIndexOf(":")) + 1;

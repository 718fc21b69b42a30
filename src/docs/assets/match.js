/** How well an entry of the contents fits what someone typed. */

/** Levels: a word of the entry itself, the beginning of one, a part of one, nothing. */
const whole = 3;
const beginning = 2;
const part = 1;

/**
 * The plural counts as the singular.
 *
 * @param {string} word
 * @returns {string}
 */
const singular = (word) => (word.length > 3 && /[^s]s$/.test(word) ? word.slice(0, -1) : word);

/**
 * @param {readonly string[]} words Of the entry, in lower case.
 * @param {string} typed One word, in lower case.
 * @returns {number}
 */
function level(words, typed) {
  if (words.some((word) => singular(word) === singular(typed))) return whole;
  if (words.some((word) => word.startsWith(typed))) return beginning;
  return words.some((word) => word.includes(typed)) ? part : 0;
}

/**
 * Which entries to show: those that fit best. So `run` finds what runs something, and not everything that has to do
 * with the runtime; where no word is `run`, its beginnings and parts are found.
 *
 * @param {readonly (readonly string[])[]} entries The words of each entry, in lower case.
 * @param {string} text What was typed.
 * @returns {readonly boolean[]} For each entry.
 */
export function matches(entries, text) {
  const typed = text.toLowerCase().split(/\s+/).filter(Boolean);
  const levels = entries.map((words) => Math.min(whole, ...typed.map((word) => level(words, word))));
  const best = Math.max(part, ...levels);
  return levels.map((one) => one >= best);
}

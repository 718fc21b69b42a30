/** Searches for a text that makes a regular expression slow. Counts steps, not time. */
import { fill, type HostileText, hostileTexts } from "./hostile-texts.ts";
import { createStepCounter, type StepCounter } from "./pattern-steps.ts";

const length = 64 * 1024;
/** Long enough to distinguish the worst texts from the others. */
const trialLength = 1024;
const tooMany = trialLength ** 2 / 4;
const worst = 3;

/** Steps allowed per character: each element of the pattern may be tried there, some of them twice. */
const stepsFor = (source: string): number => 2 * (source.length + 16);

/** A text of 64 KiB on which the pattern takes too many steps; undefined if no hostile text does. */
export function attackOn(source: string, flags: string): HostileText | undefined {
  const isWithin = createStepCounter(source, flags);
  return worstOf(hostileTexts(source, flags), isWithin).find(
    (text) => !isWithin(fill(text, length), length * stepsFor(source)),
  );
}

/** The texts that take the most steps at the short length, worst first. */
function worstOf(texts: readonly HostileText[], isWithin: StepCounter): readonly HostileText[] {
  const found: HostileText[] = [];
  let most = trialLength;
  for (const text of texts) {
    const short = fill(text, trialLength);
    if (isWithin(short, most)) continue;
    found.unshift(text);
    while (most < tooMany && !isWithin(short, most)) most *= 2;
    if (most >= tooMany) break;
  }
  return [...found, ...texts.slice(0, 1)].slice(0, worst);
}

/** CREST_TEST_SEED makes a run repeatable; without it each run is new. */
export const seed = process.env.CREST_TEST_SEED ? Number(process.env.CREST_TEST_SEED) : Date.now() % 2 ** 31;

/** Chance that can be repeated. */
export interface Dice {
  /** An integer from 0 up to, not including, `below`. */
  roll(below: number): number;
  /** True once in `times`. */
  oneIn(times: number): boolean;
  pick<T>(items: readonly T[]): T;
  shuffle<T>(items: readonly T[]): T[];
}

/** Mulberry32. */
export function createDice(seed: number): Dice {
  let state = seed >>> 0;
  const roll = (below: number): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
  return {
    roll,
    oneIn: (times) => roll(times) === 0,
    pick: (items) => items[roll(items.length)] as (typeof items)[number],
    shuffle: (items) => {
      const left = [...items];
      return items.flatMap(() => left.splice(roll(left.length), 1));
    },
  };
}

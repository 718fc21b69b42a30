export interface Rounds {
  /** How often each side has its turn. */
  readonly rounds: number;
  /** How long a turn should take. Where they take half as long again, there are fewer rounds, two at least. */
  readonly turnMs: number;
  /** Rounds before them that are not counted: until the code has been compiled. Default 1. */
  readonly warmRounds?: number;
}

const patience = 1.5;

/**
 * Measures the sides in turn, several times over, each round beginning with another side: what else the
 * machine does meanwhile then falls on all of them alike.
 *
 * @returns The results of each side, by round.
 */
export async function inTurn<Side, Result>(
  sides: readonly Side[],
  { rounds, turnMs, warmRounds = 1 }: Rounds,
  measure: (side: Side) => Promise<Result>,
): Promise<ReadonlyMap<Side, readonly Result[]>> {
  const results = new Map<Side, Result[]>(sides.map((side) => [side, []]));
  const all = warmRounds + rounds;
  const enoughAt = performance.now() + patience * turnMs * sides.length * all;
  for (let round = 0; round < all; round++) {
    if (round >= warmRounds + 2 && performance.now() > enoughAt) break;
    for (let place = 0; place < sides.length; place++) {
      const side = sides[(round + place) % sides.length];
      if (side === undefined) continue;
      const result = await measure(side);
      if (round >= warmRounds) results.get(side)?.push(result);
    }
  }
  return results;
}

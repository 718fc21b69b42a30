import type { Load } from "../process/commands.ts";

/**
 * Runs `clients` loops side by side, each of which begins its next turn when the one before is over,
 * until `durationMs` have passed; turns that were begun are awaited. Each loop takes one turn at least.
 */
export async function closedLoop(
  { clients, durationMs }: { readonly clients: number; readonly durationMs: number },
  take: (client: number, turn: number) => Promise<void>,
): Promise<Load> {
  const latenciesMs: number[] = [];
  const begin = performance.now();
  let end = begin;
  async function loop(client: number): Promise<void> {
    for (let turn = 0; ; turn++) {
      const asked = performance.now();
      await take(client, turn);
      end = performance.now();
      latenciesMs.push(Math.round((end - asked) * 1000) / 1000);
      if (end - begin >= durationMs) return;
    }
  }
  await Promise.all(Array.from({ length: clients }, (_, client) => loop(client)));
  return { answered: latenciesMs.length, elapsedMs: end - begin, latenciesMs };
}

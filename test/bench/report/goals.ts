import type { Spread } from "./statistics.ts";
import { number, range, table } from "./table.ts";

/** A ratio that is worked for. Shown beside the result; nothing fails by it. */
export interface Goal {
  readonly about: string;
  readonly wanted: { readonly atLeast: number } | { readonly atMost: number };
  readonly measured: Spread;
}

/** All goals with what was measured. */
export function goalsTable(goals: readonly Goal[]): string {
  return table(
    ["goals (ratios)", "wanted", "measured", ""],
    goals.map(({ about, wanted, measured }) => {
      const atLeast = "atLeast" in wanted;
      const met = atLeast ? measured.median >= wanted.atLeast : measured.median <= wanted.atMost;
      const sign = atLeast ? `>= ${number(wanted.atLeast)}` : `<= ${number(wanted.atMost)}`;
      return [about, sign, range(measured), met ? "met" : "missed"];
    }),
  );
}

import type { Goal } from "./report/goals.ts";

/** How much is measured. */
export interface Plan {
  /** How often each side has its turn. */
  readonly rounds: number;
  /** How long a side reads in its turn. */
  readonly readMs: number;
  /** How long a codec works in its turn. */
  readonly codecMs: number;
  /** How large the log is that is searched. */
  readonly logBytes: number;
  /** How often each program is started. */
  readonly starts: number;
}

/** What a benchmark works with. */
export interface Bench {
  readonly plan: Plan;
  /** An empty folder, removed at the end. */
  readonly folder: string;
  print(text: string): void;
  /** Notes a goal, shown at the end. */
  goal(goal: Goal): void;
  /** Calls `clean` when the benchmark is over, or was broken off; the last one first. */
  onEnd(clean: () => Promise<void>): void;
}

/** Measures and prints. Never fails for what it measured. */
export type Benchmark = (bench: Bench) => Promise<void>;

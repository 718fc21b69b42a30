/** Whether this is a `--quick` run: see test/run.ts. */
const isQuick = process.env.CREST_TEST_QUICK === "1";

/** How many random inputs a test tries: `count`, or a tenth of it in a quick run. */
export function randomRuns(count: number): number {
  return isQuick ? Math.ceil(count / 10) : count;
}

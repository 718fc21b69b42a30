/** Counts the pulls of images. */
import type { Pull } from "../pulls/pull-registry.ts";
import { createCounter, createHistogram, gauge, total } from "./recorder.ts";

export interface PullMetrics {
  /** Records a pull that has ended. */
  ended(pull: Pick<Pull, "progress">): void;
  /** `running`: pulls in progress. */
  text(running: number): string;
}

/** Upper bounds in seconds: from an image that already exists to one of several gigabytes. */
const bounds = [0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800] as const;

export function createPullMetrics(): PullMetrics {
  const pulls = createCounter(
    { name: "crest_pulls_total", help: "Pulls that ended, by outcome: done, failed or cancelled." },
    ["outcome"],
  );
  const durations = createHistogram(
    { name: "crest_pull_duration_seconds", help: "Time that pulls took, by outcome." },
    ["outcome"],
    bounds,
  );
  let bytes = 0;
  return {
    ended({ progress: { phase, elapsedMs, layers = [] } }) {
      pulls.add(phase);
      durations.observe(elapsedMs / 1000, phase);
      for (const { state, downloadedBytes } of layers) if (state !== "exists") bytes += downloadedBytes;
    },
    text: (running) =>
      [
        gauge("crest_pulls", "Pulls in progress. Callers that share a pull count once.", running),
        pulls.text(),
        durations.text(),
        total(
          "crest_pull_bytes_total",
          "Compressed bytes of layers that ended pulls downloaded. Only containerd reports them.",
          bytes,
        ),
      ].join(""),
  };
}

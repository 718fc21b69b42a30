/** Counts events of the node, their lag, and what readers miss. */
import type { EventsObserver } from "../events/node-events.ts";
import { createCounter, createHistogram, gauge, total } from "./recorder.ts";

export interface EventMetrics extends EventsObserver {
  /** `readers`: those that read events now. */
  text(readers: number): string;
}

export function createEventMetrics(): EventMetrics {
  const events = createCounter(
    {
      name: "crest_events_total",
      help: "Events of pods, containers and images. They are followed only while something needs them.",
    },
    ["type"],
  );
  const lags = createHistogram(
    {
      name: "crest_event_lag_seconds",
      help: "Time between a change of a pod or container and the delivery of its event, by source.",
    },
    ["source"],
  );
  const resyncs = createCounter(
    {
      name: "crest_event_resyncs_total",
      help: "Lost connections after which events may be missing, by source.",
    },
    ["source"],
  );
  let gaps = 0;
  return {
    emitted(type, source, lagSeconds) {
      events.add(type);
      if (lagSeconds !== undefined) lags.observe(lagSeconds, source);
    },
    resynced: (source) => resyncs.add(source),
    gapped: () => void gaps++,
    text: (readers) =>
      [
        gauge(
          "crest_event_readers",
          "Readers of events, with those that follow logs, stats or the end of a container.",
          readers,
        ),
        events.text(),
        lags.text(),
        total("crest_event_gaps_total", "Readers that were too slow and whose stream ended.", gaps),
        resyncs.text(),
      ].join(""),
  };
}

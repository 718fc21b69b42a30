/** Counters and histograms. Recording costs a look-up and an addition. */
import { type Family, header, type Labels, labelText, sample } from "./exposition.ts";

export interface Counter {
  /** Adds 1. `values`: of the labels, in their order. They must be from a bounded set. */
  add(...values: readonly string[]): void;
  text(): string;
}

export function createCounter(family: Omit<Family, "type">, labels: readonly string[]): Counter {
  const counts = new Map<string, number>();
  return {
    add(...values) {
      const key = values.join("\n");
      counts.set(key, (counts.get(key) ?? 0) + 1);
    },
    text: () =>
      header({ ...family, type: "counter" }) +
      [...counts].map(([key, count]) => sample(family.name, labelsOf(labels, key), count)).join(""),
  };
}

export interface Histogram {
  observe(seconds: number, ...values: readonly string[]): void;
  text(): string;
}

/** Upper bounds in seconds, for calls of a runtime: from a millisecond to the time of a pull. */
const callBounds: readonly number[] = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30,
];

/** `bounds`: upper bounds of the buckets in seconds; default: those of calls, 1 ms to 30 s. */
export function createHistogram(
  family: Omit<Family, "type">,
  labels: readonly string[],
  bounds: readonly number[] = callBounds,
): Histogram {
  const found = new Map<string, { readonly counts: number[]; sum: number; count: number }>();
  return {
    observe(seconds, ...values) {
      const key = values.join("\n");
      let one = found.get(key);
      if (one === undefined) {
        one = { counts: bounds.map(() => 0), sum: 0, count: 0 };
        found.set(key, one);
      }
      one.sum += seconds;
      one.count++;
      const place = bounds.findIndex((bound) => seconds <= bound);
      if (place !== -1) one.counts[place] = (one.counts[place] ?? 0) + 1;
    },
    text() {
      const lines = [header({ ...family, type: "histogram" })];
      for (const [key, { counts, sum, count }] of found) {
        const own = labelsOf(labels, key);
        let below = 0;
        for (const [place, bound] of bounds.entries()) {
          below += counts[place] ?? 0;
          lines.push(sample(`${family.name}_bucket`, `${own},le="${bound}"`, below));
        }
        lines.push(sample(`${family.name}_bucket`, `${own},le="+Inf"`, count));
        lines.push(sample(`${family.name}_sum`, own, sum), sample(`${family.name}_count`, own, count));
      }
      return lines.join("");
    },
  };
}

function labelsOf(names: readonly string[], key: string): string {
  const values = key.split("\n");
  const labels: Labels = Object.fromEntries(names.map((name, place) => [name, values[place] ?? ""]));
  return labelText(labels);
}

/** Writes a gauge; empty if the value is undefined. */
export function gauge(name: string, help: string, value: number | undefined, labels: Labels = {}): string {
  return value === undefined ? "" : gaugeFamily(name, help, [[labels, value]]);
}

/** Writes a gauge with several values, each with its own labels. */
export function gaugeFamily(
  name: string,
  help: string,
  values: readonly (readonly [labels: Labels, value: number])[],
): string {
  const samples = values.map(([labels, value]) => sample(name, labelText(labels), value));
  return header({ name, help, type: "gauge" }) + samples.join("");
}

/** Writes a counter that is kept elsewhere; empty if the value is undefined. */
export function total(name: string, help: string, value: number | undefined): string {
  return value === undefined ? "" : header({ name, help, type: "counter" }) + sample(name, "", value);
}

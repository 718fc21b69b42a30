/** Counts readers of logs, the bytes that they read, and rotations. */
import type { LogsObserver } from "../logs/read-logs.ts";
import { createCounter, gaugeFamily, total } from "./recorder.ts";

export interface LogMetrics extends LogsObserver {
  /** Records that the gateway rotated a log. */
  rotated(): void;
  text(): string;
}

export function createLogMetrics(): LogMetrics {
  const readers = createCounter(
    { name: "crest_log_readers_total", help: "Requests that began to read logs, by whether they follow." },
    ["follow"],
  );
  const open = { true: 0, false: 0 };
  let bytes = 0;
  let rotations = 0;
  return {
    readerBegan(isFollower) {
      const follow = isFollower ? "true" : "false";
      readers.add(follow);
      open[follow]++;
      let counted = 0;
      return {
        readBytes(sinceBeginning) {
          bytes += sinceBeginning - counted;
          counted = sinceBeginning;
        },
        ended: () => void open[follow]--,
      };
    },
    rotated: () => void rotations++,
    text: () =>
      [
        gaugeFamily("crest_log_readers", "Requests that read logs, by whether they follow.", [
          [{ follow: "true" }, open.true],
          [{ follow: "false" }, open.false],
        ]),
        readers.text(),
        total(
          "crest_log_read_bytes_total",
          "Bytes of log files that were read, including skipped lines.",
          bytes,
        ),
        total("crest_log_rotations_total", "Logs that the gateway rotated.", rotations),
      ].join(""),
  };
}

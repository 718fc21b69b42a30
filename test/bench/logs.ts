/** Reading a large log through the gateway, beside the command that reads the same on the node. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { createFakeRuntime } from "../support/fake-runtime.ts";
import { writeLargeLog } from "../support/large-log.ts";
import { peakRssBytes, rssBytes } from "../support/process-memory.ts";
import type { Benchmark } from "./bench.ts";
import { median, ratio } from "./report/statistics.ts";
import { mebibytes, number, range, table } from "./report/table.ts";
import { startCrest } from "./servers/crest.ts";

const run = promisify(execFile);

interface Reading {
  readonly name: string;
  readonly query: string;
  readonly accept?: string;
  /** Of a shell, with the path of the log as `$1`. */
  readonly command: string;
  /** Whether it looks at the whole log. */
  readonly isWhole: boolean;
}

const whole = { isWhole: true } as const;
const readings: readonly Reading[] = [
  { name: "the last 100 lines", query: "tailLines=100", command: "tail -n 100", isWhole: false },
  { name: "the last 5 minutes", query: "since=5m", command: "tail -n 300000", isWhole: false },
  { name: "grep, 1 of 1,000 lines", query: "grep=status%20503", command: "grep -F 'status 503'", ...whole },
  {
    name: "regex with a literal",
    query: "regex=status%205%5Cd%5Cd",
    command: "grep -E 'status 5[0-9]{2}'",
    ...whole,
  },
  { name: "regex without one", query: "regex=[5-9]0[1-9]$", command: "grep -E '[5-9]0[1-9]$'", ...whole },
  { name: "all as text", query: "", command: "cat", ...whole },
  { name: "all as NDJSON", query: "", accept: "application/x-ndjson", command: "cat", ...whole },
];

export const logs: Benchmark = async ({ plan, folder, print, onEnd }) => {
  const fake = await createFakeRuntime({ manner: "containerd-2.1" });
  onEnd(() => fake.close());
  const { child, dataDir, headers } = startCrest(fake.socket, folder, ["--allow-logs", "--log-level=warn"]);
  onEnd(child.stop);
  const { port } = await child.listening;
  const log = await writeLargeLog(fake, { dataDir, bytes: plan.logBytes });
  const url = `http://127.0.0.1:${port}/v1/containers/${log.container.id}/logs`;
  const rows: string[][] = [];
  for (const { name, query, accept = "text/plain", command, isWhole } of readings) {
    const before = rssBytes(child.pid);
    const [ours, theirs]: [number[], number[]] = [[], []];
    for (let round = 0; round < plan.rounds; round++) {
      ours.push(
        await timed(async () => {
          const { body } = await fetch(`${url}?${query}`, { headers: { ...headers, accept } });
          for await (const _part of body ?? []);
        }),
      );
      theirs.push(
        await timed(() => run("sh", ["-c", `${command} "$1" > /dev/null || true`, "sh", log.path])),
      );
    }
    rows.push([
      name,
      number(median(ours)),
      isWhole ? number(log.bytes / 1e6 / (median(ours) / 1000)) : "",
      isWhole ? number(log.lines / 1000 / (median(ours) / 1000)) : "",
      range(ratio(ours, theirs)),
      mebibytes(Math.max(0, peakRssBytes(child.pid) - before)),
    ]);
  }
  print(
    `logs: ${mebibytes(log.bytes)} MiB, ${log.lines} lines\n${table(
      ["", "ms", "MB/s", "1,000 lines/s", "times the command", "MiB more"],
      rows,
    )}`,
  );
};

async function timed(work: () => Promise<unknown>): Promise<number> {
  const beganAtMs = performance.now();
  await work();
  return performance.now() - beganAtMs;
}

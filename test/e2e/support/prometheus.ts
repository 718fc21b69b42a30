/** A Prometheus of Debian's package, on a folder of its own. */
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { eventually } from "../../support/eventually.ts";
import { freePort } from "../../support/free-port.ts";
import { type AfterTest, tempDir } from "../../support/temp-dir.ts";

const program = "/usr/bin/prometheus";

/** Why there is none here; undefined when there is. */
export const noPrometheus = existsSync(program) ? undefined : "needs Debian's package prometheus";

/** One series of an answer, at one moment. */
export interface Series {
  readonly metric: { readonly [label: string]: string };
  /** The time in seconds, and the value as text. */
  readonly value: readonly [number, string];
}

export interface Prometheus {
  /** @throws {Error} with Prometheus' own words when it refuses the query. */
  query(expression: string): Promise<readonly Series[]>;
  /** The state of each target by its job, and what went wrong in the last scrape. */
  targets(): Promise<
    readonly { readonly job: string; readonly health: string; readonly lastError: string }[]
  >;
}

/** `config`: the text of its configuration file. It ends with the test. */
export async function startPrometheus(t: AfterTest, config: string): Promise<Prometheus> {
  const folder = await tempDir(t);
  const file = join(folder, "prometheus.yml");
  await writeFile(file, config);
  const port = await freePort();
  const child = spawn(
    program,
    [
      `--config.file=${file}`,
      `--storage.tsdb.path=${join(folder, "data")}`,
      `--web.listen-address=127.0.0.1:${port}`,
    ],
    { stdio: ["ignore", "ignore", "pipe"], cwd: folder },
  );
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    said = `${said}${text}`.slice(-10_000);
  });
  const exit = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  t.after(async () => {
    child.kill("SIGKILL");
    await exit;
  });
  const ask = async (path: string): Promise<unknown> => {
    if (child.exitCode !== null) throw new Error(`Prometheus has ended: ${said}`);
    const response = await fetch(`http://127.0.0.1:${port}${path}`);
    const answer = (await response.json()) as { readonly data?: unknown; readonly error?: string };
    if (!response.ok) throw new Error(answer.error);
    return answer.data;
  };
  await eventually(() => ask("/api/v1/status/buildinfo"), { timeoutMs: 60_000, intervalMs: 100 });
  return {
    async query(expression) {
      const data = (await ask(`/api/v1/query?query=${encodeURIComponent(expression)}`)) as
        | { readonly resultType: "vector"; readonly result: readonly Series[] }
        | { readonly resultType: "scalar"; readonly result: Series["value"] };
      return data.resultType === "scalar" ? [{ metric: {}, value: data.result }] : data.result;
    },
    async targets() {
      const { activeTargets } = (await ask("/api/v1/targets?state=active")) as {
        readonly activeTargets: readonly {
          readonly labels: { readonly job: string };
          readonly health: string;
          readonly lastError: string;
        }[];
      };
      return activeTargets.map(({ labels, health, lastError }) => ({ job: labels.job, health, lastError }));
    },
  };
}

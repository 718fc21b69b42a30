/** What the request log and traces cost: the same reads of a gateway with and without them. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { Bench, Benchmark } from "./bench.ts";
import { compareWays } from "./ways.ts";

export const logging: Benchmark = async (bench) => {
  const collector = await startCollector(bench);
  const compared = await compareWays(bench, "logging", [
    ["neither", ["--log-level=warn"]],
    ["json log", ["--log-format=json"]],
    ["text log", ["--log-format=text"]],
    ["traces", ["--log-level=warn", `--otlp-endpoint=${collector}`]],
  ]);
  for (const { title, ratios } of compared) {
    const measured = ratios.get("json log");
    if (measured === undefined) continue;
    bench.goal({
      about: `${title}: reads/s with the request log, times without`,
      wanted: { atLeast: 0.9 },
      measured,
    });
  }
};

/** Takes traces and forgets them. Returns its address. */
async function startCollector({ onEnd }: Bench): Promise<string> {
  const server = createServer((request, response) => {
    request.resume().on("end", () => response.end("{}"));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onEnd(async () => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

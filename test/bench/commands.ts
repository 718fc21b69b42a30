/** What a command of `crest` costs before and besides its request, in CPU time: a person waits for each. */
import { execFile } from "node:child_process";
import { writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { mainFile } from "../support/spawn-crest.ts";
import type { Benchmark } from "./bench.ts";
import { ratio, spread } from "./report/statistics.ts";
import { number, range, table } from "./report/table.ts";
import { inTurn } from "./rounds.ts";

interface Side {
  readonly name: string;
  /** Arguments of Node. */
  readonly args: readonly string[];
}

const usualMs = 150;
const token = "a-token-of-the-benchmark";

export const commands: Benchmark = async (bench) => {
  const server = createServer((_request, response) => {
    response.setHeader("content-type", "application/json");
    response.end('{"containers":[],"items":[]}');
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  bench.onEnd(async () => void server.close());
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const asking = join(bench.folder, "request.mjs");
  writeFileSync(
    asking,
    `import { request } from "node:http";
     request("${url}/v1/containers", { agent: false }, async (answer) => {
       let text = "";
       for await (const part of answer) text += part;
       process.stdout.write(JSON.stringify(JSON.parse(text)));
     }).end();`,
  );
  const nothing: Side = { name: "node -e 0", args: ["-e", "0"] };
  const request: Side = { name: "node, one request", args: [asking] };
  const help: Side = { name: "crest --help", args: [mainFile(), "--help"] };
  const ps: Side = { name: "crest ps", args: [mainFile(), "ps", `--server=${url}`] };
  const sides = [nothing, request, help, ps];
  const rounds = { rounds: 5 * bench.plan.rounds, turnMs: usualMs };
  const results = await inTurn(sides, rounds, cpuMs);
  const of = (side: Side): readonly number[] => results.get(side) ?? [];
  const rows = sides.map((side) => [
    side.name,
    number(spread([...of(side)]).median),
    range(ratio([...of(side)], [...of(nothing)])),
  ]);
  bench.print(`commands\n${table(["", "CPU ms", "times node -e 0"], rows)}`);
  bench.goal({
    about: "crest --help, times node -e 0",
    wanted: { atMost: 1.5 },
    measured: ratio([...of(help)], [...of(nothing)]),
  });
  // What the request costs is not the command's.
  const ofRequest = of(request).map((ms, round) => ms - (of(nothing)[round] ?? ms));
  const withoutRequest = of(ps).map((ms, round) => ms - (ofRequest[round] ?? 0));
  bench.goal({
    about: "crest ps without its request, times node -e 0",
    wanted: { atMost: 1.5 },
    measured: ratio(withoutRequest, [...of(nothing)]),
  });
};

/** Milliseconds of CPU, of user and system, from start to end. */
function cpuMs({ args }: Side): Promise<number> {
  const script = `TIMEFORMAT='%U %S'; time "$0" "$@" >/dev/null 2>&1`;
  const env = { PATH: process.env.PATH, HOME: "/nonexistent", CREST_TOKEN: token };
  return new Promise((resolve, reject) => {
    execFile("bash", ["-c", script, process.execPath, ...args], { env }, (error, _stdout, stderr) => {
      if (error !== null) return reject(error);
      const [user = 0, system = 0] = stderr.trim().split(" ").map(Number);
      resolve((user + system) * 1000);
    });
  });
}

/** The log of a gateway in a process of its own, on a pipe: its formats, its levels, and a reader that stalls. */
import assert from "node:assert/strict";
import { Agent, get } from "node:http";
import { test } from "node:test";
import { eventually } from "../support/eventually.ts";
import { rssBytes } from "../support/process-memory.ts";
import { type SpawnedGateway, spawnGateway, statusOf } from "./spawned-gateway.ts";

/** The lines of stderr that are complete. */
const linesOf = ({ process }: SpawnedGateway): readonly string[] => process.stderr().split("\n").slice(0, -1);

interface Line {
  readonly time: string;
  readonly level: string;
  readonly message: string;
  readonly requestId: string;
  readonly code?: string;
}

const jsonLinesOf = (gateway: SpawnedGateway): readonly Line[] =>
  linesOf(gateway).map((line) => JSON.parse(line) as Line);

test("on a pipe the log is JSON, a line for each request, and the last one is there when the gateway ends", async (t) => {
  const gateway = await spawnGateway(t);
  assert.equal(await statusOf(gateway, "/v1/version"), 200);
  assert.equal(await statusOf(gateway, "/livez"), 200);
  assert.equal(await statusOf({ ...gateway, token: "wrong" }, "/v1/pods"), 401);
  const { code } = await gateway.process.stop();
  assert.equal(code, 0);
  const lines = jsonLinesOf(gateway);
  assert.deepEqual(
    lines.map(({ level, message, code }) => [level, message, code]),
    [
      ["info", "GET /v1/version 200", undefined],
      ["info", "GET /v1/pods 401", "unauthenticated"],
    ],
  );
  for (const { time } of lines) assert.ok(Math.abs(Date.parse(time) - Date.now()) < 60_000);
});

test("--log-format=text writes for people, and CREST_LOG_LEVEL=debug adds health probes", async (t) => {
  const env = { CREST_LOG_LEVEL: "debug" };
  const gateway = await spawnGateway(t, { flags: ["--log-format=text"], env });
  await statusOf(gateway, "/livez");
  await statusOf(gateway, "/v1/version");
  const lines = await eventually(() => linesOf(gateway).length === 2 && linesOf(gateway));
  assert.match(lines[0] ?? "", /^\d{4}\S+Z debug GET \/livez 200 requestId=\S+ durationMs=[\d.]+ bytes=3$/);
  assert.match(lines[1] ?? "", /^\d{4}\S+Z info {2}GET \/v1\/version 200 requestId=\S+ caller=token grant=/);
});

test("--log-level=warn logs no requests, and failures all the same", async (t) => {
  const gateway = await spawnGateway(t, { flags: ["--log-level=warn"] });
  assert.equal(await statusOf(gateway, "/v1/pods"), 200);
  assert.equal(await statusOf(gateway, "/v1/nope"), 404);
  gateway.fake.on("RuntimeService/Version", () => ({ version: 7 }) as never);
  assert.equal(await statusOf(gateway, "/v1/version"), 502);
  const [line, ...others] = await eventually(() => linesOf(gateway).length > 0 && jsonLinesOf(gateway));
  assert.equal(line?.level, "warn");
  assert.deepEqual(others, []);
});

for (const [what, action, exitCode] of [
  ["stops", 'process.kill(process.pid, "SIGTERM")', 0],
  ["exits", "process.exit(3)", 3],
  ["fails by an uncaught exception", 'throw new Error("a bug")', 1],
  ["fails by an unhandled rejection", 'Promise.reject(new Error("a bug"))', 1],
] as const) {
  test(`the entries that were gathered are there when the gateway ${what}`, async (t) => {
    // The timer of entries that are gathered never fires.
    const preload = `const { setTimeout } = globalThis;
      globalThis.setTimeout = (run, ms, ...rest) => setTimeout(run, ms === 20 ? 1e8 : ms, ...rest);
      process.on("SIGUSR2", () => { ${action} });`;
    const env = { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(preload)}` };
    const gateway = await spawnGateway(t, { env });
    for (let request = 0; request < 20; request++) await statusOf(gateway, "/v1/version");
    assert.equal(gateway.process.stderr(), "");
    gateway.process.kill("SIGUSR2");
    assert.deepEqual(await gateway.process.exit, { code: exitCode, signal: null });
    const entries = linesOf(gateway).filter((line) => line.includes('"GET /v1/version 200"'));
    assert.equal(entries.length, 20);
  });
}

test("a log that nobody reads holds nothing up, has an end in memory, and says how much was lost", async (t) => {
  const gateway = await spawnGateway(t, { holdStderr: true });
  const { pid } = gateway.process;
  assert.ok(pid !== undefined);
  // About 4,500 entries fill the pipe and the limit.
  await askManyTimes(gateway, 5000);
  const before = rssBytes(pid);
  const total = 5000 + (await askManyTimes(gateway, 6000));
  const grown = rssBytes(pid) - before;
  // V8 takes more or less as it collects garbage.
  assert.ok(grown < 40 * 2 ** 20, `${grown} bytes`);
  assert.equal(await statusOf(gateway, "/v1/version"), 200);
  gateway.process.readStderr();
  await eventually(() => linesOf(gateway).length > 1000);
  assert.equal(await statusOf(gateway, "/v1/version"), 200);
  await eventually(() => jsonLinesOf(gateway).some(({ message }) => /were lost/.test(message)));
  await gateway.process.stop();
  const lines = jsonLinesOf(gateway);
  const lost = lines.find(({ message }) => /were lost/.test(message));
  assert.equal(lost?.level, "warn");
  const lostCount = Number(/: (\d+) entries were lost$/.exec(lost?.message ?? "")?.[1]);
  assert.ok(lostCount > 1000, lost?.message);
  // The two requests over connections of their own, and the entry about the loss.
  assert.equal(lines.length - 1 + lostCount, total + 2);
});

/** Sends refused requests, which cost the least. */
async function askManyTimes({ port }: SpawnedGateway, count: number): Promise<number> {
  const agent = new Agent({ keepAlive: true, maxSockets: 16 });
  const one = (): Promise<void> =>
    new Promise((resolve, reject) => {
      get({ port, host: "127.0.0.1", path: "/v1/pods", agent }, (response) =>
        response.resume().on("end", resolve),
      ).on("error", reject);
    });
  for (let sent = 0; sent < count; sent += 100) await Promise.all(Array.from({ length: 100 }, one));
  agent.destroy();
  return count;
}

/**
 * Sessions through Crest beside a direct SPDY session, on a real containerd: a keystroke's round trip, bytes
 * out of and into a command, and what a thousand idle sessions hold. A relay that only passes bytes on shows
 * what of it is the price of any process between.
 */
import { join } from "node:path";
import { openSession } from "../e2e/clients/session.ts";
import { type Gateway, startGateway } from "../e2e/support/gateway.ts";
import { reasonToSkip } from "../e2e/support/machine.ts";
import { type Resource, runContainer, runPod } from "../e2e/support/pods.ts";
import { rssBytes } from "../support/process-memory.ts";
import type { Bench } from "./bench.ts";
import { median, percentile, ratio, spread } from "./report/statistics.ts";
import { number, range, table } from "./report/table.ts";
import { inTurn } from "./rounds.ts";
import { type Command, crestSide, directSide, relaySide, type Side } from "./streaming-sides.ts";

const bulkBytes = 32 * 1024 * 1024;
/** What moving them should take. */
const bulkMs = 1000;
const chunk = Buffer.alloc(64 * 1024, "Crest ");
const key = Buffer.from("x");
const idleSessions = 1000;
/**
 * Rounds until V8 has compiled what a keystroke runs through. Without them its interpreter is measured, which
 * nobody notices who types.
 */
const warmRounds = { strokes: 10, bulk: 2 };
/** Handshakes at once. */
const width = 20;
/** How long the last of many things may take. */
const settleMs = 1000;

export async function streaming(bench: Bench): Promise<void> {
  const skip = await reasonToSkip();
  if (skip !== false) {
    bench.print(`streaming: left out: ${skip}\n`);
    return;
  }
  const gateway = await startGateway("up");
  bench.onEnd(() => gateway.close());
  const container = await runContainer(gateway, await runPod(gateway));
  const crest = crestSide(gateway, container);
  const direct = directSide(gateway, container);
  const relay = relaySide(gateway, container);
  const sides = [direct, relay, crest];
  for (const side of sides) bench.onEnd(() => side.close());

  const terminals = new Map<Side, Command>();
  for (const side of sides) {
    const terminal = await side.run(["sh", "-c", "stty raw -echo; echo; exec cat"], {
      ...{ stdin: true, stdout: true, tty: true },
    });
    await terminal.output(1);
    terminals.set(side, terminal);
  }
  const { rounds, readMs } = bench.plan;
  const strokes = await inTurn(sides, { rounds, turnMs: readMs, warmRounds: warmRounds.strokes }, (side) =>
    typeKeys(terminals.get(side), readMs),
  );
  for (const terminal of terminals.values()) terminal.drop();
  const bulk = { rounds, turnMs: bulkMs, warmRounds: warmRounds.bulk };
  const out = await inTurn(sides, bulk, bytesOut);
  const into = await inTurn(sides, bulk, bytesIn);

  const of = (results: ReadonlyMap<Side, readonly number[]>, side: Side) => results.get(side) ?? [];
  const comparison = (results: ReadonlyMap<Side, readonly number[]>, to = direct) =>
    ratio(of(results, crest), of(results, to));
  const row = (name: string, results: ReadonlyMap<Side, readonly number[]>) => [
    name,
    number(median(of(results, direct))),
    number(median(of(results, relay))),
    number(median(of(results, crest))),
    range(comparison(results)),
    range(comparison(results, relay)),
  ];
  bench.print(
    `streaming\n${table(
      ["", "direct SPDY", "through a relay", "crest", "times direct", "times the relay"],
      [
        row("keystroke's round trip, ms", strokes),
        row("bytes out, MiB/s", out),
        row("bytes in, MiB/s", into),
      ],
    )}`,
  );
  bench.goal({
    about: "a keystroke's round trip, times a direct SPDY session",
    wanted: { atMost: 1.2 },
    measured: comparison(strokes),
  });
  bench.goal({ about: "bytes out of a command", wanted: { atLeast: 0.9 }, measured: comparison(out) });
  bench.goal({ about: "bytes into a command", wanted: { atLeast: 1 }, measured: comparison(into) });

  await holdIdleSessions(bench, gateway, container);
}

/** Attaches many clients through a gateway that has done nothing else. */
async function holdIdleSessions(bench: Bench, upper: Gateway, container: Resource): Promise<void> {
  const endpoint = `--runtime-endpoint=${join(upper.dataDir, "containerd.sock")}`;
  const gateway = await startGateway("serve", { args: [endpoint, "-A"] });
  bench.onEnd(() => gateway.close());
  const before = rssBytes(gateway.process.pid);
  for (let opened = 0; opened < idleSessions; opened += width) {
    await Promise.all(Array.from({ length: width }, () => openSession(gateway, `${container.path}/attach`)));
  }
  await new Promise((resolve) => setTimeout(resolve, settleMs));
  const megabytes = rssBytes(gateway.process.pid) / 1e6;
  bench.print(
    `  ${idleSessions} idle sessions: ${number(megabytes)} MB RSS, ${number(before / 1e6)} before\n`,
  );
  bench.goal({
    about: `RSS with ${idleSessions} idle sessions, MB`,
    wanted: { atMost: 150 },
    measured: spread([megabytes]),
  });
}

/** Types one key after the other, each when the one before has come back. Answers the median, in ms. */
async function typeKeys(terminal: Command | undefined, durationMs: number): Promise<number> {
  if (terminal === undefined) throw new TypeError("A side without a terminal");
  const latencies: number[] = [];
  const endMs = performance.now() + durationMs;
  while (performance.now() < endMs) {
    const begunMs = performance.now();
    const echoed = terminal.output(1);
    await terminal.write(key);
    await echoed;
    latencies.push(performance.now() - begunMs);
  }
  return percentile(latencies, 0.5);
}

/** MiB a second that a command's output comes with, from its first byte on. */
async function bytesOut(side: Side): Promise<number> {
  const command = await side.run(["head", "-c", String(bulkBytes), "/dev/zero"], { stdout: true });
  await command.output(1);
  const begunMs = performance.now();
  await command.output(bulkBytes - 1);
  const tookMs = performance.now() - begunMs;
  await command.ended;
  return (bulkBytes / 1024 / 1024 / tookMs) * 1000;
}

/** MiB a second that a command takes as its input, to the end that it tells. */
async function bytesIn(side: Side): Promise<number> {
  // Its output stays open to the end: the runtime ends the input with it.
  const command = await side.run(["sh", "-c", "echo; exec wc -c"], { stdin: true, stdout: true });
  await command.output(1);
  const begunMs = performance.now();
  for (let sent = 0; sent < bulkBytes; sent += chunk.length) await command.write(chunk);
  await command.endInput();
  await command.ended;
  return (bulkBytes / 1024 / 1024 / (performance.now() - begunMs)) * 1000;
}

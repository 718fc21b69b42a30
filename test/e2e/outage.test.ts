/** containerd is killed in the middle of everything at once: nobody waits for ever, and nothing is lost. */
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { test } from "node:test";
import { listProcesses } from "../../src/embedded/processes.ts";
import { eventually, untilStill } from "../support/eventually.ts";
import { startFaultyRegistry } from "../support/faulty-registry.ts";
import { layeredImage, throttled } from "../support/layered-image.ts";
import { rssBytes } from "../support/process-memory.ts";
import { command, openSession } from "./clients/session.ts";
import { assertDone, bodyOf, createApi } from "./support/api.ts";
import { followItems, type LogItem } from "./support/follow-items.ts";
import { followPull } from "./support/follow-pull.ts";
import type { Gateway } from "./support/gateway.ts";
import { reasonToSkip } from "./support/machine.ts";
import { createContainer, exec, removePod, runContainer, runPod, shell } from "./support/pods.ts";
import { useGateway } from "./support/suite.ts";

const skip = await reasonToSkip();
const crest = useGateway(skip, { args: ["--allow-all", "--log-level=warn"] });

const mebibyte = 1024 * 1024;
const patient = { timeoutMs: 60_000, intervalMs: 50 };

interface Event {
  readonly type: string;
  readonly containerId?: string;
  readonly exitCode?: number;
}

interface Usage {
  readonly cores: number | null;
}

function containerdOf({ dataDir }: Gateway): number {
  const found = listProcesses().find(({ argv }) => argv.includes(`${dataDir}/containerd.toml`));
  assert.ok(found !== undefined);
  return found.pid;
}

/** The gateway's open files, once those of requests that have ended are closed. */
async function openFiles({ process: { pid } }: Gateway): Promise<number> {
  const count = (): number => readdirSync(`/proc/${pid}/fd`).length;
  await untilStill(count);
  return count();
}

/** An outage with a client of its own, because a client keeps its connections for further requests. */
async function outageOf(gateway: Gateway): Promise<void> {
  const client = createApi(gateway.address, gateway.token);
  await outage({ ...gateway, ...client, close: gateway.close });
  client.close();
}

/** Everything at once, in whose middle containerd is killed. */
async function outage(gateway: Gateway): Promise<void> {
  const pod = await runPod(gateway);
  const talking = await runContainer(
    gateway,
    pod,
    shell("i=0; while [ ! -e /stop ]; do echo line $i; i=$((i+1)); sleep 0.01; done; echo end $i"),
  );
  const lasting = await createContainer(gateway, pod, shell("sleep 5; exit 4"));

  const lines: string[] = [];
  const log = await followItems<LogItem>(gateway, `${talking.path}/logs?follow`, ({ text }) =>
    lines.push(text),
  );
  const events: Event[] = [];
  const watched = await followItems<Event>(
    gateway,
    "/v1/events?watch=true",
    (event) => events.push(event),
    "text/event-stream",
  );
  const usages: Usage[] = [];
  const stats = await followItems<Usage>(gateway, `${talking.path}/stats/watch?interval=1s`, (usage) =>
    usages.push(usage),
  );
  const image = layeredImage([{ randomBytes: 4 * mebibyte }, { randomBytes: 2 * mebibyte }]);
  const registry = await startFaultyRegistry(image);
  registry.fault = throttled(image, mebibyte / 2);
  const session = await openSession(gateway, `${talking.path}/exec`, {
    query: command(["cat"], { stdin: true, stdout: true }),
  });
  /** Statuses of the scrapes that were answered. */
  const scraped: number[] = [];
  let isScraping = true;
  const scraping = (async () => {
    while (isScraping) scraped.push((await gateway.get("/metrics/cadvisor")).status);
  })();
  await eventually(() => lines.length > 10 && usages.length > 1, patient);
  const pull = followPull(gateway, `${registry.address}/team/app:1`);
  await eventually(() => pull.items.some(({ item }) => (item.progress?.downloadedBytes ?? 0) > 0), patient);
  assertDone(await gateway.post(`${lasting.path}/start`));
  const waiting = gateway.get<{ exited: boolean; exitCode: number }>(`${lasting.path}/wait?timeout=120`);

  process.kill(containerdOf(gateway), "SIGKILL");

  await eventually(() => events.some(({ type }) => type === "resync"), patient);
  const resynced = events.findIndex(({ type }) => type === "resync");
  await eventually(() => events.slice(resynced).some(({ type }) => type === "bookmark"), patient);
  const { exited, exitCode } = bodyOf(await waiting);
  assert.deepEqual([exited, exitCode], [true, 4]);
  const isExit = ({ type, containerId, exitCode: code }: Event): boolean =>
    type === "container.exited" && containerId === lasting.id && code === 4;
  await eventually(() => events.slice(resynced).some(isExit), patient);
  const before = usages.length;
  await eventually(() => usages.slice(before).filter(({ cores }) => cores !== null).length > 1, patient);
  const last = (await pull.ended).at(-1);
  assert.ok(last?.result?.imageRef || last?.error?.retryable, JSON.stringify(last));
  const answered = scraped.length;
  await eventually(() => scraped.slice(answered).includes(200), patient);
  isScraping = false;
  await scraping;
  assert.ok(
    scraped.every((status) => status === 200 || status === 503 || status === 502),
    `${scraped}`,
  );
  // The command may live on; its session ends with containerd's streaming server.
  await session.ended;
  await exec(gateway, talking, "touch /stop");
  await log.ended;
  assert.equal(lines.at(-1), `end ${lines.length - 1}`);
  assert.ok(lines.slice(0, -1).every((line, index) => line === `line ${index}`));

  for (const followed of [watched, stats]) followed.leave();
  await Promise.all([watched.ended, stats.ended]);
  await registry.close();
  await removePod(gateway, pod);
}

test("containerd is killed during a log, events, stats, a pull, a wait, a session and scrapes, three times", {
  skip,
  timeout: 300_000,
}, async (t) => {
  const gateway = crest();
  await outageOf(gateway);
  const [files, memory] = [await openFiles(gateway), rssBytes(gateway.process.pid)];
  await outageOf(gateway);
  await outageOf(gateway);
  const grown = (rssBytes(gateway.process.pid) - memory) / mebibyte;
  const now = await openFiles(gateway);
  t.diagnostic(`${files} open files before, ${now} after; ${grown.toFixed(1)} MiB more memory`);
  // What is opened once may have come late.
  await eventually(async () => (await openFiles(gateway)) <= files + 1, patient);
  assert.ok(grown < 48, `${grown} MiB more`);
});

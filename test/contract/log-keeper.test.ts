/** Keeping logs in front of fake runtimes. The test writes the logs, as the fakes do not. */
import assert from "node:assert/strict";
import {
  appendFileSync,
  closeSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type TestContext, test } from "node:test";
import { gunzipSync } from "node:zlib";
import { adapt } from "../../src/app.ts";
import { connect } from "../../src/cri/channel.ts";
import { createNodeEvents } from "../../src/events/node-events.ts";
import { createKeptLogs, type KeptLogs } from "../../src/logs/keeping/kept-logs.ts";
import { type LogLimits, type Pace, startLogKeeper } from "../../src/logs/keeping/log-keeper.ts";
import { tidyLog } from "../../src/logs/keeping/rotate-log.ts";
import { managedLabel } from "../../src/runtimes/pod-config.ts";
import { eventually } from "../support/eventually.ts";
import { createFakeRuntime, type FakeRuntime } from "../support/fake-runtime.ts";

const pace: Pace = { lookMs: 5, refreshMs: 30_000, wakeMs: 5, retryMs: 20, settleMs: 0 };
const limits: LogLimits = { logMaxSizeBytes: 1000, logMaxFiles: 3, logKeepMs: 0, logTotalBytes: 0 };
const reopenRpc = "RuntimeService/ReopenContainerLog";

interface World {
  readonly fake: FakeRuntime;
  readonly kept: KeptLogs;
  readonly root: string;
  readonly warnings: string[];
  /** A running container whose log is written to. The fake reopens it. */
  container(options?: { readonly managed?: boolean; readonly folder?: string }): Log;
  start(limits?: Partial<LogLimits>, pace?: Partial<Pace>): ReturnType<typeof startLogKeeper>;
}

interface Log {
  readonly id: string;
  readonly path: string;
  write(text: string): void;
  reopen(): void;
}

async function newWorld(t: TestContext, manner: FakeRuntime["manner"] = "containerd-2.1"): Promise<World> {
  const fake = await createFakeRuntime({ manner });
  const transport = connect({ runtimeEndpoint: fake.socket });
  const { runtime } = adapt(transport);
  const changes = createNodeEvents({ runtime, report: (error) => warnings.push(String(error)) });
  const dataDir = realpathSync(mkdtempSync(join(tmpdir(), "crest-keeper-")));
  const root = join(dataDir, "logs");
  const kept = createKeptLogs(dataDir);
  const logs = new Map<string, Log>();
  const warnings: string[] = [];
  const keepers: ReturnType<typeof startLogKeeper>[] = [];
  const files = new Set<number>();
  t.after(async () => {
    for (const keeper of keepers) await keeper.close();
    changes.close();
    transport.close();
    await fake.close();
    for (const file of files) closeSync(file);
    rmSync(dataDir, { recursive: true, force: true });
  });
  fake.on(reopenRpc, async ({ containerId }, { next }) => {
    const answer = await next();
    logs.get(String(containerId))?.reopen();
    return answer;
  });
  let count = 0;
  return {
    ...{ fake, kept, root, warnings },
    container({ managed = true, folder = join(root, `pod-${count++}`) } = {}) {
      mkdirSync(join(folder, "app"), { recursive: true });
      const labels = managed ? { [managedLabel]: "true" } : {};
      const pod = fake.addPod({ config: { logDirectory: folder, labels } });
      const { id } = fake.addContainer({ pod, logPath: "app/0.log", state: "running" });
      const path = join(folder, "app/0.log");
      let file: number | undefined;
      const log: Log = {
        ...{ id, path },
        write: (text) => writeSync(file ?? -1, text),
        reopen() {
          if (file !== undefined) {
            files.delete(file);
            closeSync(file);
          }
          file = openSync(path, "a", 0o640);
          files.add(file);
        },
      };
      log.reopen();
      logs.set(id, log);
      return log;
    },
    start(own = {}, ownPace = {}) {
      const keeper = startLogKeeper({
        ...{ runtime, changes, dataDir, kept, limits: { ...limits, ...own }, pace: { ...pace, ...ownPace } },
        warn: (message) => warnings.push(message),
      });
      keepers.push(keeper);
      return keeper;
    },
  };
}

/** All that is left of a log, in order. */
async function contentOf(path: string): Promise<string> {
  const rotated = await tidyLog(path);
  const texts = rotated.map((file) => {
    const bytes = readFileSync(file.path);
    return (file.form === "gzip" ? gunzipSync(bytes) : bytes).toString("utf8");
  });
  return texts.join("") + readFileSync(path, "utf8");
}

const isRotated = (path: string): boolean => readdirSync(dirname(path)).length > 1;
const large = `${"x".repeat(1200)}\n`;

for (const manner of ["containerd-1.6", "containerd-1.7", "containerd-2.1", "cri-o"] as const) {
  test(`startLogKeeper() rotates logs of managed pods in the log folder, and no others, on ${manner}`, async (t) => {
    const world = await newWorld(t, manner);
    const outside = realpathSync(mkdtempSync(join(tmpdir(), "crest-outside-")));
    t.after(() => rmSync(outside, { recursive: true, force: true }));
    const mine = world.container();
    const kubelets = world.container({ managed: false });
    const elsewhere = world.container({ folder: outside });
    const small = world.container();
    for (const log of [mine, kubelets, elsewhere]) log.write(large);
    small.write("short\n");
    world.start();
    await eventually(() => isRotated(mine.path) && readFileSync(mine.path).length === 0);
    mine.write("later\n");
    assert.equal(await contentOf(mine.path), `${large}later\n`);
    for (const log of [kubelets, elsewhere, small]) assert.ok(!isRotated(log.path), log.path);
    assert.deepEqual(
      world.fake.callsOf(reopenRpc).map(({ request }) => request.containerId),
      [mine.id],
    );
    assert.deepEqual(world.warnings, []);
  });
}

test("startLogKeeper() does nothing on cri-dockerd, which cannot reopen a log", async (t) => {
  const world = await newWorld(t, "cri-dockerd");
  const log = world.container();
  log.write(large);
  const keeper = world.start();
  const versions = () => world.fake.callsOf("RuntimeService/Version").length;
  await eventually(() => versions() > 0);
  keeper.wake();
  await keeper.close();
  assert.ok(!isRotated(log.path));
  assert.deepEqual(world.fake.callsOf(reopenRpc), []);
  // It does not even ask for the containers.
  assert.deepEqual(world.fake.callsOf("RuntimeService/ListContainers"), []);
  assert.deepEqual(world.warnings, []);
});

test("startLogKeeper() notices a silent log that begins to grow, and compresses what it rotated before", async (t) => {
  const world = await newWorld(t);
  const log = world.container();
  log.write("first\n");
  world.start();
  await eventually(() => world.fake.callsOf("RuntimeService/ContainerStatus").length > 0);
  let written = "first\n";
  for (let round = 0; round < 2; round++) {
    const before = readdirSync(dirname(log.path)).length;
    const text = `${round} ${large}`;
    log.write(text);
    written += text;
    await eventually(
      () => readdirSync(dirname(log.path)).length > before && readFileSync(log.path).length === 0,
    );
  }
  await eventually(() => readdirSync(dirname(log.path)).some((name) => name.endsWith(".gz")));
  assert.equal(await contentOf(log.path), written);
});

test("startLogKeeper() follows a container that starts later, once it is woken", async (t) => {
  const world = await newWorld(t);
  mkdirSync(world.root);
  const keeper = world.start();
  await eventually(() => world.fake.callsOf("RuntimeService/ListPodSandbox").length > 0);
  const log = world.container();
  log.write(large);
  keeper.wake();
  await eventually(() => isRotated(log.path));
});

test("startLogKeeper() gives a log its name back if the runtime cannot reopen it, and tries again", async (t) => {
  const world = await newWorld(t);
  const log = world.container();
  const stopFailing = world.fake.on(reopenRpc, () => {
    throw new Error("no space left");
  });
  log.write(large);
  world.start();
  await eventually(() => world.warnings.length === 1);
  stopFailing();
  await eventually(() => {
    log.write("more\n");
    return isRotated(log.path) && readFileSync(log.path).length > 0;
  });
  const lines = (await contentOf(log.path)).split("\n");
  assert.equal(lines[0], large.trim());
  assert.ok(lines.slice(1, -1).every((line) => line === "more"));
  assert.equal(world.warnings.length, 1);
  assert.match(world.warnings[0] ?? "", /^Cannot rotate \S+0\.log, will try again: /);
});

test("startLogKeeper() finishes a rotation that a killed gateway has left, of a running and of an exited container", async (t) => {
  const world = await newWorld(t);
  const running = world.container();
  const exited = world.container();
  for (const log of [running, exited]) {
    log.write("before\n");
    renameSync(log.path, `${log.path}.20260101-000000`);
    log.write("while the gateway was away\n");
  }
  await world.fake.exitContainer(exited.id, 0);
  world.start();
  await eventually(() => existsSync(running.path) && existsSync(exited.path), { timeoutMs: 15_000 });
  running.write("after\n");
  assert.equal(await contentOf(running.path), "before\nwhile the gateway was away\nafter\n");
  assert.equal(await contentOf(exited.path), "before\nwhile the gateway was away\n");
  assert.ok(!isRotated(exited.path));
});

test("startLogKeeper() rotates no log that has a second name or is replaced by a link", async (t) => {
  const world = await newWorld(t);
  const [one, other] = [world.container(), world.container()];
  const victim = join(dirname(world.root), "victim");
  writeFileSync(victim, large);
  rmSync(one.path);
  linkSync(victim, one.path);
  other.write(large);
  world.start();
  await eventually(() => isRotated(other.path));
  await eventually(() => world.warnings.length > 0);
  assert.ok(!isRotated(one.path));
  assert.equal(readFileSync(victim, "utf8"), large);
});

test("startLogKeeper() removes logs of removed containers in time, and those that are too much", async (t) => {
  const world = await newWorld(t);
  const [kept, gone] = [world.container(), world.container()];
  kept.write("kept\n");
  gone.write("gone\n");
  const keeper = world.start({ logKeepMs: 400 });
  await world.fake.perform("RuntimeService/RemoveContainer", { containerId: gone.id });
  keeper.wake();
  await eventually(() => !existsSync(gone.path), { timeoutMs: 10_000 });
  assert.equal(readFileSync(kept.path, "utf8"), "kept\n");
});

test("startLogKeeper() notices by itself that a container was removed, where the runtime has events", async (t) => {
  const world = await newWorld(t);
  const log = world.container();
  world.start();
  const known = () => world.kept.select({ containerId: log.id })[0];
  await eventually(() => known() !== undefined && world.fake.containerdEvents.subscribers === 1);
  const lists = world.fake.callsOf("RuntimeService/ListContainers").length;
  await world.fake.perform("RuntimeService/RemoveContainer", { containerId: log.id });
  await eventually(() => known()?.removedAtMs !== undefined);
  assert.ok(world.fake.callsOf("RuntimeService/ListContainers").length - lists < 10);
});

test("startLogKeeper() outlives an outage of the runtime", async (t) => {
  const world = await newWorld(t);
  const log = world.container();
  await world.fake.stop();
  const keeper = world.start();
  keeper.wake();
  log.write(large);
  await world.fake.start();
  await eventually(() => isRotated(log.path), { timeoutMs: 20_000 });
  assert.deepEqual(world.warnings, []);
});

test("close() stops it: nothing is rotated afterwards", async (t) => {
  const world = await newWorld(t);
  const log = world.container();
  const keeper = world.start();
  await eventually(() => world.fake.callsOf("RuntimeService/ContainerStatus").length > 0);
  await keeper.close();
  appendFileSync(log.path, large);
  keeper.wake();
  assert.ok(!isRotated(log.path));
});

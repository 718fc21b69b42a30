/** A daemon that ends by itself is started again, and not for ever. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Daemon } from "../../../src/embedded/daemon.ts";
import { keepRunning } from "../../../src/embedded/keep-running.ts";
import { eventually } from "../../support/eventually.ts";

interface FakeDaemon extends Daemon {
  readonly closed: boolean;
  end(reason: string): void;
}

let lastPid = 0;

function fakeDaemon(): FakeDaemon {
  let end: (reason: string) => void = () => {};
  let closed = false;
  const ended = new Promise<string>((resolve) => {
    end = resolve;
  });
  return {
    pid: ++lastPid,
    ended,
    end,
    get closed() {
      return closed;
    },
    async close() {
      closed = true;
      end("closed");
    },
  };
}

/** `starts` answers each start in turn. */
function bench(
  starts: readonly (() => FakeDaemon | Promise<FakeDaemon>)[],
  pausesMs: readonly number[] = [0],
) {
  const first = fakeDaemon();
  const steps: string[] = [];
  let started = 0;
  const daemon = keepRunning(first, {
    start: async () => {
      const next = starts[started++];
      if (next === undefined) throw new Error("no more of them");
      return next();
    },
    report: (step) => steps.push(step),
    pausesMs,
    maxFailures: 3,
    healthyMs: Number.POSITIVE_INFINITY,
  });
  return { first, steps, daemon, started: () => started };
}

test("keepRunning() starts it again each time that it ends", async () => {
  const [second, third] = [fakeDaemon(), fakeDaemon()];
  const { first, daemon, steps } = bench([() => second, () => third]);
  assert.equal(daemon.pid, first.pid);
  first.end("ended by SIGKILL");
  await eventually(() => daemon.pid === second.pid);
  second.end("exited with status 2");
  await eventually(() => daemon.pid === third.pid);
  await eventually(() => steps.length === 4);
  assert.deepEqual(
    steps.filter((_, index) => index % 2 === 0),
    ["ended by SIGKILL; it is started again", "exited with status 2; it is started again"],
  );
  await daemon.close();
  assert.ok(third.closed);
});

test("keepRunning() gives up after several starts that failed one after the other", async () => {
  const fail = () => {
    throw new Error("no space left");
  };
  const second = fakeDaemon();
  const { first, daemon, started } = bench([fail, fail, () => second, fail, fail, fail]);
  first.end("ended by SIGKILL");
  await eventually(() => daemon.pid === second.pid);
  second.end("exited with status 1");
  assert.equal(await daemon.ended, "exited with status 1, and it cannot be started again: no space left");
  assert.equal(started(), 6);
});

test("close() ends the waiting for the next start", async () => {
  const { first, daemon, steps, started } = bench([fakeDaemon], [2 ** 30]);
  first.end("ended by SIGKILL");
  await eventually(() => steps.length === 1);
  await daemon.close();
  assert.equal(started(), 0);
});

test("close() while it is started closes what was started", async () => {
  const late = fakeDaemon();
  let come: (daemon: FakeDaemon) => void = () => {};
  const coming = new Promise<FakeDaemon>((resolve) => {
    come = resolve;
  });
  const { first, daemon, started } = bench([() => coming]);
  first.end("ended by SIGKILL");
  await eventually(() => started() === 1);
  const closed = daemon.close();
  come(late);
  await closed;
  assert.ok(late.closed);
});

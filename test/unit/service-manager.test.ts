import assert from "node:assert/strict";
import { test } from "node:test";
import { type ServiceManager, takeServiceManager } from "../../src/config.ts";
import { startWatchdog } from "../../src/service-manager.ts";

test("startWatchdog() says that the process is alive at half of the interval, until it is closed", (t) => {
  t.mock.timers.enable({ apis: ["setInterval"] });
  const sent: string[] = [];
  const notify = async (...variables: readonly string[]): Promise<void> => {
    sent.push(variables.join(" "));
  };
  const watchdog = startWatchdog(notify, 60_000);
  t.mock.timers.tick(29_999);
  assert.deepEqual(sent, []);
  t.mock.timers.tick(1);
  assert.deepEqual(sent, ["WATCHDOG=1"]);
  t.mock.timers.tick(60_000);
  assert.equal(sent.length, 3);
  watchdog.close();
  t.mock.timers.tick(600_000);
  assert.equal(sent.length, 3);
});

test("takeServiceManager() gives what is meant for this process, and leaves none of it to others", () => {
  const names = ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"] as const;
  const taken = (...values: readonly (string | undefined)[]): ServiceManager => {
    for (const [index, name] of names.entries()) {
      const value = values[index];
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
    const manager = takeServiceManager();
    for (const name of names) assert.ok(!(name in process.env), name);
    return manager;
  };
  const before = names.map((name) => process.env[name]);
  const own = String(process.pid);
  assert.deepEqual(taken(), { notifySocket: undefined, watchdogMs: undefined });
  assert.deepEqual(taken(""), { notifySocket: undefined, watchdogMs: undefined });
  assert.deepEqual(taken("/run/s", "60000000"), { notifySocket: "/run/s", watchdogMs: 60_000 });
  assert.deepEqual(taken("/run/s", "60000000", own), { notifySocket: "/run/s", watchdogMs: 60_000 });
  for (const [microseconds, pid] of [
    ["60000000", "1"],
    ["0", own],
    ["", own],
    ["often", own],
    ["-5000", own],
  ]) {
    assert.equal(taken("/run/s", microseconds, pid).watchdogMs, undefined, microseconds);
  }
  for (const [index, name] of names.entries()) {
    if (before[index] !== undefined) process.env[name] = before[index];
  }
});

import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import {
  endProcesses,
  listProcesses,
  type ProcessInfo,
  startTicksOf,
} from "../../../src/embedded/processes.ts";

const skip = process.platform === "linux" ? false : "needs Linux";

/** A child that is ready, and what the list says of it. */
async function startChild(script: string): Promise<{ child: ChildProcess; info: ProcessInfo }> {
  const child = spawn(process.execPath, ["--eval", `${script}; console.log(); setInterval(() => {}, 1000)`]);
  await once(child.stdout, "data");
  const info = listProcesses().find(({ pid }) => pid === child.pid);
  assert.ok(info);
  return { child, info };
}

test("startTicksOf() reads past a name with spaces and parentheses", () => {
  const fields = Array.from({ length: 50 }, (_, index) => String(index + 3));
  assert.equal(startTicksOf(`12 (a ) (b) ${fields.join(" ")}`), "22");
});

test("listProcesses() has every process with its whole command line", { skip }, () => {
  const own = listProcesses().find(({ pid }) => pid === process.pid);
  assert.equal(own?.argv[0], process.argv0);
});

test("endProcesses() lets a process end by itself within the grace", { skip }, async () => {
  const { child, info } = await startChild("process.on('SIGTERM', () => process.exit(7))");
  const exit = once(child, "exit");
  await endProcesses([info], { graceMs: 10_000 });
  assert.deepEqual(await exit, [7, null]);
});

test("endProcesses() kills what ignores SIGTERM when the grace is over", { skip }, async () => {
  const { child, info } = await startChild("process.on('SIGTERM', () => {})");
  const exit = once(child, "exit");
  await endProcesses([info], { graceMs: 50 });
  assert.deepEqual(await exit, [null, "SIGKILL"]);
});

test("endProcesses() spares a process that has the pid of an earlier one", { skip }, async () => {
  const { child, info } = await startChild("");
  await endProcesses([{ ...info, startTicks: "1" }], { graceMs: 50 });
  assert.equal(child.exitCode ?? child.signalCode, null);
  assert.ok(listProcesses().some(({ startTicks }) => startTicks === info.startTicks));
  child.kill();
});

/** Finds and ends processes, by what /proc says of them. */

import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

/** A process as it was when it was looked at. */
export interface ProcessInfo {
  readonly pid: number;
  readonly argv: readonly string[];
  /** With the pid it names one process: a pid is used again, but not with the same start. */
  readonly startTicks: string;
}

/** Every process that has a command line: neither the kernel's threads nor zombies. */
export function listProcesses(): readonly ProcessInfo[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => readProcess(Number(name)) ?? []);
}

function readProcess(pid: number): ProcessInfo | undefined {
  try {
    const argv = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0").slice(0, -1);
    const startTicks = startTicksOf(readFileSync(`/proc/${pid}/stat`, "utf8"));
    return argv.length === 0 || startTicks === undefined ? undefined : { pid, argv, startTicks };
  } catch {
    return undefined; // It ended meanwhile.
  }
}

/** Field 22 of /proc/PID/stat (see proc(5)), counted from after the name, which may hold anything. */
export function startTicksOf(stat: string): string | undefined {
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
}

export interface EndOptions {
  /** How long a process has after SIGTERM before SIGKILL; 0, the default, is SIGKILL at once. */
  readonly graceMs?: number;
}

/**
 * Ends `processes` and waits until they are gone.
 *
 * A process that is another one by now, under the same pid, is left alone. One that even SIGKILL
 * does not end (it waits in the kernel) is given up after 10 s.
 */
export async function endProcesses(
  processes: readonly ProcessInfo[],
  options: EndOptions = {},
): Promise<void> {
  const graceMs = options.graceMs ?? 0;
  if (graceMs > 0) {
    for (const process of processes) signal(process, "SIGTERM");
    await untilGone(processes, graceMs);
  }
  for (const process of processes) signal(process, "SIGKILL");
  await untilGone(processes, 10_000);
}

function signal(info: ProcessInfo, name: NodeJS.Signals): void {
  if (!isAlive(info)) return;
  try {
    process.kill(info.pid, name);
  } catch {
    // It ended meanwhile.
  }
}

function isAlive(info: ProcessInfo): boolean {
  return readProcess(info.pid)?.startTicks === info.startTicks;
}

async function untilGone(processes: readonly ProcessInfo[], limitMs: number): Promise<void> {
  const deadline = Date.now() + limitMs;
  while (processes.some(isAlive) && Date.now() < deadline) await sleep(20);
}

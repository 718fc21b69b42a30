/** Finds and ends processes through /proc. */

import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

/** A snapshot of a process. */
export interface ProcessInfo {
  readonly pid: number;
  readonly argv: readonly string[];
  /** Identifies the process together with the pid: a reused pid has a different start time. */
  readonly startTicks: string;
}

/** Every process with a command line, which excludes kernel threads and zombies. */
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
    return undefined; // It has exited meanwhile.
  }
}

/** Field 22 of /proc/PID/stat (see proc(5)), counted from after the name, which may contain anything. */
export function startTicksOf(stat: string): string | undefined {
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
}

export interface EndOptions {
  /** Milliseconds from SIGTERM to SIGKILL. Default: 0, SIGKILL at once. */
  readonly graceMs?: number;
}

/**
 * Ends `processes` and waits until they are gone.
 *
 * Skips a process whose pid now belongs to another one. Gives up after 10 s on a process that survives SIGKILL (it is
 * blocked in the kernel).
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
    // It has exited meanwhile.
  }
}

function isAlive(info: ProcessInfo): boolean {
  return readProcess(info.pid)?.startTicks === info.startTicks;
}

async function untilGone(processes: readonly ProcessInfo[], limitMs: number): Promise<void> {
  const deadline = Date.now() + limitMs;
  while (processes.some(isAlive) && Date.now() < deadline) await sleep(20);
}

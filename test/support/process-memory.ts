/** Reads the memory usage of a process from /proc. */
import { readFileSync } from "node:fs";

/** The resident set size of a process, in bytes. */
export const rssBytes = (pid: number | undefined): number => statusBytes(pid, "VmRSS");

/** The peak resident set size of a process, in bytes. */
export const peakRssBytes = (pid: number | undefined): number => statusBytes(pid, "VmHWM");

function statusBytes(pid: number | undefined, field: string): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const kilobytes = new RegExp(`^${field}:\\s+(\\d+) kB$`, "m").exec(status)?.[1];
  if (kilobytes === undefined) throw new Error(`Cannot read the memory of process ${pid}`);
  return Number(kilobytes) * 1024;
}

export interface MemoryWatch {
  /** Marks the baseline: from now on the process should need no more than its peak so far. */
  settled(): void;
  /** Stops watching. Returns how far the resident set rose above its peak before `settled`, in MiB; 0 if it did not. */
  stop(): number;
}

const sampleMs = 20;

/** Watches the resident set of a process. */
export function watchMemory(pid: number | undefined): MemoryWatch {
  let before: number | undefined;
  let peak = 0;
  const sample = (): void => {
    peak = Math.max(peak, rssBytes(pid));
  };
  sample();
  const timer = setInterval(sample, sampleMs);
  timer.unref();
  return {
    settled() {
      before = peak;
    },
    stop() {
      clearInterval(timer);
      if (before === undefined) throw new Error("Cannot tell a rise: it has never settled");
      return Math.round((peak - before) / 1024 / 1024);
    },
  };
}

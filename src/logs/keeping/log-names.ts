/**
 * Names of log files on disk, as the kubelet has them: `0.log` is being written, `0.log.20260131-235959` is the newest
 * rotated one, and older ones end in `.gz`. A name that ends in `.tmp` is a compression in progress.
 */

/** What the name of a file in a log folder means. */
export interface LogName {
  /** The name of the log that it belongs to: its own, unless it was rotated. */
  readonly log: string;
  /** `YYYYMMDD-HHMMSS` in UTC; undefined for the file being written. */
  readonly rotatedAt: string | undefined;
  /** Of a rotated file: as it was written, compressed, or not yet completely compressed. */
  readonly form: "plain" | "gzip" | "partial";
}

export function readLogName(name: string): LogName {
  const [, log, rotatedAt, suffix] = /^(.+)\.([0-9]{8}-[0-9]{6})(\.gz|\.tmp)?$/s.exec(name) ?? [];
  if (log === undefined) return { log: name, rotatedAt: undefined, form: "plain" };
  return { log, rotatedAt, form: suffix === ".gz" ? "gzip" : suffix === ".tmp" ? "partial" : "plain" };
}

/**
 * The time in a rotated file's name: now, or a second after `newest` if the clock went back or a rotation in this second
 * had it already. So names sort by age, and none is given twice.
 */
export function rotationTime(nowMs: number, newest: string | undefined): string {
  return stamp(newest === undefined ? nowMs : Math.max(nowMs, timeOf(newest) + 1000));
}

const stamp = (ms: number): string =>
  new Date(ms).toISOString().slice(0, 19).replaceAll(/[-:]/g, "").replace("T", "-");

function timeOf(rotatedAt: string): number {
  const [year, month, day] = [rotatedAt.slice(0, 4), rotatedAt.slice(4, 6), rotatedAt.slice(6, 8)];
  const [hour, minute, second] = [rotatedAt.slice(9, 11), rotatedAt.slice(11, 13), rotatedAt.slice(13, 15)];
  const ms = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
  return Number.isNaN(ms) ? 0 : ms;
}

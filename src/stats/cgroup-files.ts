/**
 * Reads what the kernel counts for a cgroup of either version.
 *
 * Finds a container's cgroup by the pid that the runtime reports, since the path in its spec may be relative. If the
 * gateway does not run on the node, or has its own pid namespace, this pid may belong to another process. The path must
 * therefore contain the container's id.
 *
 * Reads files synchronously: they never wait for a disk, and reading through Node's thread pool takes ten times as
 * long. The caller yields between cgroups.
 *
 * Sources: the kernel's Documentation/admin-guide/cgroup-v1 and cgroup-v2.rst.
 */
import { readFileSync } from "node:fs";
import type { DeviceUsage, Usage } from "./usage.ts";

/** The folders of a cgroup, by controller. Version 2 has one folder for all. */
export interface Cgroup {
  /** Path below the mount point, the same in all hierarchies of the usual runtimes: `/kubepods/podUID/ID`. */
  readonly path: string;
  readonly version: 1 | 2;
}

export interface CgroupFiles {
  /** The cgroup of the container with this id and pid; undefined when the gateway does not see it. */
  find(id: string, pid: number): Cgroup | undefined;
  /** The cgroup around `cgroup`, if it is that of the pod with this uid alone; else undefined. */
  ofPod(cgroup: Cgroup, uid: string): Cgroup | undefined;
  /** Undefined when the cgroup is gone. */
  read(cgroup: Cgroup): Usage | undefined;
}

export interface CgroupFilesOptions {
  /** Default: `/proc`. */
  readonly proc?: string;
  /** Default: `/sys/fs/cgroup`. */
  readonly cgroups?: string;
  /** Default: `/sys/dev/block`. */
  readonly blockDevices?: string;
}

/** Version 1 writes the largest multiple of a page for no limit. */
const unlimited = 2 ** 62;
const ticksPerSecond = 100;

export function createCgroupFiles({
  proc = "/proc",
  cgroups = "/sys/fs/cgroup",
  blockDevices = "/sys/dev/block",
}: CgroupFilesOptions = {}): CgroupFiles {
  const deviceNames = new Map<string, string>();

  /** `/dev/vda` for `253:0`. */
  function deviceName(numbers: string): string {
    let name = deviceNames.get(numbers);
    if (name === undefined) {
      const found = lineValue(textOf(`${blockDevices}/${numbers}/uevent`), "DEVNAME", "=");
      name = found === undefined ? numbers : `/dev/${found}`;
      if (deviceNames.size < maxDevices) deviceNames.set(numbers, name);
    }
    return name;
  }

  const folder = ({ path, version }: Cgroup, controller: string): string =>
    version === 2 ? `${cgroups}${path}` : `${cgroups}/${controller}${path}`;

  function readVersion1(cgroup: Cgroup): Usage | undefined {
    const memory = folder(cgroup, "memory");
    const cpu = folder(cgroup, "cpu");
    const cpuacct = folder(cgroup, "cpuacct");
    const pids = folder(cgroup, "pids");
    const used = numberIn(`${cpuacct}/cpuacct.usage`);
    const memoryUsage = numberIn(`${memory}/memory.usage_in_bytes`);
    if (used === undefined && memoryUsage === undefined) return undefined;
    const stat = textOf(`${memory}/memory.stat`);
    const quota = numberIn(`${cpu}/cpu.cfs_quota_us`);
    const limit = numberIn(`${memory}/memory.limit_in_bytes`);
    const throttled = textOf(`${cpu}/cpu.stat`);
    return present({
      cpuTime: Date.now() / 1000,
      cpuSeconds: scaled(used, 1e9),
      ...cpuTimes1(cpuacct),
      throttling: throttlingOf(throttled, "throttled_time", 1e9),
      ...(quota !== undefined && quota > 0
        ? { cpuQuota: quota, cpuPeriod: numberIn(`${cpu}/cpu.cfs_period_us`) }
        : {}),
      cpuShares: numberIn(`${cpu}/cpu.shares`),
      memoryUsage,
      workingSet: without(memoryUsage, numberOf(stat, "total_inactive_file")),
      rss: numberOf(stat, "total_rss"),
      cache: numberOf(stat, "total_cache"),
      swap: numberOf(stat, "total_swap"),
      maxMemoryUsage: numberIn(`${memory}/memory.max_usage_in_bytes`),
      memoryFailures: numberIn(`${memory}/memory.failcnt`),
      memoryLimit: limit !== undefined && limit < unlimited ? limit : undefined,
      oomKills: numberOf(textOf(`${memory}/memory.oom_control`), "oom_kill"),
      processes: linesIn(`${pids}/cgroup.procs`),
      threads: numberIn(`${pids}/pids.current`),
      devices: devices1(folder(cgroup, "blkio")),
    });
  }

  /** Nanoseconds where the kernel has them (from 4.6 on), else ticks. */
  function cpuTimes1(cpuacct: string): Pick<Usage, "userSeconds" | "systemSeconds"> {
    const user = numberIn(`${cpuacct}/cpuacct.usage_user`);
    const system = numberIn(`${cpuacct}/cpuacct.usage_sys`);
    if (user !== undefined && system !== undefined)
      return { userSeconds: user / 1e9, systemSeconds: system / 1e9 };
    const stat = textOf(`${cpuacct}/cpuacct.stat`);
    return present({
      userSeconds: scaled(numberOf(stat, "user"), ticksPerSecond),
      systemSeconds: scaled(numberOf(stat, "system"), ticksPerSecond),
    });
  }

  /** Version 1 does not count writes through the page cache, because the kernel writes them later, for no cgroup. */
  function devices1(blkio: string): readonly DeviceUsage[] | undefined {
    const all = (name: string): string | undefined =>
      textOf(`${blkio}/blkio.throttle.${name}_recursive`) ?? textOf(`${blkio}/blkio.throttle.${name}`);
    const bytes = all("io_service_bytes");
    if (bytes === undefined) return undefined;
    const found = new Map<string, { -readonly [K in keyof DeviceUsage]: DeviceUsage[K] }>();
    const count = (text: string, read: "readBytes" | "reads", write: "writtenBytes" | "writes"): void => {
      for (const line of text.split("\n")) {
        const [numbers = "", what, value] = line.split(" ");
        if ((what !== "Read" && what !== "Write") || value === undefined) continue;
        const device = found.get(numbers) ?? noDevice(deviceName(numbers));
        found.set(numbers, device);
        device[what === "Read" ? read : write] = Number(value);
      }
    };
    count(bytes, "readBytes", "writtenBytes");
    count(all("io_serviced") ?? "", "reads", "writes");
    return [...found.values()];
  }

  function readVersion2(cgroup: Cgroup): Usage | undefined {
    const at = folder(cgroup, "");
    const cpu = textOf(`${at}/cpu.stat`);
    const memoryUsage = numberIn(`${at}/memory.current`);
    if (cpu === undefined && memoryUsage === undefined) return undefined;
    const memory = textOf(`${at}/memory.stat`);
    const events = textOf(`${at}/memory.events`);
    const [quota, period] = (textOf(`${at}/cpu.max`) ?? "").trim().split(" ");
    const weight = numberIn(`${at}/cpu.weight`);
    return present({
      cpuTime: Date.now() / 1000,
      cpuSeconds: scaled(numberOf(cpu, "usage_usec"), 1e6),
      userSeconds: scaled(numberOf(cpu, "user_usec"), 1e6),
      systemSeconds: scaled(numberOf(cpu, "system_usec"), 1e6),
      throttling: throttlingOf(cpu, "throttled_usec", 1e6),
      ...(quota === undefined || quota === "" || quota === "max"
        ? {}
        : { cpuQuota: Number(quota), cpuPeriod: Number(period) }),
      // As runtimes convert shares to a weight.
      cpuShares: weight === undefined ? undefined : Math.round(2 + ((weight - 1) * 262_142) / 9999),
      memoryUsage,
      workingSet: without(memoryUsage, numberOf(memory, "inactive_file")),
      rss: numberOf(memory, "anon"),
      cache: numberOf(memory, "file"),
      swap: numberIn(`${at}/memory.swap.current`),
      maxMemoryUsage: numberIn(`${at}/memory.peak`),
      memoryFailures: numberOf(events, "max"),
      memoryLimit: numberIn(`${at}/memory.max`),
      oomKills: numberOf(events, "oom_kill"),
      processes: linesIn(`${at}/cgroup.procs`),
      threads: numberIn(`${at}/pids.current`),
      devices: devices2(textOf(`${at}/io.stat`)),
    });
  }

  function devices2(text: string | undefined): readonly DeviceUsage[] | undefined {
    if (text === undefined) return undefined;
    return text
      .split("\n")
      .filter((line) => line.includes(" rbytes="))
      .map((line) => {
        const [numbers = "", ...pairs] = line.split(" ");
        const values = new Map(pairs.map((pair) => pair.split("=") as [string, string]));
        const of = (key: string): number => Number(values.get(key) ?? 0);
        return {
          name: deviceName(numbers),
          ...{ readBytes: of("rbytes"), writtenBytes: of("wbytes"), reads: of("rios"), writes: of("wios") },
        };
      });
  }

  return {
    find(id, pid) {
      if (id === "" || !Number.isSafeInteger(pid) || pid <= 0) return undefined;
      const lines = (textOf(`${proc}/${pid}/cgroup`) ?? "").split("\n");
      // A hybrid has both, with the controllers in version 1.
      const one = lines.find((line) => controllersOf(line).includes("memory"));
      const chosen = one ?? lines.find((line) => line.startsWith("0::"));
      const whole = chosen?.slice(chosen.indexOf(":", chosen.indexOf(":") + 1) + 1);
      if (whole === undefined || whole.includes("/..")) return undefined;
      // Some runtimes put the process into a cgroup of its own below that of the container.
      const parts = whole.split("/");
      const place = parts.findIndex((part) => part.includes(id));
      if (place === -1) return undefined;
      return { path: parts.slice(0, place + 1).join("/"), version: one === undefined ? 2 : 1 };
    },

    ofPod({ path, version }, uid) {
      const parent = path.slice(0, path.lastIndexOf("/"));
      const wanted = letters(uid);
      const name = letters(parent.slice(parent.lastIndexOf("/") + 1));
      return wanted.length >= minUidLength && name.includes(wanted) ? { path: parent, version } : undefined;
    },

    read: (cgroup) => (cgroup.version === 2 ? readVersion2(cgroup) : readVersion1(cgroup)),
  };
}

/** Names of devices that are kept. A node has dozens. */
const maxDevices = 1000;
/** A shorter text may occur by chance in the name of a cgroup that several pods share. */
const minUidLength = 8;

/** Cgroups spell a uid with dashes, with underscores or without either. */
const letters = (text: string): string => text.replace(/[^A-Za-z0-9]/g, "");

function controllersOf(line: string): readonly string[] {
  return (line.split(":")[1] ?? "").split(",");
}

const noDevice = (name: string) => ({ name, readBytes: 0, writtenBytes: 0, reads: 0, writes: 0 });

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return undefined;
  }
}

function numberIn(path: string): number | undefined {
  const text = textOf(path)?.trim();
  const value = text === undefined || text === "" ? Number.NaN : Number(text);
  return Number.isFinite(value) ? value : undefined;
}

function linesIn(path: string): number | undefined {
  const text = textOf(path);
  return text === undefined ? undefined : text.split("\n").length - 1;
}

/** The value of `key` in lines of a key and a value. */
function lineValue(text: string | undefined, key: string, separator = " "): string | undefined {
  if (text === undefined) return undefined;
  const start = `${key}${separator}`;
  const at = text.startsWith(start) ? 0 : text.indexOf(`\n${start}`) + 1;
  if (at === 0 && !text.startsWith(start)) return undefined;
  const end = text.indexOf("\n", at);
  return text.slice(at + start.length, end === -1 ? undefined : end);
}

function numberOf(text: string | undefined, key: string): number | undefined {
  const value = lineValue(text, key);
  return value === undefined ? undefined : Number(value);
}

const scaled = (value: number | undefined, by: number): number | undefined =>
  value === undefined ? undefined : value / by;

function without(total: number | undefined, part: number | undefined): number | undefined {
  return total === undefined ? undefined : Math.max(0, total - (part ?? 0));
}

function throttlingOf(text: string | undefined, time: string, by: number): Usage["throttling"] {
  const periods = numberOf(text, "nr_periods");
  if (periods === undefined) return undefined;
  return {
    periods,
    throttledPeriods: numberOf(text, "nr_throttled") ?? 0,
    throttledSeconds: (numberOf(text, time) ?? 0) / by,
  };
}

type Present<T> = { readonly [K in keyof T]: Exclude<T[K], undefined> };

/** Returns a copy without undefined members. */
export function present<T extends object>(value: T): Partial<Present<T>> {
  return Object.fromEntries(Object.entries(value).filter(([, member]) => member !== undefined)) as Partial<
    Present<T>
  >;
}

/**
 * Keeps the logs of a gateway's own pods small: rotates those that grow, compresses what was rotated, remembers whose
 * they are, and removes those of removed containers in time. CRI runtimes leave this to the kubelet.
 *
 * It touches nothing outside the gateway's own log folder, and rotates only logs of pods that Crest made. The gateway
 * must hold the lock of its data folder, so that no other one rotates the same logs.
 */
import { existsSync } from "node:fs";
import { realpath } from "node:fs/promises";
import { dirname, join } from "node:path";
import { call } from "../../cri/call.ts";
import { CallCancelled, type CallOptions, type Runtime } from "../../cri/channel.ts";
import { type ErrorCode, GatewayError } from "../../errors.ts";
import { reasonOf } from "../../files/trusted-path.ts";
import type { Change, NodeChanges } from "../../inventory/changes.ts";
import { identify } from "../../runtimes/identity.ts";
import { knownSupport } from "../../runtimes/known-support.ts";
import { logRootOf } from "../../runtimes/log-folders.ts";
import { managedLabel } from "../../runtimes/pod-config.ts";
import { compressLog } from "./compress-log.ts";
import { type ContainerLog, createExistingLogs, type Filter } from "./existing-logs.ts";
import { expireLogs } from "./expire-logs.ts";
import { type GrowthWatch, watchGrowth } from "./growth-watch.ts";
import type { KeptLog, KeptLogs } from "./kept-logs.ts";
import { filesOf, isBelow, regularFile } from "./log-place.ts";
import { resumeRotation, rotateLog, tidyLog } from "./rotate-log.ts";

export interface LogLimits {
  /** Size at which a log is rotated; 0: never. */
  readonly logMaxSizeBytes: number;
  /** Files of a log, including the one being written; at least 2. */
  readonly logMaxFiles: number;
  /** How long logs of removed containers are kept; 0: for ever. */
  readonly logKeepMs: number;
  /** Disk space for logs of removed containers; 0: no limit. */
  readonly logTotalBytes: number;
}

export interface LogKeeperOptions {
  readonly runtime: Runtime;
  /** Reports containers that start and are removed without a call through this gateway. */
  readonly changes: NodeChanges;
  readonly dataDir: string;
  readonly limits: LogLimits;
  /** Learns whose the logs are. */
  readonly kept: KeptLogs;
  /** Reports what an operator should know. */
  readonly warn: (message: string, error: unknown) => void;
  /** Called after each rotation. */
  readonly rotated?: (() => void) | undefined;
  readonly pace?: Partial<Pace>;
}

/** How often things are done, in milliseconds. */
export interface Pace {
  /** Between two looks at the size of a log that grows. */
  readonly lookMs: number;
  /** Between two reads of the list of containers, if no change was noticed. */
  readonly refreshMs: number;
  /** From a change until the list is read, so that many changes need one read. */
  readonly wakeMs: number;
  /** Between two attempts to read the list while the runtime does not answer. */
  readonly retryMs: number;
  /** How long a rotated file must be unchanged before it is compressed, because the runtime may still write into it. */
  readonly settleMs: number;
}

const usualPace: Pace = { lookMs: 500, refreshMs: 60_000, wakeMs: 500, retryMs: 10_000, settleMs: 10_000 };

export interface LogKeeper {
  /** Tells it that containers were started or removed. */
  wake(): void;
  /**
   * Makes sure that it knows the logs of containers that are about to be removed, which nobody can ask for afterwards.
   * Never fails. Calls the runtime only if something has changed since its last list.
   */
  beforeRemoval(containers: Filter): Promise<void>;
  /** Stops it. A rotation in progress is finished, or undone. */
  close(): Promise<void>;
}

/** A log that is watched. */
interface Watched {
  readonly log: ContainerLog;
  readonly growth: GrowthWatch;
  rotatedAtMs: number;
}

const reopenMs = 10_000;
const beforeRemovalMs = 2000;
/** The longest interval between two removals of expired logs, and the shortest. */
const [maxExpireMs, minExpireMs] = [60_000, 1000];
/** The shortest time between two rotations of one log. */
const minRotationMs = 1000;
/** How long `close` waits for the runtime. */
const closeMs = 3000;

/** Starts to keep the logs. Errors of the runtime never end it. */
export function startLogKeeper(options: LogKeeperOptions): LogKeeper {
  const { runtime, changes, dataDir, limits, kept, warn } = options;
  const { logMaxSizeBytes: maxBytes, logMaxFiles: maxFiles, logKeepMs, logTotalBytes } = limits;
  const pace = { ...usualPace, ...options.pace };
  const existing = createExistingLogs(runtime);
  const watched = new Map<string, Watched>();
  const stopping = new AbortController();
  const { signal } = stopping;
  const warned = new Set<string>();
  const working = new Set<Promise<unknown>>();
  /** Paths of logs that are being rotated. */
  const rotating = new Set<string>();
  let compressing = Promise.resolve();
  let refreshTimer: NodeJS.Timeout | undefined;
  let lookTimer: NodeJS.Timeout | undefined;
  let isRefreshing = false;
  let isWoken = false;
  let isFollowing = false;
  let expiredAtMs = Number.NEGATIVE_INFINITY;
  const mayExpire = logKeepMs > 0 || logTotalBytes > 0;
  const expireMs = logKeepMs > 0 ? Math.min(maxExpireMs, Math.max(minExpireMs, logKeepMs / 4)) : maxExpireMs;

  /** Warns once about each place: what fails now will fail every second. */
  function warnOnce(place: string, what: string, error: unknown): void {
    if (signal.aborted || warned.has(place) || error instanceof CallCancelled) return;
    if (warned.size >= maxWarned) warned.clear();
    warned.add(place);
    warn(`${what}: ${error instanceof GatewayError ? error.message : reasonOf(error)}`, error);
  }

  /** Does work that `close` waits for. */
  function track(work: Promise<unknown>): void {
    working.add(work);
    void work.finally(() => working.delete(work));
  }

  // ---- Which logs there are ----

  function planRefresh(afterMs: number): void {
    clearTimeout(refreshTimer);
    if (signal.aborted) return;
    refreshTimer = setTimeout(() => track(refresh()), afterMs).unref();
  }

  async function refresh(): Promise<void> {
    isRefreshing = true;
    isWoken = false;
    let nextMs = pace.refreshMs;
    try {
      await readLogs();
      warned.delete(listPlace);
    } catch (error) {
      nextMs = pace.retryMs;
      const isAway = error instanceof GatewayError && error.code === "runtime_unavailable";
      if (!isAway) warnOnce(listPlace, "Cannot rotate and remove logs", error);
    } finally {
      isRefreshing = false;
    }
    planRefresh(isWoken ? pace.wakeMs : Math.min(nextMs, expireMs));
  }

  async function readLogs(): Promise<void> {
    const root = await realpath(logRootOf(dataDir)).catch(() => undefined);
    if (root === undefined) return;
    const before = kept.all();
    const logs = await remember(root);
    const ids = new Set(logs.map(({ owner }) => owner.id));
    for (const log of before) if (log.owner !== undefined && !ids.has(log.owner.id)) noteRemoved(root, log);
    follow(maxBytes > 0 ? logs : []);
    if (!isFollowing) followChanges();
    // Without limits, it only forgets what others have removed.
    const hasWork = mayExpire || kept.all().length > 0;
    if (hasWork && performance.now() - expiredAtMs >= expireMs / 2) {
      await expireLogs({
        ...{ kept, root, keepMs: logKeepMs, totalBytes: logTotalBytes },
        settleMs: Math.min(maxExpireMs, logKeepMs > 0 ? logKeepMs : maxExpireMs),
        existing: existing.everyPath,
      });
      expiredAtMs = performance.now();
    }
  }

  function followChanges(): void {
    isFollowing = true;
    void changes.onChange({ insteadOfMs, changed, signal }).then((isFollowed) => {
      // The next refresh tries again.
      isFollowing = isFollowed;
    });
  }

  function changed({ event }: Change): void {
    const isOurs = event?.labels?.[managedLabel] === "true";
    const isNews = event?.type === "container.started" || event?.type === "container.removed";
    if (event === undefined || (isOurs && isNews)) wake();
  }

  /** The logs that can be rotated and kept. Their owners are known from now on. */
  async function remember(
    root: string,
    filter?: Filter,
    calls?: CallOptions,
  ): Promise<readonly ContainerLog[]> {
    if (!(await canReopen())) return [];
    const logs = (await existing.ofManagedPods(filter, calls)).filter(({ path }) => isBelow(path, root));
    for (const { owner, path } of logs) {
      const log = { path: path.slice(root.length + 1), owner };
      const known = kept.get(log.path);
      if (known?.owner?.id !== owner.id || known.removedAtMs !== undefined) kept.note(log);
    }
    return logs;
  }

  function noteRemoved(root: string, { path, owner, removedAtMs }: KeptLog): void {
    if (removedAtMs !== undefined || kept.get(path)?.owner !== owner) return;
    if (filesOf(join(root, path)).length > 0) kept.note({ path, owner, removedAtMs: Date.now() });
    else kept.forget(path);
  }

  /**
   * Docker rotates by itself, if it is told to, and removes a log with its container. Copying and truncating a log would
   * lose lines.
   */
  async function canReopen(): Promise<boolean> {
    const rpc = "RuntimeService/ReopenContainerLog";
    const support = runtime.seen(rpc) ?? knownSupport(rpc, await identify(runtime));
    return support !== "unimplemented";
  }

  function follow(logs: readonly ContainerLog[]): void {
    if (signal.aborted) return;
    const left = new Map(watched);
    for (const log of logs) {
      const { id } = log.owner;
      const known = watched.get(id);
      left.delete(id);
      if (!log.isRunning) {
        if (known !== undefined) left.set(id, known);
        if (!rotating.has(log.path)) track(resume(log));
      } else if (known === undefined) {
        const growth = watchGrowth(log.path, planLook);
        watched.set(id, { log, growth, rotatedAtMs: Number.NEGATIVE_INFINITY });
      }
    }
    for (const [id, { growth }] of left) {
      growth.close();
      watched.delete(id);
    }
    if (watched.size > 0) planLook();
  }

  /** Finishes a rotation that was interrupted. A log that is there by now is left alone, as others may rotate it. */
  async function resume(log: ContainerLog): Promise<void> {
    const { path, isRunning } = log;
    try {
      // Its folder may be gone, and most containers have a log.
      if (!existsSync(path) && existsSync(dirname(path)))
        await resumeRotation(path, isRunning ? () => reopen(log) : undefined);
    } catch (error) {
      const isExpected = error instanceof GatewayError && expected.has(error.code);
      if (!isExpected) warnOnce(path, `Cannot finish the rotation of ${path}`, error);
    }
  }

  // ---- Whether they have grown ----

  function planLook(): void {
    if (lookTimer !== undefined || signal.aborted) return;
    lookTimer = setTimeout(() => {
      lookTimer = undefined;
      for (const one of watched.values()) look(one);
      if ([...watched.values()].some(({ growth }) => !growth.isWaiting())) planLook();
    }, pace.lookMs).unref();
  }

  function look(one: Watched): void {
    const { log, growth } = one;
    const nowMs = performance.now();
    if (rotating.has(log.path) || !growth.isDue(nowMs)) return;
    let bytes: number;
    try {
      bytes = regularFile(log.path)?.size ?? -1;
      growth.saw(bytes, nowMs);
      // The names of rotated files differ by a second.
      if ((bytes >= 0 && bytes < maxBytes) || nowMs - one.rotatedAtMs < minRotationMs) return;
    } catch (error) {
      warnOnce(log.path, `Cannot see how large ${log.path} is`, error);
      growth.saw(-1, nowMs);
      return;
    }
    one.rotatedAtMs = nowMs;
    rotating.add(log.path);
    track((bytes < 0 ? resume(log) : rotate(log)).finally(() => rotating.delete(log.path)));
  }

  // ---- Rotation ----

  async function reopen({ owner }: ContainerLog): Promise<void> {
    const options = { deadlineMs: reopenMs, atOnce: true };
    await call(runtime, "RuntimeService/ReopenContainerLog", { containerId: owner.id }, options);
  }

  async function rotate(log: ContainerLog): Promise<void> {
    const { path } = log;
    try {
      if (await rotateLog(path, { maxFiles, reopen: () => reopen(log) })) {
        options.rotated?.();
        warned.delete(path);
        compressing = compressing.then(() => compress(path));
        track(compressing);
      }
    } catch (error) {
      const isExpected = error instanceof GatewayError && expected.has(error.code);
      if (!isExpected) warnOnce(path, `Cannot rotate ${path}, will try again`, error);
    }
  }

  /** Compresses all rotated files of a log but the newest, one after the other. */
  async function compress(path: string): Promise<void> {
    try {
      for (const file of (await tidyLog(path)).slice(0, -1)) {
        if (signal.aborted) return;
        const stats = file.form === "plain" ? regularFile(file.path) : undefined;
        if (stats !== undefined && Date.now() - stats.mtimeMs >= pace.settleMs)
          await compressLog(file.path, signal);
      }
    } catch (error) {
      // A file may be removed meanwhile, because newer ones take its place.
      if ((error as NodeJS.ErrnoException).code !== "ENOENT")
        warnOnce(`${path}.gz`, `Cannot compress the rotated files of ${path}`, error);
    }
  }

  function wake(): void {
    if (isWoken) return;
    isWoken = true;
    if (!isRefreshing) planRefresh(pace.wakeMs);
  }

  track(refresh());
  return {
    wake,
    async beforeRemoval(filter) {
      // What was started before the last list began is known.
      if (!isWoken && !isRefreshing) return;
      const root = await realpath(logRootOf(dataDir)).catch(() => undefined);
      if (root === undefined) return;
      await remember(root, filter, { deadlineMs: beforeRemovalMs, atOnce: true }).catch((error: unknown) =>
        warnOnce(listPlace, "Cannot find the logs of containers that are removed", error),
      );
    },
    async close() {
      stopping.abort();
      clearTimeout(refreshTimer);
      clearTimeout(lookTimer);
      for (const { growth } of watched.values()) growth.close();
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise((resolve) => {
        timer = setTimeout(resolve, closeMs);
      });
      await Promise.race([Promise.allSettled(working), late]);
      clearTimeout(timer);
    },
  };
}

const listPlace = "the list of containers";
const maxWarned = 1000;
/** Events are followed only where they spare most of the lists, as on containerd. In milliseconds. */
const insteadOfMs = 5000;
/** The container has just exited, or the runtime is away: neither needs anyone's attention. */
const expected: ReadonlySet<ErrorCode> = new Set(["not_running", "not_found", "runtime_unavailable"]);

/**
 * Reads the node regularly while there are watchers. All watchers share the readings.
 *
 * A watcher takes the newest round when it is ready for one. A slow watcher misses rounds: nothing waits for it, and
 * nothing is stored for it.
 */
import { CallCancelled } from "../cri/channel.ts";
import type { NodeLists } from "../inventory/node-lists.ts";
import { createHistory, historyMs } from "./history.ts";
import { type Before, figuresOf, type Kind, type Round, roundOf } from "./rates.ts";
import type { ReadNode } from "./read-node.ts";

export interface WatchOptions {
  /** Milliseconds between two rounds. */
  readonly intervalMs: number;
  /** How much of the past comes first, up to 15 minutes, in milliseconds. Rounds exist only for times with watchers. */
  readonly historyMs: number;
  /** Aborts when the watcher has left. */
  readonly signal: AbortSignal;
}

export interface Collector {
  /**
   * Returns rounds as they are taken. Rates cover the time since the previous round, whichever watcher it was for.
   *
   * @throws {GatewayError} when the runtime does not answer: at once, or from the iteration after a minute of failures.
   * @throws {CallCancelled} From the iteration, when `signal` aborts.
   */
  watch(kind: Kind, options: WatchOptions): Promise<AsyncIterable<Round>>;
  /** Returns the newest round; undefined without watchers. */
  latest(kind: Kind): Round | undefined;
  /**
   * The most memory, in bytes, that a container was seen to use in the last 15 minutes; undefined if nobody watched it.
   */
  highestMemory(containerId: string): number | undefined;
  /** Number of watchers. */
  readonly watchers: number;
}

interface Watcher {
  readonly intervalMs: number;
  /** Called after each reading. */
  readonly wake: () => void;
}

/** Watchers get an error after this time without a reply from the runtime, in milliseconds. */
const patienceMs = 60_000;
/** Readings before events are followed. A client that wants a single response takes two, which need no subscription. */
const readingsWithoutEvents = 2;

type Rounds = { readonly [K in Kind]: Round & Before };

/** `lists`: the lists that `readNode` uses. */
export function createCollector(readNode: ReadNode, lists: Pick<NodeLists, "follow">): Collector {
  const watchers = new Set<Watcher>();
  const histories = { pod: createHistory(), container: createHistory() };
  let latest: Rounds | undefined;
  let failure: Error | undefined;
  let failingSince: number | undefined;
  /** Ends the pause before the next reading. */
  let hurry: (() => void) | undefined;
  let expiry: NodeJS.Timeout | undefined;
  let isRunning = false;

  async function take(): Promise<void> {
    const reading = await readNode();
    latest = {
      pod: roundOf("pod", reading, latest?.pod),
      container: roundOf("container", reading, latest?.container),
    };
    for (const kind of ["pod", "container"] as const) histories[kind].note(latest[kind]);
  }

  async function run(): Promise<void> {
    const following = new AbortController();
    // The first reading was taken before.
    for (let readings = 1; watchers.size > 0; readings++) {
      const began = performance.now();
      if (readings === readingsWithoutEvents) lists.follow(shortestMs(), following.signal);
      try {
        await take();
        failingSince = undefined;
      } catch (error) {
        failingSince ??= began;
        if (performance.now() - failingSince >= patienceMs) failure = error as Error;
      }
      for (const { wake } of watchers) wake();
      await pause(began);
    }
    following.abort();
    isRunning = false;
    // The next watcher gets no rates for the time without watchers.
    latest = undefined;
    failure = undefined;
    failingSince = undefined;
    expiry = setTimeout(forget, historyMs).unref();
  }

  function forget(): void {
    histories.pod.since(0);
    histories.container.since(0);
  }

  const shortestMs = (): number => Math.min(...[...watchers].map(({ intervalMs }) => intervalMs));

  async function pause(began: number): Promise<void> {
    for (;;) {
      const restMs = began + shortestMs() - performance.now();
      if (watchers.size === 0 || restMs <= 0) return;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, restMs);
        hurry = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  async function begin(): Promise<void> {
    if (latest === undefined) await take();
    clearTimeout(expiry);
    if (isRunning || watchers.size === 0) return;
    isRunning = true;
    // The first reading was taken just now.
    void pause(performance.now()).then(run);
  }

  return {
    get watchers() {
      return watchers.size;
    },
    latest: (kind) => latest?.[kind],
    highestMemory(containerId) {
      const seen = histories.container.since(historyMs).flatMap((round) => {
        const index = round.members.findIndex(({ id }) => id === containerId);
        const bytes = index === -1 ? Number.NaN : figuresOf(round, index).memoryUsageBytes;
        return Number.isNaN(bytes) ? [] : [bytes];
      });
      return seen.length === 0 ? undefined : Math.max(...seen);
    },
    async watch(kind, { intervalMs, historyMs: backMs, signal }) {
      let woken = false;
      let wakeUp: (() => void) | undefined;
      const wake = (): void => {
        woken = true;
        wakeUp?.();
      };
      const watcher = { intervalMs, wake };
      const leave = (): void => {
        watchers.delete(watcher);
        hurry?.();
        wake();
      };
      watchers.add(watcher);
      signal.addEventListener("abort", leave, { once: true });
      try {
        if (signal.aborted) throw new CallCancelled("nobody watches any longer");
        await begin();
        hurry?.();
      } catch (error) {
        leave();
        throw error;
      }
      return (async function* () {
        let last = 0;
        let due = 0;
        try {
          for (const round of backMs > 0 ? histories[kind].since(backMs) : []) {
            yield round;
            last = round.time;
          }
          for (;;) {
            woken = false;
            if (signal.aborted) throw new CallCancelled("nobody watches any longer");
            if (failure !== undefined) throw failure;
            const round = latest?.[kind];
            if (round !== undefined && round.time > last && performance.now() >= due) {
              last = round.time;
              // Accept a round that comes slightly early, because the next one may come much later.
              due = performance.now() + intervalMs * 0.9;
              yield round;
            }
            if (!woken) {
              await new Promise<void>((resolve) => {
                wakeUp = resolve;
              });
              wakeUp = undefined;
            }
          }
        } finally {
          signal.removeEventListener("abort", leave);
          leave();
        }
      })();
    },
  };
}

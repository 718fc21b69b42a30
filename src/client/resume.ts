/** How each kind of stream goes on after its connection was lost. */
import { CrestError } from "./crest-error.ts";
import type { EventItem, LogItem, PullImageItem, WaitContainerAnswer } from "./gen/types.ts";

/** Begins an iteration. `query`: that of the first request. */
export type Resume<Item> = (query: object) => Resumption<Item>;

/** One iteration. */
export interface Resumption<Item> {
  /**
   * The query of the next request, so long after the first; undefined if nothing is left to ask for. The id of the last
   * event goes with it as a header.
   */
  queryAgain(elapsedMs: number): object | undefined;
  /** What the caller gets when the connection is there again. */
  reconnected(hasId: boolean): Iterable<Item>;
  /** What the caller gets of an item. @throws {CrestError} connection_lost: to connect again. */
  take(item: Item): Iterable<Item>;
  /** The body has ended in order. @throws {CrestError} connection_lost: if it must not end here. */
  ended(): void;
  /** Whether a problem is only how the end looks to one who connects again. */
  isEnd(error: CrestError): boolean;
}

/** Sends the same again, and passes on what comes. */
function plain<Item>(query: object): Resumption<Item> {
  return {
    queryAgain: () => query,
    reconnected: () => [],
    take: (item) => [item],
    ended: () => undefined,
    isEnd: () => false,
  };
}

/**
 * Logs go on after the last line. What the request says of times ago still means the same moments, and `limitBytes` counts
 * the lines of all connections.
 */
export const resumeLogs: Resume<LogItem> = (query) => {
  const { since, until, sinceSeconds, limitBytes }: LogTimes = query;
  const encoder = limitBytes === undefined ? undefined : new TextEncoder();
  let bytes = 0;
  return {
    ...plain(query),
    queryAgain(elapsedMs) {
      if (limitBytes !== undefined && bytes >= limitBytes) return undefined;
      return {
        ...query,
        since: earlier(since, elapsedMs),
        until: earlier(until, elapsedMs),
        sinceSeconds: sinceSeconds === undefined ? undefined : sinceSeconds + Math.ceil(elapsedMs / 1000),
        limitBytes: limitBytes === undefined ? undefined : limitBytes - bytes,
      };
    },
    take(item) {
      if (encoder !== undefined) bytes += encoder.encode(item.text).length + 1;
      return [item];
    },
  };
};

interface LogTimes {
  readonly since?: string;
  readonly until?: string;
  readonly sinceSeconds?: number;
  readonly limitBytes?: number;
}

/** A duration ago as it is after `elapsedMs`: `5m` becomes `5m2000ms`. A time stays the same. */
function earlier(text: string | undefined, elapsedMs: number): string | undefined {
  const ms = `${Math.ceil(elapsedMs)}ms`;
  if (text === "0") return ms;
  return text !== undefined && /^[\d.]+(ms|[smhd])/.test(text) ? text + ms : text;
}

/**
 * Events go on after the last id. The gateway sends `resync` if it no longer knows that. A connection that is lost before
 * the first id leaves part of a snapshot, which the next one begins again: that is a `resync` as well.
 */
export const resumeEvents: Resume<EventItem> = (query) => {
  let count = 0;
  return {
    ...plain(query),
    reconnected: (hasId) =>
      hasId || count === 0 ? [] : [{ type: "resync", time: new Date().toISOString() }],
    take(item) {
      // The gateway still has what this reader missed, or says `resync`.
      if (item.type === "gap")
        throw new CrestError("connection_lost", `The reader was ${item.gap} events behind`);
      count++;
      return [item];
    },
  };
};

/** Usage goes on with the next reading. */
export const resumeUsage = <Item>(query: object): Resumption<Item> => ({
  ...plain(query),
  queryAgain: () => ({ ...query, history: undefined }),
  isEnd: ({ code }) => code === "not_running" || code === "pod_not_ready",
});

const defaultTimeoutSeconds = 60;

/** A wait goes on for the rest of its time. A state that the caller knows already is not repeated. */
export const resumeWait: Resume<WaitContainerAnswer> = (query) => {
  const { timeout = defaultTimeoutSeconds }: { readonly timeout?: number } = query;
  let last = "";
  return {
    ...plain(query),
    queryAgain: (elapsedMs) => ({ ...query, timeout: Math.max(0, timeout - Math.floor(elapsedMs / 1000)) }),
    take(item) {
      const text = JSON.stringify(item);
      if (text === last) return [];
      last = text;
      return [item];
    },
  };
};

/** The same request joins the same pull, as long as that is in progress. */
export const resumePull: Resume<PullImageItem> = (query) => {
  let hasResult = false;
  return {
    ...plain(query),
    take(item) {
      hasResult ||= item.result !== undefined;
      return [item];
    },
    ended() {
      if (!hasResult) throw new CrestError("connection_lost", "The connection ended before the pull");
    },
  };
};

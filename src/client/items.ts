/**
 * Streams of items: one connection after the other, as one sequence.
 *
 * Invariant: nothing is read ahead of the caller but the piece that the platform gave last, so a slow caller slows down the
 * connection and fills no memory.
 */
import { CrestError, errorOf, parseProblem } from "./crest-error.ts";
import { readEvents } from "./event-stream.ts";
import type { FetchResponse } from "./platform.ts";
import { isPassing, pause, pauseMs, type Reconnection } from "./reconnection.ts";
import type { Resume } from "./resume.ts";
import type { Call, CallOptions, Server } from "./server.ts";

export interface StreamOptions extends CallOptions {
  /** `false`: a lost connection ends the sequence with its error. Default: true. */
  readonly reconnect?: boolean | undefined;
  /** Milliseconds without a connection after which the sequence fails. Default: 300,000. */
  readonly giveUpAfterMs?: number | undefined;
  /** Called before each attempt to reconnect. */
  readonly onReconnect?: ((reconnection: Reconnection) => void) | undefined;
}

/**
 * Items as they arrive. Nothing is requested before it is iterated; each iteration is a request of its own.
 *
 * Leaving the loop, also by an error, closes the connection at once. If the connection is lost, it is opened again with
 * growing pauses, and goes on where it was. The first connection is not tried again.
 */
export interface Items<Item, Answer> extends AsyncIterable<Item> {
  /** All of it as one answer: see the operation. @throws {CrestError} */
  answer(): Promise<Answer>;
}

const defaultGiveUpAfterMs = 300_000;

/** The items of one iteration. */
export function iterate<Item>(
  server: Server,
  call: Call,
  resume: Resume<Item>,
  options: StreamOptions,
): AsyncIterableIterator<Item, undefined> {
  const stop = new AbortController();
  const abort = (): void => stop.abort(options.signal?.reason);
  if (options.signal?.aborted) abort();
  else options.signal?.addEventListener("abort", abort, { once: true });
  const items = follow(server, call, resume, { ...options, stop });
  const unlink = (): void => options.signal?.removeEventListener("abort", abort);
  return {
    async next() {
      try {
        const result = await items.next();
        if (!result.done) return result;
        unlink();
        return { done: true, value: undefined };
      } catch (error) {
        unlink();
        throw error;
      }
    },
    async return() {
      // First: the sequence may be waiting for an item, and would end only with it.
      stop.abort(left);
      unlink();
      await items.return();
      return { done: true, value: undefined };
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}

/** The reason with which a caller that leaves ends the sequence. */
const left = new Error("The caller left");

interface Following extends StreamOptions {
  readonly stop: AbortController;
}

async function* follow<Item>(
  server: Server,
  call: Call,
  resume: Resume<Item>,
  { headers, reconnect = true, giveUpAfterMs = defaultGiveUpAfterMs, onReconnect, stop }: Following,
): AsyncGenerator<Item, void> {
  const { signal } = stop;
  const begun = performance.now();
  const state = resume(call.query);
  let hasConnected = false;
  let lastId: string | undefined;
  /** Since when there is no connection. */
  let lostAt = 0;
  let attempt = 0;
  try {
    for (;;) {
      try {
        const id: { readonly [name: string]: string } =
          lastId === undefined ? {} : { "last-event-id": lastId };
        const query = hasConnected ? state.queryAgain(performance.now() - begun) : call.query;
        if (query === undefined) return;
        const response = await server.send(
          { ...call, query },
          { signal, headers: { ...headers, ...id }, accept: "text/event-stream" },
        );
        if (hasConnected) yield* state.reconnected(lastId !== undefined);
        hasConnected = true;
        for await (const event of readEvents(bodyOf(response))) {
          attempt = 0;
          if (event.type === "error") throw failureIn(event.data);
          lastId = event.id ?? lastId;
          // Not `yield*`, which takes several turns for each item.
          for (const item of state.take(parseItem<Item>(event.data))) yield item;
        }
        state.ended();
        return;
      } catch (error) {
        if (signal.aborted) {
          if (signal.reason === left) return;
          throw signal.reason;
        }
        if (hasConnected && error instanceof CrestError && state.isEnd(error)) return;
        if (!hasConnected || !reconnect || !isPassing(error)) throw error;
        if (attempt === 0) lostAt = performance.now();
        if (performance.now() - lostAt >= giveUpAfterMs) throw error;
        attempt++;
        const delayMs = pauseMs(attempt, error.retryAfter);
        onReconnect?.({ error, attempt, delayMs });
        await pause(delayMs, signal);
      }
    }
  } finally {
    stop.abort(left);
  }
}

function bodyOf({ body, headers, status }: FetchResponse) {
  const type = headers.get("content-type") ?? "";
  if (body !== null && /^text\/event-stream\b/.test(type)) return body.getReader();
  throw new CrestError("invalid_answer", `The answer is ${type || "empty"} instead of events`, { status });
}

function failureIn(data: string): CrestError {
  const problem = parseProblem(data);
  return problem === undefined
    ? new CrestError("invalid_answer", "The stream ended with an error that is no problem")
    : errorOf(problem);
}

/** Its type is what the gateway's document promises. */
function parseItem<Item>(data: string): Item {
  try {
    return JSON.parse(data);
  } catch (error) {
    throw new CrestError("invalid_answer", "An item is not JSON", { cause: error });
  }
}

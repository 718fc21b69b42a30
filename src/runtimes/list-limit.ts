/**
 * Limits the number of concurrent list calls of each kind.
 *
 * A list reply is in memory before its size is known, and it takes megabytes with thousands of containers. Callers use
 * different filters, so calls cannot be shared. Calls over the limit wait for a slot, within their own deadline. Accounts
 * take turns, so that one with many calls does not delay the others.
 */

import { CallCancelled, type CallOptions, type Runtime } from "../cri/channel.ts";
import { rpcRules } from "../cri/rpc-rules.ts";
import { GatewayError } from "../errors.ts";
import type { Rpc } from "../gen/methods.ts";
import { type Interceptor, only } from "./compose.ts";

const lists = (Object.keys(rpcRules) as Rpc[]).filter((rpc) => rpcRules[rpc].grows);

/** A list takes the runtime about ten milliseconds, so 8 at a time keep the gateway busy. */
const defaultLimit = 8;

/** At most 8 concurrent calls of each list RPC. */
export const withListLimit: Interceptor = only(
  ({ grows }) => grows === true,
  (below) => limitLists(below, defaultLimit),
);

/** Limits each list RPC separately to `limit` concurrent calls, so one that hangs does not block others. */
export function limitLists(runtime: Runtime, limit: number): Runtime {
  const slotsOf = new Map<Rpc, Slots>(lists.map((rpc) => [rpc, createSlots(rpc, limit)]));

  async function callIn(slots: Slots, rpc: Rpc, request: Uint8Array, options: CallOptions): Promise<Buffer> {
    const deadlineMs = options.deadlineMs ?? rpcRules[rpc].deadlineMs;
    const call = await slots.enter({ ...options, deadlineMs });
    try {
      return await runtime.call(rpc, request, call.options);
    } finally {
      call.leave();
    }
  }

  async function* streamIn(
    slots: Slots,
    rpc: Rpc,
    request: Uint8Array,
    options: CallOptions,
  ): AsyncGenerator<Buffer> {
    const call = await slots.enter(options);
    try {
      for await (const message of runtime.stream(rpc, request, call.options)) {
        // From now on the reader sets the pace, and a slow one must not block others.
        call.leave();
        yield message;
      }
    } finally {
      call.leave();
    }
  }

  return {
    ...runtime,
    call(rpc, request, options = {}) {
      const slots = slotsOf.get(rpc);
      return slots ? callIn(slots, rpc, request, options) : runtime.call(rpc, request, options);
    },
    stream(rpc, request, options = {}) {
      const slots = slotsOf.get(rpc);
      return slots ? streamIn(slots, rpc, request, options) : runtime.stream(rpc, request, options);
    },
  };
}

/** A call that has a slot. */
interface Entered {
  /** For the call itself: the rest of its deadline, and its cancellation. */
  readonly options: CallOptions;
  /** Frees the slot for the next call. May be called more than once. */
  leave(): void;
}

interface Slots {
  /**
   * Waits for a free slot, in turn with other accounts, and in order of arrival among the calls of its own.
   *
   * @throws {GatewayError} `deadline_exceeded`: when no slot became free in time.
   * @throws {CallCancelled}
   */
  enter(options: CallOptions): Promise<Entered>;
}

function createSlots(rpc: Rpc, limit: number): Slots {
  let free = limit;
  /** By account, the one whose turn it is first. */
  const waiting = new Map<string, Set<() => void>>();

  function leave(): void {
    const [turn] = waiting;
    if (turn === undefined) {
      free++;
      return;
    }
    const [account, queue] = turn;
    const [next] = queue;
    next?.();
    // Behind the others, unless that was its last.
    if (waiting.delete(account)) waiting.set(account, queue);
  }

  function turn(
    account: string,
    { deadlineMs, onCancel }: { deadlineMs: number; onCancel: (cancel: () => void) => void },
  ): Promise<void> {
    return new Promise((resolve, reject) => {
      const settle = (act: () => void): void => {
        clearTimeout(timer);
        if (!queue.delete(begin)) return;
        if (queue.size === 0) waiting.delete(account);
        act();
      };
      const begin = (): void => settle(resolve);
      const queue = waiting.get(account) ?? new Set();
      waiting.set(account, queue.add(begin));
      const timer = Number.isFinite(deadlineMs)
        ? setTimeout(() => settle(() => reject(late(rpc, deadlineMs))), deadlineMs)
        : undefined;
      onCancel(() => settle(() => reject(new CallCancelled(`${rpc}: cancelled by the caller`))));
    });
  }

  return {
    async enter(options) {
      const { onCancel, deadlineMs, ...others } = options;
      let cancelled = false;
      let cancel = (): void => undefined;
      onCancel?.(() => {
        cancelled = true;
        cancel();
      });
      const later = (next: () => void): void => {
        cancel = next;
        if (cancelled) next();
      };
      const begunMs = performance.now();
      if (free > 0) free--;
      else
        await turn(options.account ?? "", {
          deadlineMs: deadlineMs ?? Number.POSITIVE_INFINITY,
          onCancel: later,
        });
      let left = false;
      return {
        options: {
          ...others,
          ...(deadlineMs === undefined ? {} : { deadlineMs: deadlineMs - (performance.now() - begunMs) }),
          onCancel: later,
        },
        leave() {
          if (left) return;
          left = true;
          leave();
        },
      };
    },
  };
}

function late(rpc: Rpc, deadlineMs: number): GatewayError {
  const name = rpc.slice(rpc.indexOf("/") + 1);
  return new GatewayError(
    "deadline_exceeded",
    `${name} failed: other lists kept the runtime busy for ${deadlineMs} ms`,
  );
}

/**
 * Shares one call among identical reads.
 *
 * Invariant: no reader sees an older state than its own call would return. A reader joins only a call that has not
 * begun; while one is running, newcomers share the next. So a client that creates something and then lists always sees
 * it.
 *
 * When its last reader leaves, the call is cancelled. Errors are shared. A reader that waits for its call to begin has
 * its own deadline.
 */
import { CallCancelled } from "../cri/channel.ts";
import { GatewayError } from "../errors.ts";

/** An answer that several readers send. Its memory is freed after the last one releases it. */
export interface Shared<T> {
  readonly value: T;
  release(): void;
}

/** The result of a call. `release` is called once, after every reader has released. */
export interface Produced<T> {
  readonly value: T;
  release(): void;
}

type OnCancel = (cancel: () => void) => void;

export interface ShareOptions {
  /** Readers with the same key share an answer. */
  readonly key: string;
  /** Maximum wait of this reader, in milliseconds. */
  readonly deadlineMs: number;
  /** Called with a function to call when this reader leaves. */
  readonly onCancel: OnCancel;
}

export type Share = <T>(
  options: ShareOptions,
  produce: (onCancel: OnCancel) => Promise<Produced<T>>,
) => Promise<Shared<T>>;

/** Answers of type `T` that are shared. */
interface SharedCall<T> {
  /** Readers that have not left. At 0, the call is cancelled. */
  waiting: number;
  /** All readers so far. Each releases the answer once; one that left does so immediately. */
  joined: number;
  cancel: () => void;
  settled: Promise<Shared<T>>;
}

interface Queue {
  current: SharedCall<unknown>;
  next: SharedCall<unknown> | undefined;
}

type Produce<T> = (onCancel: OnCancel) => Promise<Produced<T>>;

export function createSingleflight(): Share {
  const queues = new Map<string, Queue>();

  /** Returns the call that a new reader may join: one that begins now, or when the current one has settled. */
  function join(key: string, produce: Produce<unknown>): SharedCall<unknown> {
    const queue = queues.get(key);
    if (queue?.next !== undefined) return queue.next;
    const call = { waiting: 0, joined: 0, cancel: () => {} } as SharedCall<unknown>;
    if (queue === undefined) queues.set(key, { current: call, next: undefined });
    else queue.next = call;
    call.settled = perform(key, call, { after: queue?.current.settled, produce });
    call.settled.catch(() => undefined);
    return call;
  }

  async function perform(
    key: string,
    call: SharedCall<unknown>,
    { after, produce }: { readonly after: Promise<unknown> | undefined; readonly produce: Produce<unknown> },
  ): Promise<Shared<unknown>> {
    // Even the first call begins only when its reader has joined.
    await after?.catch(() => undefined);
    try {
      if (call.waiting === 0) throw new CallCancelled("every reader disconnected before the call");
      const produced = await produce((cancel) => {
        call.cancel = cancel;
        // All readers may have left while the call was being prepared.
        if (call.waiting === 0) cancel();
      });
      let readers = call.joined;
      return {
        value: produced.value,
        release() {
          readers--;
          if (readers === 0) produced.release();
        },
      };
    } finally {
      settle(key);
    }
  }

  /** The call of the key that has begun is over. */
  function settle(key: string): void {
    const queue = queues.get(key);
    if (queue?.next === undefined) {
      queues.delete(key);
      return;
    }
    queue.current = queue.next;
    queue.next = undefined;
  }

  return <T>({ key, deadlineMs, onCancel }: ShareOptions, produce: Produce<T>): Promise<Shared<T>> => {
    const isFirst = !queues.has(key);
    const call = join(key, produce);
    call.waiting++;
    call.joined++;
    let state: "waiting" | "left" | "served" = "waiting";
    const leave = (): void => {
      if (state !== "waiting") return;
      state = "left";
      call.waiting--;
      if (call.waiting === 0) call.cancel();
    };
    onCancel(leave);
    const served = (call.settled as Promise<Shared<T>>).then((shared) => {
      if (state === "left") {
        shared.release();
        throw new CallCancelled("this reader disconnected");
      }
      state = "served";
      return shared;
    });
    // A call has its own deadline, but the wait for it to begin does not.
    return isFirst ? served : withDeadline(served, deadlineMs, leave);
  };
}

function withDeadline<T>(promise: Promise<T>, deadlineMs: number, leave: () => void): Promise<T> {
  if (!Number.isFinite(deadlineMs)) return promise;
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      leave();
      reject(new GatewayError("deadline_exceeded", `The runtime did not answer within ${deadlineMs} ms`));
    }, deadlineMs);
    promise.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

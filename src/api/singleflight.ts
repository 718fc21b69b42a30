/**
 * One call for many identical reads, without anyone seeing an older state than their own call would have
 * shown: a flight is only joined before it begins. While one is under way, newcomers wait for the next
 * one together. So who creates and then lists never misses what was created.
 *
 * Leaving is counted: the call behind a flight is cancelled when its last reader has gone. Errors are
 * shared. A reader that waits for its flight keeps a deadline of its own.
 */
import { CallCancelled } from "../cri/channel.ts";
import { GatewayError } from "../errors.ts";

/** An answer that several readers send; its memory goes back when the last of them is done. */
export interface Shared<T> {
  readonly value: T;
  release(): void;
}

/** What a flight produces. `release` is called once, after every reader has released. */
export interface Produced<T> {
  readonly value: T;
  release(): void;
}

type OnCancel = (cancel: () => void) => void;

export interface ShareOptions {
  /** Readers with the same key get the same answer. */
  readonly key: string;
  /** Milliseconds that this reader waits at most. */
  readonly deadlineMs: number;
  /** Called with what to call when this reader has left. */
  readonly onCancel: OnCancel;
}

export type Share = <T>(
  options: ShareOptions,
  produce: (onCancel: OnCancel) => Promise<Produced<T>>,
) => Promise<Shared<T>>;

interface Flight {
  /** Readers that have not left: none, and the call is cancelled. */
  waiting: number;
  /** Readers in all: each of them releases the answer once, one that has left at once. */
  joined: number;
  begun: boolean;
  cancel: () => void;
  readonly begin: () => void;
  readonly landed: Promise<Shared<unknown>>;
}

interface Lane {
  current: Flight;
  next: Flight | undefined;
}

type Produce<T> = (onCancel: OnCancel) => Promise<Produced<T>>;

export function createSingleflight(): Share {
  const lanes = new Map<string, Lane>();

  function createFlight(key: string, produce: Produce<unknown>): Flight {
    let start: () => void = () => {};
    const started = new Promise<void>((resolve) => {
      start = resolve;
    });
    const flight: Flight = {
      waiting: 0,
      joined: 0,
      begun: false,
      cancel: () => {},
      begin() {
        flight.begun = true;
        start();
      },
      landed: started.then(() => fly(flight, produce)).finally(() => land(key, flight)),
    };
    flight.landed.catch(() => undefined);
    return flight;
  }

  /** A flight is over: the one behind it begins. */
  function land(key: string, flight: Flight): void {
    const lane = lanes.get(key);
    if (lane?.current !== flight) return;
    if (lane.next === undefined) {
      lanes.delete(key);
      return;
    }
    lane.current = lane.next;
    lane.next = undefined;
    lane.current.begin();
  }

  /** The flight that a reader who arrives now may join. */
  function boarding(key: string, produce: Produce<unknown>): Flight {
    const lane = lanes.get(key);
    if (lane !== undefined) {
      lane.next ??= createFlight(key, produce);
      return lane.next;
    }
    const flight = createFlight(key, produce);
    lanes.set(key, { current: flight, next: undefined });
    flight.begin();
    return flight;
  }

  return <T>({ key, deadlineMs, onCancel }: ShareOptions, produce: Produce<T>): Promise<Shared<T>> => {
    const flight = boarding(key, produce);
    flight.waiting++;
    flight.joined++;
    let state: "waiting" | "left" | "served" = "waiting";
    const leave = (): void => {
      if (state !== "waiting") return;
      state = "left";
      flight.waiting--;
      if (flight.waiting === 0) flight.cancel();
    };
    onCancel(leave);
    const served = (flight.landed as Promise<Shared<T>>).then((shared) => {
      if (state === "left") {
        shared.release();
        throw new CallCancelled("this reader has left");
      }
      state = "served";
      return shared;
    });
    // The call itself ends by its own deadline; who waits for it to begin has one too.
    return flight.begun ? served : withDeadline(served, deadlineMs, leave);
  };
}

async function fly(flight: Flight, produce: Produce<unknown>): Promise<Shared<unknown>> {
  if (flight.waiting === 0) throw new CallCancelled("every reader left before the call");
  const produced = await produce((cancel) => {
    flight.cancel = cancel;
    // They may have left since, while the call was being prepared.
    if (flight.waiting === 0) cancel();
  });
  let readers = flight.joined;
  return {
    value: produced.value,
    release() {
      readers--;
      if (readers === 0) produced.release();
    },
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

/**
 * Limits the memory of answers that wait for their readers.
 *
 * A client that reads slowly, or not at all, keeps its answer in memory, and one caller can have many such clients. So
 * each answer counts from before the runtime is called until its response has closed. A request without room is refused
 * before it does anything, so that it is safe to retry.
 */
import { CallCancelled } from "../cri/channel.ts";
import { GatewayError } from "../errors.ts";
import { Tally } from "../limits/tally.ts";
import type { Written } from "../wire/write-json.ts";

export interface OutputBudget {
  /** Reserves `bytes` for an answer. @throws {GatewayError} overloaded: if there is no room. */
  reserve(caller: string, bytes: number): Reservation;
  /**
   * Waits up to `waitMs` for room for an answer of about `bytes`, beside the other expected ones. Expected bytes take
   * no room from `reserve`; they count once `force` sets the real size. Serves a caller's requests in order of arrival.
   *
   * @throws {GatewayError} overloaded: if there is no room within `waitMs`.
   * @throws {CallCancelled} if the client disconnects first.
   */
  expect(caller: string, bytes: number, options: WaitOptions): Promise<Reservation>;
  /** Bytes currently reserved. */
  readonly heldBytes: number;
}

export interface WaitOptions {
  readonly waitMs: number;
  /** Called once with a function that ends the wait, for when the client disconnects. */
  readonly onCancel: (cancel: () => void) => void;
}

export interface Reservation {
  /**
   * Changes the reservation to `bytes`. An error leaves it unchanged.
   *
   * @throws {GatewayError} overloaded: if there is no room now.
   * @throws {GatewayError} reply_too_large: if it exceeds a caller's limit.
   */
  resize(bytes: number): void;
  /** Like `resize`, but ignores the limits: for the answer of a call that must not be repeated. */
  force(bytes: number): void;
  /** Whether the caller, or all callers together, exceed the limit after `force`. */
  readonly isOver: boolean;
  /** Ends the reservation. Idempotent. */
  release(): void;
}

/** Bytes reserved for a request while the runtime works on it. */
export const requestBytes = 16 * 1024;

/** Creates a budget of `limitBytes` for all answers. Each caller may use half. */
export function createOutputBudget(limitBytes: number): OutputBudget {
  const callerLimitBytes = Math.floor(limitBytes / 2);
  const held = new Tally();
  const expected = new Tally();
  /** In order of arrival. */
  const waiting = new Set<{ readonly caller: string; look(): void }>();

  function change(tally: Tally, caller: string, bytes: number): void {
    tally.add(caller, bytes);
    if (bytes < 0) for (const { look } of waiting) look();
  }

  /** The reason to refuse a caller `more` bytes beside those held, and those of `other`; undefined if there is room. */
  function refusal(caller: string, more: number, other?: Tally): GatewayError | undefined {
    if (more <= 0) return undefined;
    const ofCaller = held.of(caller) + (other?.of(caller) ?? 0);
    const ofAll = held.total + (other?.total ?? 0);
    if (ofCaller + more > callerLimitBytes) return overloaded(ofCaller, callerLimitBytes, "each caller");
    if (ofAll + more > limitBytes) return overloaded(ofAll, limitBytes, "all callers");
    return undefined;
  }

  /** @throws {GatewayError} overloaded */
  function check(caller: string, more: number): void {
    const error = refusal(caller, more);
    if (error) throw error;
  }

  function take(tally: Tally, caller: string, bytes: number): Reservation {
    change(tally, caller, bytes);
    let current = { tally, bytes };
    let released = false;
    const force = (next: number): void => {
      if (released) return;
      const before = current;
      current = { tally: held, bytes: next };
      change(held, caller, next);
      change(before.tally, caller, -before.bytes);
    };
    return {
      force,
      get isOver() {
        return held.total > limitBytes || held.of(caller) > callerLimitBytes;
      },
      resize(next) {
        if (next > callerLimitBytes) throw tooLarge(next, callerLimitBytes);
        check(caller, next - (current.tally === held ? current.bytes : 0));
        force(next);
      },
      release() {
        force(0);
        released = true;
      },
    };
  }

  function wait(caller: string, bytes: number, { waitMs, onCancel }: WaitOptions): Promise<Reservation> {
    return new Promise((resolve, reject) => {
      const end = (act: () => void): void => {
        clearTimeout(timer);
        if (waiting.delete(waiter)) act();
      };
      const waiter = {
        caller,
        look(): void {
          if (refusal(caller, bytes, expected)) return;
          end(() => resolve(take(expected, caller, bytes)));
        },
      };
      const timer = setTimeout(() => {
        waiter.look();
        end(() => reject(refusal(caller, bytes, expected)));
      }, waitMs);
      waiting.add(waiter);
      onCancel(() => end(() => reject(new CallCancelled("the client disconnected before there was room"))));
    });
  }

  return {
    get heldBytes() {
      return held.total;
    },
    reserve(caller, bytes) {
      check(caller, bytes);
      return take(held, caller, bytes);
    },
    async expect(caller, bytes, options) {
      const isBehind = [...waiting].some((waiter) => waiter.caller === caller);
      if (isBehind || refusal(caller, bytes, expected)) return wait(caller, bytes, options);
      return take(expected, caller, bytes);
    },
  };
}

/**
 * Runs `write` with a reservation, which counts the output until it is released.
 *
 * @throws {GatewayError} overloaded: before or after `write`.
 * @throws {GatewayError} reply_too_large: if the output exceeds a caller's limit.
 */
export async function writeWithin(
  budget: OutputBudget,
  caller: string,
  write: () => Promise<Written>,
): Promise<Written> {
  const room = budget.reserve(caller, requestBytes);
  try {
    const written = await write();
    try {
      room.resize(written.heldBytes);
    } catch (error) {
      written.release();
      throw error;
    }
    const release = (): void => {
      written.release();
      room.release();
    };
    return { ...written, release };
  } catch (error) {
    room.release();
    throw error;
  }
}

function overloaded(bytes: number, limitBytes: number, whose: string): GatewayError {
  return new GatewayError(
    "overloaded",
    `Cannot accept the request now: answers use ${mebibytes(bytes)} of memory, the limit is ${mebibytes(limitBytes)} for ${whose} (--max-buffer)`,
    { headers: { "retry-after": "1" } },
  );
}

function tooLarge(bytes: number, limitBytes: number): GatewayError {
  return new GatewayError(
    "reply_too_large",
    `Cannot send the answer: it takes ${mebibytes(bytes)} of memory, the limit is ${mebibytes(limitBytes)} for each caller, half of --max-buffer`,
  );
}

const mebibytes = (bytes: number): string => `${Math.ceil(bytes / 1024 / 1024)} MiB`;

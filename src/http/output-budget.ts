/**
 * Bounds the memory of answers that wait for their readers.
 *
 * A client that reads slowly, or not at all, keeps its answer in memory, and one caller can have many such
 * clients. So each answer is counted from before the runtime is asked until its response has closed. A request
 * for which there is no room is refused before it does anything, so that it may be sent again.
 */
import { GatewayError } from "../errors.ts";
import type { Written } from "../wire/write-json.ts";

export interface OutputBudget {
  /**
   * Reserves `bytes` for an answer whose size is not known yet.
   *
   * @throws {GatewayError} `overloaded`
   */
  reserve(caller: string, bytes: number): Reservation;
  /** Bytes that are reserved now. */
  readonly heldBytes: number;
}

export interface Reservation {
  /**
   * Reserves `bytes` instead. After an error the reservation is as before.
   *
   * @throws {GatewayError} `overloaded`; `reply_too_large` for more than a caller may ever have.
   */
  resize(bytes: number): void;
  /** As `resize`, but over the limits too: for the answer of a call that must not be made again. */
  force(bytes: number): void;
  /** Whether the caller, or all callers together, have more than the limit: after `force`. */
  readonly isOver: boolean;
  /** Ends the reservation. May be called again. */
  release(): void;
}

/** What a request takes while the runtime works on it. */
export const requestBytes = 16 * 1024;

/** A budget of `limitBytes` for all answers, of which each caller may have half. */
export function createOutputBudget(limitBytes: number): OutputBudget {
  const callerLimitBytes = Math.floor(limitBytes / 2);
  const heldByCaller = new Map<string, number>();
  let heldBytes = 0;

  function add(caller: string, bytes: number): void {
    heldBytes += bytes;
    const held = (heldByCaller.get(caller) ?? 0) + bytes;
    if (held === 0) heldByCaller.delete(caller);
    else heldByCaller.set(caller, held);
  }

  function check(caller: string, more: number): void {
    const held = heldByCaller.get(caller) ?? 0;
    if (more > 0 && held + more > callerLimitBytes) {
      throw overloaded(held, `${mebibytes(callerLimitBytes)} for each caller`);
    }
    if (more > 0 && heldBytes + more > limitBytes) {
      throw overloaded(heldBytes, `${mebibytes(limitBytes)} for all callers`);
    }
  }

  return {
    get heldBytes() {
      return heldBytes;
    },
    reserve(caller, bytes) {
      check(caller, bytes);
      add(caller, bytes);
      let reserved = bytes;
      let released = false;
      const force = (next: number): void => {
        if (released) return;
        add(caller, next - reserved);
        reserved = next;
      };
      return {
        force,
        get isOver() {
          return heldBytes > limitBytes || (heldByCaller.get(caller) ?? 0) > callerLimitBytes;
        },
        resize(next) {
          if (next > callerLimitBytes) throw tooLarge(next, callerLimitBytes);
          check(caller, next - reserved);
          force(next);
        },
        release() {
          force(0);
          released = true;
        },
      };
    },
  };
}

/**
 * Runs `write` with a reservation, and counts what it has written until that is released.
 *
 * @throws {GatewayError} `overloaded`, before or after `write`; `reply_too_large`.
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

function overloaded(heldBytes: number, limit: string): GatewayError {
  return new GatewayError(
    "overloaded",
    `Cannot take the request now: ${mebibytes(heldBytes)} of answers wait for their readers, the limit is ${limit} (--max-buffer)`,
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

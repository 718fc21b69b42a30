/** Reads the members of a list one by one, when one unreadable member breaks the whole list. */

import type { CallOptions, FailedMember } from "../cri/channel.ts";
import { GatewayError } from "../errors.ts";
import type { Countdown } from "./countdown.ts";

export interface ReadEachOptions {
  /** How many are read concurrently. */
  readonly width: number;
  readonly left: Countdown;
  readonly onFailedMember: ((member: FailedMember) => void) | undefined;
}

/** Time limit per member, in milliseconds, so that one that never answers does not block the others. */
const memberMs = 5000;

/** Errors for a member that has stopped or disappeared since its id was listed. */
const hasGone = /not in ready state|not running|No such container|does not exist|not found/i;

/**
 * Calls `read` for each id and returns the results in no particular order. Omits members that are gone (`undefined`, or
 * an error that says so). Reports members that fail.
 *
 * @throws {GatewayError} When the runtime is gone or the time is up. {CallCancelled}
 */
export async function readEach<T>(
  ids: readonly string[],
  read: (id: string, options: CallOptions) => Promise<T | undefined>,
  { width, left, onFailedMember }: ReadEachOptions,
): Promise<readonly T[]> {
  const waiting = [...ids];
  const found: T[] = [];
  const worker = async (): Promise<void> => {
    for (let id = waiting.pop(); id !== undefined; id = waiting.pop()) {
      const options = left();
      try {
        const member = await read(id, { ...options, deadlineMs: Math.min(options.deadlineMs, memberMs) });
        if (member !== undefined) found.push(member);
      } catch (error) {
        const failure = failureOf(error, left);
        if (failure === undefined) {
          waiting.length = 0;
          throw error;
        }
        if (failure !== "gone") onFailedMember?.({ id, ...failure });
      }
    }
  };
  await Promise.all(Array.from({ length: width }, worker));
  return found;
}

/** Why a member failed; undefined if nothing more can be read. */
function failureOf(error: unknown, left: Countdown): Omit<FailedMember, "id"> | "gone" | undefined {
  if (!(error instanceof GatewayError)) return undefined;
  const { code, message: detail, words } = error;
  if (code === "not_found" || hasGone.test(words)) return "gone";
  if (code === "runtime_unavailable") return undefined;
  if (code === "deadline_exceeded" && left().deadlineMs <= 0) return undefined;
  return { code, detail };
}

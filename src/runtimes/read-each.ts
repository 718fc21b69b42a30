/** Reads the members of a list one by one, where one that cannot be read spoils the whole list. */

import type { CallOptions, FailedMember } from "../cri/channel.ts";
import { GatewayError } from "../errors.ts";
import type { Countdown } from "./countdown.ts";

export interface ReadEachOptions {
  /** How many are read at the same time. */
  readonly width: number;
  readonly left: Countdown;
  readonly onFailedMember: ((member: FailedMember) => void) | undefined;
}

/** What one member may take, in milliseconds: one that never answers shall not take the others with it. */
const memberMs = 5000;

/** How runtimes say that a member has stopped or gone since its id was listed. */
const hasGone = /not in ready state|not running|No such container|does not exist|not found/i;

/**
 * What `read` answers for each id, in no order; without the members that have gone meanwhile (`undefined`, or an
 * error that says so). Members that fail are reported.
 *
 * @throws {GatewayError} when the runtime has gone or the time is over. {CallCancelled}
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

/** Why a member failed; undefined when nothing more can be read. */
function failureOf(error: unknown, left: Countdown): Omit<FailedMember, "id"> | "gone" | undefined {
  if (!(error instanceof GatewayError)) return undefined;
  const { code, message: detail, words } = error;
  if (code === "not_found" || hasGone.test(words)) return "gone";
  if (code === "runtime_unavailable") return undefined;
  if (code === "deadline_exceeded" && left().deadlineMs <= 0) return undefined;
  return { code, detail };
}

/** A pull as the API shows it. */
import { type Caller, canUse } from "../access/authorize.ts";
import { GatewayError } from "../errors.ts";
import type { Pull } from "../pulls/pull-registry.ts";
import type { AnswerOf } from "../routes/answers.ts";
import { problemOf } from "../server/problems.ts";
import type { Gateway } from "./gateway.ts";

export function pullAnswer(pull: Pull): AnswerOf<"getPull"> {
  const { id, image, startedAt, endedAt, callers, detached, error, progress } = pull;
  return {
    id,
    image,
    ...progress,
    callers,
    detached,
    startedAt: nanosecondsOf(startedAt),
    ...(endedAt === undefined ? {} : { finishedAt: nanosecondsOf(endedAt) }),
    ...(error === undefined ? {} : { error: problemOf(error) }),
  };
}

const nanosecondsOf = (time: Date): string => `${time.getTime()}000000`;

/** The pulls that a caller may see: those of references that it may pull itself. */
export function visiblePulls({ pulls }: Gateway, caller: Caller): readonly Pull[] {
  return pulls.list().filter(({ reference }) => canUse("pull", caller, reference));
}

/** @throws {GatewayError} `not_found`, also for a pull that the caller may not see. */
export function visiblePull({ pulls }: Gateway, caller: Caller, id: string): Pull {
  const pull = pulls.find(id);
  if (pull !== undefined && canUse("pull", caller, pull.reference)) return pull;
  throw new GatewayError(
    "not_found",
    `Cannot find pull "${id}": it ended a while ago or never existed. GET /v1/pulls lists the pulls that you may see`,
  );
}

/**
 * A caller may cancel what only it has asked for; the operator, any pull. One that has ended can be cancelled by all,
 * because that changes nothing.
 *
 * @throws {GatewayError} conflict
 */
export function requireOwnPull({ id, askedBy, endedAt }: Pull, caller: Caller): void {
  if (caller.by === undefined || endedAt !== undefined) return;
  if (askedBy.size === 1 && askedBy.has(caller.name)) return;
  throw new GatewayError("conflict", `Cannot cancel pull "${id}": another caller has asked for it`);
}

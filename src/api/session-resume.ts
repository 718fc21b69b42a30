/** Clients that come back to a kept session. */
import type { ResumeRoute } from "../routes/define.ts";
import { channelCodec } from "../streaming/channels.ts";
import { invalid } from "./bind.ts";
import type { RequestContext } from "./context.ts";
import type { PlanOptions, SessionPlan } from "./session-plan.ts";

/**
 * Finds the session among those of the caller, and the container that decides whether it may go on.
 *
 * @throws {GatewayError} not_found: if the caller has no such session.
 * @throws {GatewayError} invalid_request: for output that the session does not have.
 */
export function bindResume(
  { bound, caller }: RequestContext<ResumeRoute>,
  { gateway, subprotocol }: PlanOptions,
): SessionPlan {
  const { keptSessions } = gateway;
  const session = keptSessions.own(caller, String(bound.message.sessionId));
  const from = Number(bound.gatewayParams.from);
  if (from > session.output) {
    const detail = `must be at most ${session.output}, which is all the output so far, got ${from}`;
    throw invalid([{ parameter: "from", detail }]);
  }
  bound.message.containerId = session.containerId;
  return {
    // The session has its place.
    places: 0,
    open: async () => ({
      close: () => undefined,
      begin(socket, peer) {
        keptSessions.renew(session.id, caller);
        return session.connect(socket, { codec: channelCodec(subprotocol), peer, from });
      },
    }),
  };
}

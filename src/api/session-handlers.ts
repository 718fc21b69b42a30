/** The sessions that are kept for a caller. */
import type { AnswerOf } from "../routes/answers.ts";
import type { CustomRouteId } from "../routes/index.ts";
import { closeCode } from "../streaming/socket.ts";
import type { CustomHandler } from "./custom.ts";
import { inputOf } from "./input.ts";
import type { OwnedSession } from "./kept-sessions.ts";

type SessionRouteId = Extract<CustomRouteId, "listSessions" | "endSession">;

export const sessionHandlers: { readonly [Id in SessionRouteId]: CustomHandler<AnswerOf<Id>> } = {
  listSessions: async ({ caller }, { keptSessions }) => ({
    sessions: keptSessions.visibleTo(caller).map(entryOf),
  }),

  endSession: async ({ bound, caller }, { keptSessions }) => {
    const { sessionId } = inputOf("endSession", bound);
    const found = keptSessions.visible(caller, sessionId);
    const entry = entryOf(found);
    found.session.end(closeCode.ended, "the session was ended by request");
    return entry;
  },
};

const timeOf = (ms: number | undefined): string | undefined =>
  ms === undefined ? undefined : new Date(ms).toISOString();

function entryOf({ session, owner }: OwnedSession): AnswerOf<"endSession"> {
  const { id, type, containerId, streams, output, input, begunAtMs, lostAtMs, endsAtMs, hasExited } = session;
  return {
    id,
    type,
    containerId,
    caller: owner.name,
    stdin: streams.stdin,
    tty: streams.tty,
    begun: new Date(begunAtMs).toISOString(),
    connected: lostAtMs === undefined,
    lost: timeOf(lostAtMs),
    ends: timeOf(endsAtMs),
    exited: hasExited,
    input,
    output,
  };
}

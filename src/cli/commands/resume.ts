/** `crest resume` */
import { StartError } from "../../errors.ts";
import type { Run } from "../context.ts";
import { defaultDetachKeys, parseDetachKeys } from "../interactive/detach-keys.ts";
import { endOfSession } from "../interactive/end-of-session.ts";
import { connectTerminal } from "../interactive/session.ts";
import { note } from "../terminal.ts";

export const run: Run<"resume"> = async (ctx) => {
  const { flags, operands, signal, stdin, stderr } = ctx;
  const [sessionId = ""] = operands;
  const detachKeys = parseDetachKeys(flags["detach-keys"] ?? defaultDetachKeys);
  const { crest } = await ctx.connect({ sessions: true });
  const open = (options: object) => crest.resumeSession({ sessionId }, options);
  if (flags["show-curl"]) await open({ signal });
  const { sessions } = await crest.listSessions({}, { signal });
  const found = sessions.find(({ id }) => id === sessionId);
  const { tty = false, stdin: input = false } = found ?? {};
  if (tty && input && stdin.isTTY !== true)
    throw new StartError(
      "The session has a terminal, but the input is a pipe or a file: resume it from a terminal",
    );
  const end = await connectTerminal(open, ctx, {
    input,
    tty,
    detachKeys,
    async begin({ kept }) {
      const lost = kept?.lostBytes ?? 0;
      if (lost > 0 && !tty) await note(stderr, `${lost} bytes of earlier output are no longer kept`);
    },
  });
  return endOfSession(end, stderr);
};

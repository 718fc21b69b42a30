/** `crest exec` */
import { StartError } from "../../errors.ts";
import { quote } from "../../shell.ts";
import type { CommandContext, Run } from "../context.ts";
import { defaultDetachKeys, parseDetachKeys } from "../interactive/detach-keys.ts";
import { endOfSession } from "../interactive/end-of-session.ts";
import { connectTerminal, requireTerminal } from "../interactive/session.ts";
import { explainStart } from "../interactive/start-failure.ts";
import { readSeconds } from "../read-seconds.ts";
import { write } from "../terminal.ts";

export const run: Run<"exec"> = async (ctx) => {
  const { flags, operands, commandLine } = ctx;
  const [containerId = ""] = operands;
  const { interactive, tty, sync } = flags;
  if (sync && (interactive || tty))
    throw new StartError("--sync: does not go with -i or -t, which need a session, write one of them");
  if (!sync && flags.timeout !== undefined)
    throw new StartError(`--timeout=${flags.timeout}: only with --sync, write --sync --timeout=SECONDS`);
  try {
    return sync ? await waitFor(ctx, containerId) : await begin(ctx, containerId);
  } catch (error) {
    throw explainStart(error, commandLine[0] ?? "");
  }
};

/** In a session. */
async function begin(ctx: CommandContext<"exec">, containerId: string): Promise<number> {
  const { flags, commandLine: command } = ctx;
  const { interactive: input, tty } = flags;
  if (tty) {
    const words = ["crest exec", ...(input ? ["-i"] : []), containerId, "--", ...command.slice(0, 8)];
    requireTerminal(ctx, {
      input,
      without: words.map((word, i) => (i === 0 ? word : quote(word))).join(" "),
    });
  }
  const detachKeys = parseDetachKeys(flags["detach-keys"] ?? defaultDetachKeys);
  const { crest } = await ctx.connect({ sessions: true });
  const parameters = { containerId, command, stdin: input || undefined, tty: tty || undefined };
  const end = await connectTerminal(
    (options) => crest.exec({ ...parameters, session: "keep" }, options),
    ctx,
    { input, tty, detachKeys },
  );
  return endOfSession(end, ctx.stderr);
}

/** In one request. */
async function waitFor(ctx: CommandContext<"exec">, containerId: string): Promise<number> {
  const { flags, commandLine: cmd, signal, stdout, stderr } = ctx;
  const timeout = flags.timeout === undefined ? undefined : readSeconds("--timeout", flags.timeout);
  const { crest } = await ctx.connect();
  const answer = await crest.execSync(
    {
      containerId,
      encoding: "base64",
      body: { cmd, ...(timeout === undefined ? {} : { timeout: String(timeout) }) },
    },
    { signal },
  );
  await write(stdout, Buffer.from(answer.stdout, "base64"));
  await write(stderr, Buffer.from(answer.stderr, "base64"));
  return answer.exitCode;
}

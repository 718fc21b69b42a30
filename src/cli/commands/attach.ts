/** `crest attach` */
import { type Client, CrestError } from "../../client/index.ts";
import { printable } from "../../printable.ts";
import { quote } from "../../shell.ts";
import type { Run } from "../context.ts";
import { defaultDetachKeys, parseDetachKeys } from "../interactive/detach-keys.ts";
import { connectTerminal, requireTerminal } from "../interactive/session.ts";

export const run: Run<"attach"> = async (ctx) => {
  const { flags, operands, signal, stdin, stderr } = ctx;
  const [containerId = ""] = operands;
  const detachKeys = parseDetachKeys(flags["detach-keys"] ?? defaultDetachKeys);
  if (flags.tty)
    requireTerminal(ctx, {
      input: flags.interactive,
      without: `crest attach ${flags.interactive ? "-i " : ""}${quote(containerId)}`,
    });
  const { crest } = await ctx.connect({ sessions: true });
  const isChosen = flags.interactive || flags.tty || flags["show-curl"];
  const found = isChosen ? undefined : await streamsOf(crest, containerId, signal);
  const input = flags.interactive || (found?.stdin === true && stdin.isTTY === true);
  const tty = flags.tty || found?.tty === true;
  const parameters = { containerId, stdin: input || undefined, tty: tty || undefined };
  const end = await connectTerminal(
    (options) => crest.attach({ ...parameters, session: "keep" }, options),
    ctx,
    { input, tty, detachKeys, detach: (session) => session.close() },
  );
  if ("exitCode" in end) return end.exitCode;
  const again = `crest attach ${tty ? "-it" : "-i"} ${quote(containerId)}`;
  stderr.write(`\r\nDetached; the container goes on. Come back with ${printable(again)}\n`);
  return 0;
};

interface Streams {
  readonly stdin: boolean;
  readonly tty: boolean;
}

/** What the container was created with; undefined where the runtime does not tell, or the caller may not ask. */
async function streamsOf(
  crest: Client,
  containerId: string,
  signal: AbortSignal,
): Promise<Streams | undefined> {
  try {
    const { info } = await crest.getContainer({ containerId, verbose: true }, { signal });
    const { config } = JSON.parse(info?.info ?? "{}") as { readonly config?: Partial<Streams> };
    return { stdin: config?.stdin === true, tty: config?.tty === true };
  } catch (error) {
    if (error instanceof CrestError && error.code !== "not_capable") throw error;
    return undefined;
  }
}

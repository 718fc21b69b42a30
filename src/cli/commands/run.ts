/** `crest run` */
import { setTimeout as delay } from "node:timers/promises";
import { type Client, CrestError, type RunAnswer } from "../../client/index.ts";
import { environment } from "../../config/environment.ts";
import { StartError } from "../../errors.ts";
import { quote } from "../../shell.ts";
import type { CommandContext, Run } from "../context.ts";
import { defaultDetachKeys, parseDetachKeys } from "../interactive/detach-keys.ts";
import { sendInput } from "../interactive/input.ts";
import { connectTerminal, redraw, requireTerminal, sizeOf } from "../interactive/session.ts";
import { explainStart } from "../interactive/start-failure.ts";
import { pullProgress } from "../output/pull-progress.ts";
import { pullImage } from "../pull-image.ts";
import { readLog, writeFrom } from "../run/earlier-output.ts";
import { followOutput } from "../run/follow-output.ts";
import { runBody } from "../run/run-body.ts";
import { note, write } from "../terminal.ts";

type Context = CommandContext<"run">;

export const run: Run<"run"> = async (ctx) => {
  const { flags, operands, commandLine, stdout, signal } = ctx;
  const [image = ""] = operands;
  checkFlags(ctx, image);
  const detachKeys = parseDetachKeys(flags["detach-keys"] ?? defaultDetachKeys);
  const body = runBody(flags, image, commandLine, { env: environment });
  const { crest } = await ctx.connect({ sessions: flags.interactive || flags.tty });
  const pull = (flags.pull ?? "missing") as "missing" | "always" | "never";
  if (!flags["show-curl"]) await pullFirst(ctx, crest, image, pull);
  let made: RunAnswer;
  try {
    made = await crest.run({ body: { ...body, pull: pull === "always" ? "missing" : pull } }, { signal });
  } catch (error) {
    throw explainStart(error, flags.entrypoint ?? commandLine[0] ?? image);
  }
  if (flags.detach) {
    await write(stdout, `${made.containerId}\n`);
    return 0;
  }
  return attached(ctx, crest, made, detachKeys);
};

/** @throws {StartError} */
function checkFlags(ctx: Context, image: string): void {
  const { flags } = ctx;
  const { interactive, tty, detach } = flags;
  if (detach && flags.rm)
    throw new StartError(
      "--rm and -d: nobody waits for the end to remove the pod, write one of them; crest prune removes what has ended",
    );
  if (tty && !detach)
    requireTerminal(ctx, {
      input: interactive,
      without: `crest run ${interactive ? "-i " : ""}${quote(image)}`,
    });
}

/** Shows the progress of a pull that the run would make unseen. Whatever else is wrong, the run says. */
async function pullFirst(
  { stderr, signal }: Context,
  crest: Client,
  image: string,
  policy: "missing" | "always" | "never",
): Promise<void> {
  if (policy === "never") return;
  if (policy === "missing") {
    const isMissing = await crest.getImage({ image }, { signal }).then(
      () => false,
      (error: unknown) => error instanceof CrestError && /^(image_)?not_found$/.test(error.code),
    );
    if (!isMissing) return;
  }
  const progress = pullProgress(stderr);
  try {
    await pullImage(crest, image, { progress, signal });
  } finally {
    progress.clear();
  }
}

/** Shows the output until the end. With `--rm`, nothing is left of the pod, however it ends. */
async function attached(
  ctx: Context,
  crest: Client,
  made: RunAnswer,
  detachKeys: Uint8Array,
): Promise<number> {
  const { flags, signal, stderr } = ctx;
  let isLeft = false;
  try {
    const exitCode = flags.tty
      ? await inTerminal(ctx, crest, made, detachKeys)
      : await throughPipes(ctx, crest, made);
    isLeft = exitCode === undefined;
    return exitCode ?? 0;
  } finally {
    if (signal.aborted && (flags.rm || !flags.tty)) await stop(ctx, crest, made);
    if (flags.rm && !isLeft) await remove(ctx, crest, made);
    if (isLeft) {
      const removal = flags.rm
        ? `; crest rmp -f ${made.podSandboxId.slice(0, 13)} removes it, as --rm no longer does`
        : "";
      const back = `crest attach -it ${quote(made.name)}`;
      stderr.write("\r\n");
      await note(stderr, `Detached; ${made.name} goes on. Come back with ${back}${removal}`);
    }
  }
}

/** A session that fails with these may only have come too late. */
const tooLate: ReadonlySet<string> = new Set(["not_running", "session_failed", "pod_not_ready"]);
/** containerd answers slightly before it forwards output; what comes meanwhile is in the log. In milliseconds. */
const settleMs = 50;

/** Returns the exit code; undefined if the user has left it. */
async function inTerminal(
  ctx: Context,
  crest: Client,
  { containerId }: RunAnswer,
  detachKeys: Uint8Array,
): Promise<number | undefined> {
  const { flags, signal, stdout, stderr } = ctx;
  const input = flags.interactive;
  let isShown = false;
  try {
    const end = await connectTerminal(
      (options) =>
        crest.attach({ containerId, tty: true, stdin: input || undefined, session: "keep" }, options),
      ctx,
      {
        input,
        tty: true,
        detachKeys,
        detach: (session) => session.close(),
        async copyOutput(session) {
          const log = delay(settleMs).then(() => readLog(crest, containerId, signal));
          await writeFrom(log, session.stdout, {
            stdout,
            caughtUp() {
              isShown = true;
              // What was written before is drawn again: a shell's prompt.
              redraw(session, sizeOf(stdout, stderr));
            },
          });
        },
      },
    );
    return "exitCode" in end ? end.exitCode : undefined;
  } catch (error) {
    if (signal.aborted || !(error instanceof CrestError) || !tooLate.has(error.code)) throw error;
    const { exited, exitCode } = await crest.waitContainer({ containerId, timeout: 10 }, { signal }).answer();
    if (!exited) throw error;
    if (!isShown) await write(stdout, await readLog(crest, containerId, signal));
    return exitCode ?? 0;
  }
}

async function throughPipes(ctx: Context, crest: Client, { containerId }: RunAnswer): Promise<number> {
  const { flags, stdin, signal } = ctx;
  const stopInput = flags.interactive ? await feed(ctx, crest, containerId) : () => undefined;
  try {
    await followOutput(crest, containerId, ctx);
    return await exitCodeOf(crest, containerId, signal);
  } finally {
    stopInput();
    stdin.pause();
  }
}

/** Sends the input. The output comes from the log, which has all of it. */
async function feed(
  { stdin, stderr, signal }: Context,
  crest: Client,
  containerId: string,
): Promise<() => void> {
  const ended = (error: unknown): undefined => {
    if (error instanceof CrestError && error.code === "not_running") return undefined;
    throw error;
  };
  const session = await crest
    .attach({ containerId, stdin: true, stdout: false, stderr: true }, { signal })
    .catch(ended);
  if (session === undefined) return () => undefined;
  // It is in the log as well.
  void (async () => {
    for await (const _bytes of session.stderr);
  })().catch(() => undefined);
  const stop = sendInput(stdin, session.stdin, {
    failed: (error) => void note(stderr, `Cannot read the input: ${error.message}`).catch(() => undefined),
  });
  return () => {
    stop();
    session.close();
  };
}

async function exitCodeOf(crest: Client, containerId: string, signal: AbortSignal): Promise<number> {
  for (;;) {
    const { exited, exitCode } = await crest
      .waitContainer({ containerId, timeout: 3600 }, { signal })
      .answer();
    if (exited) return exitCode ?? 0;
  }
}

/** After Ctrl-C. The second one ends the process. */
async function stop({ stderr }: Context, crest: Client, { containerId, name }: RunAnswer): Promise<void> {
  await note(stderr, `Stopping ${name}`).catch(() => undefined);
  await crest.stopContainer({ containerId, timeout: "10" }).catch(async (error: unknown) => {
    if (error instanceof CrestError) await note(stderr, error.message).catch(() => undefined);
    else throw error;
  });
}

async function remove({ stderr }: Context, crest: Client, made: RunAnswer): Promise<void> {
  const { podSandboxId, name } = made;
  await crest.removePod({ podSandboxId }).catch(async (error: unknown) => {
    if (!(error instanceof CrestError)) throw error;
    if (error.code === "not_found") return;
    await note(stderr, `The pod ${name} is left: ${error.message}`);
  });
}

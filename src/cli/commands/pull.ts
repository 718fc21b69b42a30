/** `crest pull` */
import type { AuthConfig, Client, Pull } from "../../client/index.ts";
import { StartError } from "../../errors.ts";
import type { CommandContext, Run } from "../context.ts";
import { pullProgress } from "../output/pull-progress.ts";
import { pullImage } from "../pull-image.ts";
import { forEach } from "./each.ts";
import { registryLogin } from "./registry-login.ts";

export const run: Run<"pull"> = async (ctx) => {
  const { flags, operands, stderr, signal } = ctx;
  if (flags.cancel) {
    if (flags.detach) throw new StartError("--cancel and --detach: write one of them");
    const { crest } = await ctx.connect();
    return cancel(ctx, crest);
  }
  const auth = await registryLogin(ctx, flags);
  const { crest } = await ctx.connect();
  if (flags.detach) return forEach(ctx, operands, (name) => startOnly(crest, name, auth, signal));
  const progress = flags.quiet ? undefined : pullProgress(stderr);
  try {
    return await forEach(
      ctx,
      operands,
      async (name) => [await pullImage(crest, name, { auth, progress, signal })],
      progress?.clear,
    );
  } finally {
    progress?.clear();
  }
};

/** Returns the id of the pull; the reference of the image if there is nothing to pull. */
async function startOnly(
  crest: Client,
  image: string,
  auth: AuthConfig | undefined,
  signal: AbortSignal,
): Promise<readonly string[]> {
  for await (const { progress, result } of crest.pullImage(
    { body: { image: { image }, auth }, detach: true },
    { signal },
  ))
    return [progress?.id ?? result?.imageRef ?? image];
  return [];
}

const isOver = ({ phase }: Pull): boolean => phase === "done" || phase === "failed" || phase === "cancelled";

/** Prints the ids of the pulls that were cancelled. */
async function cancel(ctx: CommandContext<"pull">, crest: Client): Promise<number> {
  const { operands, signal } = ctx;
  const { pulls } = await crest.listPulls({}, { signal });
  return forEach(ctx, operands, async (name) => {
    const ids = pulls.filter((pull) => pull.image === name && !isOver(pull)).map(({ id }) => id);
    const chosen = ids.length > 0 ? ids : [name];
    await Promise.all(chosen.map((pullId) => crest.cancelPull({ pullId }, { signal })));
    return chosen;
  });
}

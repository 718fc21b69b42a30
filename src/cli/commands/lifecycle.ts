/** `crest start`, `crest stop` and `crest stopp` */
import type { Run } from "../context.ts";
import { optionalNumber } from "../numbers.ts";
import { forEach } from "./each.ts";

export const start: Run<"start"> = async (ctx) => {
  const { crest } = await ctx.connect();
  const { signal } = ctx;
  return forEach(ctx, ctx.operands, async (containerId) => {
    await crest.startContainer({ containerId }, { signal });
    return [containerId];
  });
};

export const stop: Run<"stop"> = async (ctx) => {
  const timeout = optionalNumber("--timeout", ctx.flags.timeout)?.toString();
  const { crest } = await ctx.connect();
  const { signal } = ctx;
  return forEach(ctx, ctx.operands, async (containerId) => {
    await crest.stopContainer({ containerId, timeout }, { signal });
    return [containerId];
  });
};

export const stopp: Run<"stopp"> = async (ctx) => {
  const timeout = optionalNumber("--timeout", ctx.flags.timeout);
  const { crest } = await ctx.connect();
  const { signal } = ctx;
  return forEach(ctx, ctx.operands, async (podSandboxId) => {
    await crest.stopPod({ podSandboxId, timeout }, { signal });
    return [podSandboxId];
  });
};

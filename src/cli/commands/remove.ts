/** `crest rm` and `crest rmp` */
import type { Client } from "../../client/index.ts";
import { StartError } from "../../errors.ts";
import type { CommandContext, Run } from "../context.ts";
import { note } from "../terminal.ts";
import { forEach } from "./each.ts";

/** What Crest creates has this label. */
const createdByCrest = "crest/managed=true";

/** Something to remove, as far as that needs to be known. */
interface Removable {
  readonly id: string;
  readonly isRunning: boolean;
}

interface Kind {
  /** `container` */
  readonly noun: string;
  isRunning(name: string): Promise<boolean>;
  all(): Promise<readonly Removable[]>;
  remove(name: string): Promise<void>;
}

export const rm: Run<"rm"> = async (ctx) => {
  const { crest } = await ctx.connect();
  const { signal } = ctx;
  return remove(ctx, {
    noun: "container",
    async isRunning(containerId) {
      const { status } = await crest.getContainer({ containerId }, { signal });
      return status.state === "CONTAINER_RUNNING";
    },
    async all() {
      const pods = ctx.flags.unmanaged ? undefined : new Set((await podsOf(crest, ctx)).map(({ id }) => id));
      const found: Removable[] = [];
      for await (const { id, podSandboxId, state } of crest.listContainers({}, { signal }))
        if (pods === undefined || pods.has(podSandboxId))
          found.push({ id, isRunning: state === "CONTAINER_RUNNING" });
      return found;
    },
    remove: (containerId) => crest.removeContainer({ containerId }, { signal }),
  });
};

export const rmp: Run<"rmp"> = async (ctx) => {
  const { crest } = await ctx.connect();
  const { signal } = ctx;
  return remove(ctx, {
    noun: "pod",
    async isRunning(podSandboxId) {
      const { status } = await crest.getPod({ podSandboxId }, { signal });
      return status.state === "SANDBOX_READY";
    },
    all: () => podsOf(crest, ctx),
    remove: (podSandboxId) => crest.removePod({ podSandboxId }, { signal }),
  });
};

async function podsOf(
  crest: Client,
  { flags, signal }: CommandContext<"rm" | "rmp">,
): Promise<readonly Removable[]> {
  const labelSelector = flags.unmanaged ? undefined : createdByCrest;
  const found: Removable[] = [];
  for await (const { id, state } of crest.listPods({ labelSelector }, { signal }))
    found.push({ id, isRunning: state === "SANDBOX_READY" });
  return found;
}

async function remove(ctx: CommandContext<"rm" | "rmp">, kind: Kind): Promise<number> {
  const { name, flags, operands, stderr } = ctx;
  if (flags.all === operands.length > 0)
    throw new StartError(`crest ${name}: name ${kind.noun}s, or write --all, and not both`);
  if (flags.unmanaged && !flags.all) throw new StartError("--unmanaged: only with --all");
  const isForced = flags.force || flags["show-curl"];
  if (!flags.all)
    return forEach(ctx, operands, async (one) => {
      if (!isForced && (await kind.isRunning(one)))
        throw new StartError(`The ${kind.noun} "${one}" is running: stop it first, or write --force`);
      await kind.remove(one);
      return [one];
    });
  const all = await kind.all();
  const removed = all.filter(({ isRunning }) => flags.force || !isRunning).map(({ id }) => id);
  const code = await forEach(ctx, removed, async (id) => {
    await kind.remove(id);
    return [id];
  });
  const left = all.length - removed.length;
  const nouns = left === 1 ? kind.noun : `${kind.noun}s`;
  if (left > 0) await note(stderr, `${left} running ${nouns} left: --force removes them as well`);
  return code;
}

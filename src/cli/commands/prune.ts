/** `crest prune` */
import type { Client, PruneImagesAnswer, PrunePodsAnswer } from "../../client/index.ts";
import { StartError } from "../../errors.ts";
import { confirm } from "../ask.ts";
import type { CommandContext, Run } from "../context.ts";
import { age } from "../output/age.ts";
import { imageName } from "../output/image-name.ts";
import { printJson } from "../output/json.ts";
import { printTable } from "../output/listing.ts";
import { shortId } from "../output/short-ids.ts";
import { diskSize } from "../output/sizes.ts";
import type { Column } from "../output/table.ts";
import { note, write } from "../terminal.ts";
import { selectorOf } from "./list.ts";

type Ctx = CommandContext<"prune">;

/** Something that can be pruned. */
interface Kind<Item, Answer extends AnyAnswer> {
  readonly one: string;
  readonly many: string;
  /** Flags that only this kind has. */
  readonly flags: readonly (keyof Ctx["flags"])[];
  readonly prune: (crest: Client, ctx: Ctx, dryRun: boolean) => Promise<Answer>;
  readonly itemsOf: (answer: Answer) => readonly (Item & { readonly removed: boolean })[];
  readonly columns: readonly Column<Item>[];
}

type AnyAnswer = Pick<PrunePodsAnswer, "dryRun" | "bytes" | "failures">;

const define = <Item, Answer extends AnyAnswer>(kind: Kind<Item, Answer>) => ({
  ...kind,
  run: (ctx: Ctx, crest: Client): Promise<boolean> => pruneKind(ctx, crest, kind),
});

/** In this order: an image is unused once the pods that used it are gone. */
const kinds = {
  pods: define({
    one: "pod",
    many: "pods",
    flags: ["older-than", "namespace", "label", "unmanaged"],
    prune: (crest, { flags, signal }, dryRun) =>
      crest.prunePods(
        {
          dryRun,
          olderThan: flags["older-than"],
          namespace: flags.namespace,
          labelSelector: selectorOf(flags.label),
          unmanaged: flags.unmanaged || undefined,
        },
        { signal },
      ),
    itemsOf: ({ pods }: PrunePodsAnswer) => pods,
    columns: [
      { title: "POD ID", value: ({ id }) => shortId(id) },
      { title: "POD", value: ({ namespace, name }) => `${namespace}/${name}`, shrinksTo: 13 },
      { title: "AGE", value: ({ createdAt }) => age(Number(createdAt) / 1e6) },
      { title: "CONTAINERS", value: ({ containers }) => String(containers), align: "right" },
      { title: "SIZE", value: ({ bytes }) => (bytes === undefined ? "-" : diskSize(bytes)), align: "right" },
    ],
  }),
  images: define({
    one: "image",
    many: "images",
    flags: ["untagged"],
    prune: (crest, { flags, signal }, dryRun) =>
      crest.pruneImages({ dryRun, untagged: flags.untagged || undefined }, { signal }),
    itemsOf: ({ images }: PruneImagesAnswer) => images,
    columns: [
      {
        title: "IMAGE",
        value: ({ repoTags, repoDigests }) =>
          (repoTags.length > 0 ? repoTags : repoDigests).map(imageName).join(", ") || "-",
        shrinksTo: 20,
      },
      { title: "IMAGE ID", value: ({ id }) => shortId(id) },
      { title: "SIZE", value: ({ bytes }) => diskSize(bytes), align: "right" },
    ],
  }),
};

export const run: Run<"prune"> = async (ctx) => {
  const { operands, flags } = ctx;
  const [wanted] = operands as readonly (keyof typeof kinds | undefined)[];
  for (const kind of Object.values(kinds)) {
    const written = kind.flags.find((name) => isWritten(flags[name]));
    if (written !== undefined && kind.many !== wanted)
      throw new StartError(
        `--${written}: only for ${kind.many}, write crest prune ${kind.many} --${written}`,
      );
  }
  if (flags.output !== undefined && !flags.force && !flags["dry-run"])
    throw new StartError(`-o ${flags.output}: write --dry-run or -f with it`);
  const { crest } = await ctx.connect();
  let isWhole = true;
  for (const kind of wanted === undefined ? Object.values(kinds) : [kinds[wanted]])
    isWhole = (await kind.run(ctx, crest)) && isWhole;
  return isWhole ? 0 : 1;
};

const isWritten = (value: Ctx["flags"][keyof Ctx["flags"]]): boolean =>
  Array.isArray(value) ? value.length > 0 : value !== undefined && value !== false;

/** Returns whether everything was removed that was to be. */
async function pruneKind<Item, Answer extends AnyAnswer>(
  ctx: Ctx,
  crest: Client,
  { many, one, prune, itemsOf, columns }: Kind<Item, Answer>,
): Promise<boolean> {
  const { flags, stdout, stderr } = ctx;
  const count = (items: readonly unknown[]): string => `${items.length} ${items.length === 1 ? one : many}`;
  const print = (items: readonly Item[]): Promise<void> =>
    printTable(stdout, { output: undefined, "no-trunc": flags["no-trunc"] }, columns, items);

  if (!flags.force || flags["dry-run"]) {
    const planned = await prune(crest, ctx, true);
    const items = itemsOf(planned);
    if (flags.output !== undefined) {
      await printJson(planned, stdout);
      return true;
    }
    if (items.length === 0) {
      await write(stdout, `No ${many} to remove\n`);
      return true;
    }
    await print(items);
    if (flags["dry-run"]) {
      await write(stdout, `${count(items)} would be removed, ${diskSize(planned.bytes)}\n`);
      return true;
    }
    const instead = "write -f to remove them, or --dry-run to list them";
    const question = `Remove ${count(items)}, ${diskSize(planned.bytes)}?`;
    if (!(await confirm(ctx, question, instead))) {
      await note(stderr, `No ${many} were removed`);
      return true;
    }
  }
  const answer = await prune(crest, ctx, false);
  const removed = itemsOf(answer).filter((item) => item.removed);
  if (flags.output !== undefined) await printJson(answer, stdout);
  else if (removed.length === 0 && answer.failures.length === 0)
    await write(stdout, `No ${many} to remove\n`);
  else {
    if (flags.force && removed.length > 0) await print(removed);
    await write(stdout, `Removed ${count(removed)}, ${diskSize(answer.bytes)}\n`);
  }
  for (const { id, detail } of answer.failures)
    await note(stderr, `${shortId(id)} was not removed: ${detail}`);
  return answer.failures.length === 0;
}

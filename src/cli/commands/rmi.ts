/** `crest rmi` */
import { CrestError } from "../../client/index.ts";
import { StartError } from "../../errors.ts";
import type { Run } from "../context.ts";
import { forEach } from "./each.ts";

/** Prints the names that were removed; the id of an image without names. */
export const run: Run<"rmi"> = async (ctx) => {
  const { flags, operands, signal } = ctx;
  const ways = [operands.length > 0, flags.all, flags.prune].filter(Boolean).length;
  if (ways !== 1)
    throw new StartError("crest rmi: name images, or write --all or --prune, and only one of them");
  const { crest } = await ctx.connect();
  const dryRun = flags["dry-run"];
  if (flags.prune) {
    const { images, failures } = await crest.pruneImages({ dryRun }, { signal });
    return forEach(ctx, [...images.map(({ id }) => id), ...failures.map(({ id }) => id)], async (id) => {
      const failure = failures.find((one) => one.id === id);
      if (failure !== undefined) throw new CrestError(failure.code, failure.detail);
      const image = images.find((one) => one.id === id);
      return namesOf(id, image?.repoTags);
    });
  }
  const names = [...operands];
  if (flags.all) for await (const { id } of crest.listImages({}, { signal })) names.push(id);
  return forEach(ctx, names, async (image) => {
    const { id, repoTags } = await crest.removeImage({ image, dryRun }, { signal });
    return namesOf(id, repoTags);
  });
};

const namesOf = (id: string, tags: readonly string[] = []): readonly string[] =>
  tags.length > 0 ? tags : [id];

/** `crest images` */
import type { Image } from "../../client/index.ts";
import type { Run } from "../context.ts";
import { imageName, shortRepository, splitReference } from "../output/image-name.ts";
import { bareId, shortId, shortIds } from "../output/short-ids.ts";
import { diskSize } from "../output/sizes.ts";
import type { Column } from "../output/table.ts";
import { runList } from "./list.ts";

/** An image under one of its names. */
interface NamedImage {
  readonly image: Image;
  /** A tag, else a digest; undefined for an image without a name. */
  readonly name: string | undefined;
}

export const run: Run<"images"> = async (ctx) => {
  const { flags, operands } = ctx;
  const { dangling } = flags;
  const [wanted] = operands;
  const repository = wanted === undefined || hasTag(wanted) ? undefined : wanted;
  await runList<Image, NamedImage>(
    ctx,
    {
      path: "/v1/images",
      query: { image: repository === undefined ? wanted : undefined },
      member: "images",
      keep:
        dangling === undefined && repository === undefined
          ? undefined
          : (image) =>
              (dangling === undefined || (image.repoTags.length === 0) === (dangling === "true")) &&
              (repository === undefined || isOf(image, repository)),
    },
    (images) => {
      const rows = images.flatMap((image) => namesOf(image, repository)).sort(byName);
      return {
        rows,
        columns: columnsOf(rows, flags),
        ids: images.map(({ id }) => id),
        names: rows.map(({ image, name }) => name ?? image.id),
      };
    },
  );
  return 0;
};

/** Those with a tag by name, then those without one. */
function byName(one: NamedImage, other: NamedImage): number {
  const key = ({ image, name = "" }: NamedImage): string => `${image.repoTags.length === 0 ? 1 : 0}${name}`;
  const [a, b] = [key(one), key(other)];
  return a < b ? -1 : a > b ? 1 : 0;
}

/** A line for each tag, of this repository if one is wanted; without one, for the first digest. */
function namesOf(image: Image, repository: string | undefined): readonly NamedImage[] {
  const all = image.repoTags.length > 0 ? image.repoTags : image.repoDigests.slice(0, 1);
  const wanted = all.filter((name) => repository !== undefined && isIn(repository, name));
  const names = wanted.length > 0 ? wanted : all;
  return names.length === 0 ? [{ image, name: undefined }] : names.map((name) => ({ image, name }));
}

function hasTag(reference: string): boolean {
  const { tag, digest } = splitReference(reference);
  return tag !== "" || digest !== "";
}

/** Whether a name is of a repository, written in full or as short as docker takes it: `busybox`. */
function isIn(wanted: string, name: string): boolean {
  const { repository } = splitReference(name);
  return repository === wanted || shortRepository(repository) === wanted;
}

/** Whether an image has a name in this repository, or an id that begins so. */
function isOf({ id, repoTags, repoDigests }: Image, wanted: string): boolean {
  const isId = /^[0-9a-f]{4,64}$/.test(wanted) && bareId(id).startsWith(wanted);
  return isId || [...repoTags, ...repoDigests].some((name) => isIn(wanted, name));
}

function columnsOf(
  rows: readonly NamedImage[],
  flags: { readonly digests: boolean; readonly "no-trunc": boolean },
): readonly Column<NamedImage>[] {
  const isWhole = flags["no-trunc"];
  const idOf = isWhole ? (id: string) => id : shortIds(rows.map(({ image }) => image.id));
  const digest: Column<NamedImage> = {
    title: "DIGEST",
    value: ({ image, name }) => {
      const whole = digestOf(image, name);
      return whole === undefined ? "-" : isWhole ? whole : shortId(whole);
    },
  };
  return [
    {
      title: "IMAGE",
      value: ({ name }) => (name === undefined ? "-" : isWhole ? name : imageName(name)),
      shrinksTo: 20,
    },
    ...(flags.digests ? [digest] : [{ ...digest, wide: true } as const]),
    { title: "IMAGE ID", value: ({ image }) => idOf(image.id) },
    { title: "SIZE", value: ({ image }) => diskSize(Number(image.size)), align: "right" },
    { title: "PINNED", value: ({ image }) => (image.pinned ? "yes" : "no"), wide: true },
    { title: "USER", value: ({ image }) => image.username || image.uid?.value || "-", wide: true },
  ];
}

/** The digest of the manifest under the same repository, else any: `sha256:...`. */
function digestOf({ repoDigests }: Image, name = ""): string | undefined {
  const { repository } = splitReference(name);
  const same = repoDigests.find((one) => one.startsWith(`${repository}@`)) ?? repoDigests[0];
  return same?.slice(same.indexOf("@") + 1);
}

/** `crest ps` */
import type { Container } from "../../client/index.ts";
import type { Run } from "../context.ts";
import { age } from "../output/age.ts";
import { imageName, splitReference } from "../output/image-name.ts";
import { labelText } from "../output/labels.ts";
import { bareId, shortIds } from "../output/short-ids.ts";
import { stateName, stateStyle } from "../output/states.ts";
import type { Column } from "../output/table.ts";
import { countOf, runList, selectorOf } from "./list.ts";
import { type PodNameOf, podNames } from "./pod-names.ts";

export const run: Run<"ps"> = async (ctx) => {
  const { flags } = ctx;
  const last = countOf(flags);
  const isAny = flags.all || flags.latest || flags.last !== undefined;
  const { image } = flags;
  await runList<Container, Container>(
    ctx,
    {
      path: "/v1/containers",
      query: {
        id: flags.id,
        name: flags.name,
        namespace: flags.namespace,
        pod: flags.pod,
        state: flags.state ?? (isAny ? undefined : "running"),
        labelSelector: selectorOf(flags.label),
      },
      member: "containers",
      keep: image === undefined ? undefined : (container) => isOf(container, image),
      last,
    },
    async (rows, crest) => {
      const needsPods = !flags.quiet && !/^(json|jsonl|yaml)$/.test(flags.output ?? "");
      const podOf: PodNameOf = needsPods ? await podNames(rows, crest, ctx.signal) : () => undefined;
      return {
        rows,
        columns: columnsOf(rows, podOf, flags["no-trunc"]),
        ids: rows.map(({ id }) => id),
        names: rows.map((container) => {
          const pod = podOf(container);
          return pod === undefined ? container.id : `${pod}/${container.metadata?.name}`;
        }),
      };
    },
  );
  return 0;
};

function columnsOf(
  rows: readonly Container[],
  podOf: PodNameOf,
  isWhole: boolean,
): readonly Column<Container>[] {
  const idOf = isWhole ? bareId : shortIds(rows.map(({ id }) => id));
  const podIdOf = isWhole ? bareId : shortIds(rows.map(({ podSandboxId }) => podSandboxId));
  return [
    { title: "CONTAINER", value: ({ id }) => idOf(id) },
    { title: "NAME", value: ({ metadata }) => metadata?.name ?? "-", shrinksTo: 8 },
    { title: "POD", value: (one) => podOf(one) ?? podIdOf(one.podSandboxId), shrinksTo: 13 },
    {
      title: "IMAGE",
      value: (one) => (isWhole ? referenceOf(one) : imageName(referenceOf(one))) || "-",
      shrinksTo: 12,
    },
    { title: "STATE", value: ({ state }) => stateName(state), style: ({ state }) => stateStyle(state) },
    { title: "AGE", value: ({ createdAt }) => age(Number(createdAt) / 1e6) },
    { title: "ATTEMPT", value: ({ metadata }) => String(metadata?.attempt ?? 0), align: "right", wide: true },
    { title: "POD ID", value: ({ podSandboxId }) => podIdOf(podSandboxId), wide: true },
    {
      title: "IMAGE ID",
      value: ({ imageId, imageRef }) => {
        // Older runtimes have it only in the other field, if that is not a digest of a repository.
        const id = imageId || (imageRef.includes("@") ? "" : imageRef);
        return (isWhole ? id : imageName(id)) || "-";
      },
      wide: true,
    },
    { title: "LABELS", value: ({ labels }) => labelText(labels), wide: true, shrinksTo: 12 },
  ];
}

/** What the user wrote, before what it was resolved to. */
const referenceOf = ({ image, imageRef }: Container): string =>
  image?.userSpecifiedImage || image?.image || imageRef;

/** Whether a container is of an image: its whole name, its name without a tag, or the beginning of its id. */
function isOf({ image, imageRef, imageId }: Container, wanted: string): boolean {
  const references = [image?.userSpecifiedImage ?? "", image?.image ?? "", imageRef, imageId];
  const names = references.flatMap((reference) => [reference, imageName(reference)]);
  const wantedId = bareId(wanted);
  return (
    names.some((name) => name === wanted || splitReference(name).repository === wanted) ||
    (/^[0-9a-f]{4,64}$/.test(wantedId) &&
      references.some((reference) => bareId(reference).startsWith(wantedId)))
  );
}

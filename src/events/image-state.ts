/**
 * Keeps the images of the node by id, and emits events when a list of them differs from the previous one.
 *
 * It compares lists even if there are events: containerd sends up to three for one pull, one without the image for a
 * moved tag, and removes all names of an image with one of its tags.
 */
import type { Image } from "../gen/messages.ts";
import { type EventDraft, timeOf } from "./node-event.ts";

export interface ImageState {
  /** Takes all images that the runtime lists now. */
  report(images: readonly Image[]): void;
}

type Names = Pick<Image, "id" | "repoTags" | "repoDigests">;

export function createImageState(emit: (draft: EventDraft) => string): ImageState {
  let known: ReadonlyMap<string, Names> = new Map();

  function tell(
    type: "image.pulled" | "image.tagged" | "image.removed",
    { id, repoTags, repoDigests }: Names,
  ) {
    const image = repoTags[0] ?? repoDigests[0] ?? id;
    emit({ type, time: timeOf(undefined), image, imageId: id, repoTags, repoDigests });
  }

  return {
    report(images) {
      const found = new Map(
        images.map(({ id, repoTags, repoDigests }) => [id, { id, repoTags, repoDigests }] as const),
      );
      const before = known;
      known = found;
      for (const [id, names] of found) {
        const old = before.get(id);
        if (old === undefined) tell("image.pulled", names);
        else if (keyOf(old) !== keyOf(names)) tell("image.tagged", names);
      }
      for (const [id, names] of before) if (!found.has(id)) tell("image.removed", names);
    },
  };
}

/** Runtimes list names in any order. */
const keyOf = ({ repoTags, repoDigests }: Names): string =>
  JSON.stringify([repoTags.toSorted(), repoDigests.toSorted()]);

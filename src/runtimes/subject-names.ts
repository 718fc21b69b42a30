/** Names that an error repeats although the request does not have them: of the pod or the container with its id. */

import { call } from "../cri/call.ts";
import type { CallOptions, Runtime } from "../cri/channel.ts";
import { ownWords } from "../cri/own-words.ts";

/**
 * `words` without the names of what `request` is about: the pod's own, the container's, its image and its mounts.
 * Unchanged when they cannot be read.
 */
export async function withoutSubjectNames(
  runtime: Runtime,
  { containerId, podSandboxId }: { readonly containerId?: string; readonly podSandboxId?: string },
  { words, options }: { readonly words: string; readonly options: CallOptions },
): Promise<string> {
  try {
    if (containerId) {
      const request = { containerId };
      const { status } = await call(runtime, "RuntimeService/ContainerStatus", request, options);
      return ownWords(words, [status?.metadata, status?.image, status?.mounts]);
    }
    if (podSandboxId) {
      const request = { podSandboxId };
      const { status } = await call(runtime, "RuntimeService/PodSandboxStatus", request, options);
      return ownWords(words, status?.metadata);
    }
  } catch {
    // What it says of what is not there is about its id.
  }
  return words;
}

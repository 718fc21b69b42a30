/** Names that an error contains although the request does not: those of the pod or container with the request's id. */

import { call } from "../cri/call.ts";
import type { CallOptions, Runtime } from "../cri/channel.ts";
import { ownWords } from "../cri/own-words.ts";

/**
 * Returns `words` without the names of the request's subject: the pod's own, or the container's, its image's and its
 * mounts'. Returns it unchanged if they cannot be read.
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
    // If it does not exist, the text is about its id.
  }
  return words;
}

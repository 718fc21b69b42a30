/** Pulls an image and shows its progress. */
import { type AuthConfig, type Client, CrestError } from "../client/index.ts";
import type { PullProgress } from "./output/pull-progress.ts";

export interface PullOptions {
  readonly auth?: AuthConfig | undefined;
  /** Default: nothing is shown. */
  readonly progress?: PullProgress | undefined;
  readonly signal: AbortSignal;
}

/** Returns a reference by which containers can be created. `name`: as it was typed. @throws {CrestError} */
export async function pullImage(
  crest: Client,
  name: string,
  { auth, progress, signal }: PullOptions,
): Promise<string> {
  try {
    for await (const item of crest.pullImage({ body: { image: { image: name }, auth } }, { signal })) {
      if (item.progress !== undefined) progress?.update(name, item.progress);
      if (item.result === undefined) continue;
      progress?.finished(name);
      return item.result.imageRef;
    }
  } catch (error) {
    progress?.drop(name);
    throw error;
  }
  throw new CrestError("invalid_answer", "The pull ended without a result");
}

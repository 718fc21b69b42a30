/** How a runtime words an error, and what the error means. */

import type { TextPattern } from "../cri/text-pattern.ts";
import type { ErrorCode } from "../errors.ts";
import type { Rpc } from "../gen/methods.ts";

export interface ErrorPattern {
  readonly text: TextPattern;
  readonly code: ErrorCode;
  /** Only of these RPCs; of all when absent. */
  readonly of?: readonly Rpc[];
  /**
   * The fields that it is about, as pointers into the request by canonical names: the first that the request has.
   * `mounts/[hostPath]` is the mount whose `hostPath` the text repeats, `sysctls/[]` the key of a map, or the item of a
   * list of texts, that it repeats. Where the text repeats none, the pointer ends at the list or the map.
   */
  readonly at?: readonly string[];
}

export const creations: readonly Rpc[] = ["RuntimeService/RunPodSandbox", "RuntimeService/CreateContainer"];

/** What is wrong with a config may show only when it is used. */
export const begins: readonly Rpc[] = [...creations, "RuntimeService/StartContainer"];

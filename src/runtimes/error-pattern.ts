/** The wording of a runtime's error, and its meaning. */

import type { TextPattern } from "../cri/text-pattern.ts";
import type { ErrorCode } from "../errors.ts";
import type { Rpc } from "../gen/methods.ts";

export interface ErrorPattern {
  readonly text: TextPattern;
  readonly code: ErrorCode;
  /** The RPCs that it applies to; default: all. */
  readonly of?: readonly Rpc[];
  /**
   * The fields that the error is about, as pointers into the request with canonical names. The first one that the
   * request has counts. `mounts/[hostPath]` is the mount whose `hostPath` the text contains. `sysctls/[]` is the map
   * key, or the item of a list of strings, that it contains. If there is none, the pointer ends at the list or map.
   */
  readonly at?: readonly string[];
}

export const creations: readonly Rpc[] = ["RuntimeService/RunPodSandbox", "RuntimeService/CreateContainer"];

/** Some mistakes in a config show only when it is used. */
export const begins: readonly Rpc[] = [...creations, "RuntimeService/StartContainer"];

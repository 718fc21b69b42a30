/** The pod, container or image that a request is about. */

import { type Input, requestOf } from "../cri/codec.ts";
import type { ImageSpec } from "../gen/messages.ts";
import type { Rpc } from "../gen/methods.ts";

/** The fields of CRI's requests that identify their subject; each request has some of them. */
export type Subject = Input<{ containerId: string; podSandboxId: string; image: ImageSpec; timeout: string }>;

/** The subject of an encoded request. */
export const subjectOf = (rpc: Rpc, request: Uint8Array): Subject => requestOf(rpc, request) as object;

/**
 * When a name is taken, CRI-O reports success and returns the id of the existing pod or container. Crest detects such a
 * reply by its id, which was returned before, or by its age: a new one is not older than the call.
 */

import { call } from "../cri/call.ts";
import type { CallOptions, Runtime } from "../cri/channel.ts";
import { GatewayError } from "../errors.ts";
import { isRuntime } from "./identity.ts";

export interface Creation {
  readonly kind: "pod" | "container";
  /** The id that the runtime returned. */
  readonly id: string;
  /** When the call was made, in milliseconds since 1970, by a clock shared with the runtime. */
  readonly calledAtMs: number;
  readonly options: CallOptions;
}

/** If two callers use a name at the same time, the result looks new to both, but only the first created it. */
const givenOut = new WeakMap<Runtime, Set<string>>();
const remembered = 1000;

/** @throws {GatewayError} `name_reserved`: when the returned pod or container existed before. */
export async function refuseReserved(runtime: Runtime, creation: Creation): Promise<void> {
  // A caller that created something must learn its id, even if the runtime is gone now.
  if (!(await isRuntime(runtime, "cri-o").catch(() => false))) return;
  const { kind, id, calledAtMs } = creation;
  const given = givenOut.get(runtime) ?? new Set<string>();
  givenOut.set(runtime, given);
  if (!given.has(id)) {
    given.add(id);
    const [oldest = id] = given;
    if (given.size > remembered) given.delete(oldest);
    const createdAt = await createdAtOf(runtime, creation).catch(() => undefined);
    if (createdAt === undefined || BigInt(createdAt) >= BigInt(calledAtMs) * 1_000_000n) return;
  }
  throw new GatewayError("name_reserved", `Cannot create ${kind}: its name is taken by ${kind} "${id}"`);
}

async function createdAtOf(runtime: Runtime, { kind, id, options }: Creation): Promise<string | undefined> {
  const { status } =
    kind === "pod"
      ? await call(runtime, "RuntimeService/PodSandboxStatus", { podSandboxId: id }, options)
      : await call(runtime, "RuntimeService/ContainerStatus", { containerId: id }, options);
  return status?.createdAt;
}

/**
 * CRI-O answers a creation whose name is taken with OK and the id of what has the name. Such an answer is
 * known by its id, which was given out before, or by its age: what is new is not older than the call.
 */

import { call } from "../cri/call.ts";
import type { CallOptions, Runtime } from "../cri/channel.ts";
import { GatewayError } from "../errors.ts";
import { isRuntime } from "./identity.ts";

export interface Creation {
  readonly kind: "pod" | "container";
  /** What the runtime answered. */
  readonly id: string;
  /** When it was asked, in milliseconds since 1970; by the clock that the runtime has too. */
  readonly calledAtMs: number;
  readonly options: CallOptions;
}

/** Two callers may ask for one name at the same time: both see a new one, and only the first made it. */
const givenOut = new WeakMap<Runtime, Set<string>>();
const remembered = 1000;

/** @throws {GatewayError} `name_reserved` when what was answered had been there before. */
export async function refuseReserved(runtime: Runtime, creation: Creation): Promise<void> {
  // Who made something shall learn its id, also when the runtime has gone meanwhile.
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

/** Creates of one name at the same time: what the second of them does differs from runtime to runtime. */
import { setTimeout as delay } from "node:timers/promises";
import { status } from "@grpc/grpc-js";
import { GrpcFault } from "./fault.ts";
import type { CallContext, World } from "./world.ts";

/** Long enough for creates that were sent together to meet. */
const createMs = 10;

/**
 * Runs `make` while the name counts as being made. A runtime that refuses the second create of a name has the name
 * reserved at once: there `make` runs without a pause.
 *
 * @throws {GrpcFault} CANCELLED, when this create hung until its client gave up.
 */
export async function whileMaking<T>(
  { manner, state }: World,
  name: string,
  { signal }: CallContext,
  make: () => T | Promise<T>,
): Promise<T> {
  const { concurrentCreates } = manner.habits;
  if (concurrentCreates === "refused") return make();
  if (concurrentCreates === "hang" && state.making.has(name)) {
    await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
    throw new GrpcFault(status.CANCELLED, "context canceled");
  }
  state.making.add(name);
  try {
    await delay(createMs);
    return await make();
  } finally {
    state.making.delete(name);
  }
}

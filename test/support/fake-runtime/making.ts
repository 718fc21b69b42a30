/** Simultaneous creates with the same name. Runtimes differ in what they do with the second one. */
import { setTimeout as delay } from "node:timers/promises";
import { status } from "@grpc/grpc-js";
import { GrpcFault } from "./fault.ts";
import type { CallContext, World } from "./world.ts";

/** Long enough for simultaneous creates to overlap. */
const createMs = 10;

/**
 * Runs `make` while the name counts as being created. Runtimes that reject a second create reserve the name at once, so
 * for them `make` runs without a delay.
 *
 * @throws {GrpcFault} CANCELLED if this create hung until its client gave up.
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

/** Which pods, containers and images a caller may see. */
import type { Caller } from "./authorize.ts";

/**
 * Names what the caller may see. Callers with the same key may share one reply of the runtime, so two callers that
 * may see different things must never have the same key. A grant is about the whole node, so all keys are equal.
 */
export const scopeKeyOf = (_caller: Caller): string => "node";

/** Which pods, containers and images a caller may see. */
import type { Caller } from "./authorize.ts";

/**
 * A key for what the caller may see. Callers with the same key can share one reply of the runtime, so callers that may
 * see different things must never have the same key. Grants apply to the whole node, so all keys are equal.
 */
export const scopeKeyOf = (_caller: Caller): string => "node";

import type { StringMap } from "./messages.ts";
import { findById } from "./state.ts";

/** Whether the labels include all of the selector. An absent selector matches everything. */
export function matchesLabels(labels: StringMap | undefined, selector: StringMap | undefined): boolean {
  return Object.entries(selector ?? {}).every(([key, value]) => labels?.[key] === value);
}

/**
 * Applies a filter by id, which accepts a prefix and selects nothing if the prefix is ambiguous. `undefined` means that
 * there is no such filter.
 */
export function selectedById<Entry extends object>(
  entries: ReadonlyMap<string, Entry>,
  id: string | undefined,
): Entry | "nothing" | undefined {
  if (id === undefined) return undefined;
  const found = findById(entries, id);
  return typeof found === "string" ? "nothing" : found;
}

import type { StringMap } from "./messages.ts";
import { findById } from "./state.ts";

/** Whether the labels hold all of the selector; none selects everything. */
export function matchesLabels(labels: StringMap | undefined, selector: StringMap | undefined): boolean {
  return Object.entries(selector ?? {}).every(([key, value]) => labels?.[key] === value);
}

/**
 * What a filter by id selects: it takes a prefix, and nothing is selected when several ids begin so. `undefined` means
 * that there is no such filter.
 */
export function selectedById<Entry extends object>(
  entries: ReadonlyMap<string, Entry>,
  id: string | undefined,
): Entry | "nothing" | undefined {
  if (id === undefined) return undefined;
  const found = findById(entries, id);
  return typeof found === "string" ? "nothing" : found;
}

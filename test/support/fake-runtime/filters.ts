import type { StringMap } from "./messages.ts";

/** Whether the labels hold all of the selector; none selects everything. */
export function matchesLabels(labels: StringMap | undefined, selector: StringMap | undefined): boolean {
  return Object.entries(selector ?? {}).every(([key, value]) => labels?.[key] === value);
}

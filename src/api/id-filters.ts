/** What the filters `id` and `pod` of a list mean. */

import { GatewayError } from "../errors.ts";
import type { Inventory, Kind } from "../inventory/inventory.ts";
import { invalid } from "./bind.ts";

/** The part of a list's request that says whose items are wanted. */
interface Filter {
  id?: string;
  podSandboxId?: string;
}

/** The beginning of an id, on every runtime that was measured. */
const digits = /^[0-9a-f]{1,64}$/;

/**
 * Puts full ids in the place of what was given, where the runtime's own filter may not find them: not every filter
 * takes the beginning of a pod's id. Something that is not there has no items, which is no mistake. But a text that
 * cannot be an id would find nothing for ever, and nobody would know why.
 *
 * @throws {GatewayError} `invalid_request` for what is no id, with the id of what has that name; `ambiguous_id`.
 */
export async function resolveFilters(inventory: Inventory, kind: Kind, filter: Filter): Promise<void> {
  if (filter.podSandboxId)
    filter.podSandboxId = await resolve(inventory, "pod", { parameter: "pod", given: filter.podSandboxId });
  // Several ids may begin so: the runtime lists them all.
  if (filter.id && !digits.test(filter.id))
    filter.id = await resolve(inventory, kind, { parameter: "id", given: filter.id });
}

async function resolve(
  inventory: Inventory,
  kind: Kind,
  { parameter, given }: { readonly parameter: string; readonly given: string },
): Promise<string> {
  try {
    return await inventory.resolve(kind, given);
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
    if (error.code === "ambiguous_id" && parameter === "id") return given;
    if (error.code !== "not_found") throw error;
    if (error.members.candidates !== undefined) throw invalid([{ parameter, detail: error.message }]);
    if (digits.test(given)) return given;
    const detail = `must be the id of a ${kind} or its first hexadecimal digits, and no ${kind} has the name ${JSON.stringify(given)}`;
    throw invalid([{ parameter, detail }]);
  }
}

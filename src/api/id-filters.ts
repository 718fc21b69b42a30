/** Resolves the list filters `id` and `pod`, which take what a path takes. */

import { GatewayError } from "../errors.ts";
import type { Inventory, Kind } from "../inventory/inventory.ts";
import { isIdPrefix } from "../inventory/references.ts";
import { invalid } from "./bind.ts";

/** The part of a list request that selects by id or by pod. */
interface Filter {
  id?: string;
  podSandboxId?: string;
}

/**
 * Replaces filter values with full ids where the runtime's own filter may not match them: not every runtime accepts the
 * prefix of a pod id. An id that does not exist selects nothing, which is not an error. Text that cannot be an id is:
 * and is no name either is: it would never match, and the caller would not know why.
 *
 * @throws {GatewayError} invalid_request: for text that cannot be an id and is not a name.
 * @throws {GatewayError} ambiguous_id: if several match.
 */
export async function resolveFilters(inventory: Inventory, kind: Kind, filter: Filter): Promise<void> {
  if (filter.podSandboxId)
    filter.podSandboxId = await resolve(inventory, "pod", { parameter: "pod", given: filter.podSandboxId });
  // Several ids may share this prefix; the runtime lists them all.
  if (filter.id && !isIdPrefix(filter.id))
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
    if (error.code !== "not_found") throw error;
    if (error.members.candidates !== undefined) throw invalid([{ parameter, detail: error.message }]);
    if (isIdPrefix(given)) return given;
    const detail = `must be a ${kind} id or a prefix of one, got ${JSON.stringify(given)}, which is not the name of a ${kind} either`;
    throw invalid([{ parameter, detail }]);
  }
}

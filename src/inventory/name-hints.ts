/**
 * Explains an unknown id: it may be a name, or the id of the other kind. Runs only after something was not found, so it
 * costs nothing otherwise.
 */

import { call } from "../cri/call.ts";
import type { Runtime } from "../cri/channel.ts";
import { GatewayError } from "../errors.ts";
import type { Inventory, Kind } from "./inventory.ts";

/** Makes the `not_found` of `resolve` say what the caller probably meant, if that can be determined. */
export function withNameHints(inventory: Inventory, runtime: Runtime): Inventory {
  return {
    ...inventory,
    async resolve(kind, id, options) {
      try {
        return await inventory.resolve(kind, id, options);
      } catch (error) {
        throw await explainAbsence(runtime, kind, id, error);
      }
    },
  };
}

/**
 * Explains why there is no pod or container with the id `given`. Returns a `not_found` with more detail and likely ids
 * in `candidates`, or `error` itself. Errors of another kind are returned unchanged.
 */
export async function explainAbsence(
  runtime: Runtime,
  kind: Kind,
  given: string,
  error: unknown,
): Promise<unknown> {
  if (!(error instanceof GatewayError) || error.code !== "not_found" || given === "") return error;
  const other = kind === "pod" ? "container" : "pod";
  try {
    if (fullId.test(given)) {
      const [found] = await list(runtime, other, given);
      return found?.id === given ? mixedUp(kind, given, other) : error;
    }
    const same = (await list(runtime, kind)).filter((one) => isNamed(one, given));
    if (same.length > 0) return named(kind, given, kind, same);
    const others = await list(runtime, other);
    if (/^[0-9a-f]{4,}$/.test(given) && others.some(({ id }) => id.startsWith(given)))
      return mixedUp(kind, given, other);
    const namesakes = others.filter((one) => isNamed(one, given));
    return namesakes.length > 0 ? named(kind, given, other, namesakes) : error;
  } catch {
    // This is only a courtesy, so ignore failures.
    return error;
  }
}

const fullId = /^[0-9a-f]{64}$/;
const maxCandidates = 20;

interface Named {
  readonly id: string;
  readonly name: string;
  /** Pods only. */
  readonly namespace?: string;
}

async function list(runtime: Runtime, kind: Kind, id?: string): Promise<readonly Named[]> {
  const request = id === undefined ? {} : { filter: { id } };
  if (kind === "pod") {
    const { items } = await call(runtime, "RuntimeService/ListPodSandbox", request);
    return items.map(({ id: podId, metadata }) => ({
      id: podId,
      name: metadata?.name ?? "",
      namespace: metadata?.namespace ?? "",
    }));
  }
  const { containers } = await call(runtime, "RuntimeService/ListContainers", request);
  return containers.map((container) => ({ id: container.id, name: container.metadata?.name ?? "" }));
}

/** Matches `web`, and for a pod also `default/web`. */
const isNamed = ({ name, namespace }: Named, given: string): boolean =>
  name === given || (namespace !== undefined && `${namespace}/${name}` === given);

function named(kind: Kind, given: string, found: Kind, all: readonly Named[]): GatewayError {
  const ids = all
    .map(({ id }) => id)
    .sort()
    .slice(0, maxCandidates);
  const whose = all.length === 1 ? `${found} ${ids[0]}` : `${all.length} ${found}s`;
  return new GatewayError(
    "not_found",
    `Cannot find ${kind} "${given}": this is the name of ${whose}, use an id`,
    { members: { candidates: ids } },
  );
}

function mixedUp(kind: Kind, given: string, found: Kind): GatewayError {
  return new GatewayError("not_found", `Cannot find ${kind} "${given}": this is the id of a ${found}`);
}

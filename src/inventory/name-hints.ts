/**
 * Explains why nothing was found: what was given may belong to the other kind, or be misspelled. Runs only after something
 * was not found, so it costs nothing otherwise.
 */

import { call } from "../cri/call.ts";
import type { Runtime } from "../cri/channel.ts";
import { GatewayError } from "../errors.ts";
import { nearest } from "../nearest.ts";
import type { Inventory, Kind } from "./inventory.ts";
import { isFullId, isNamed, type Names, namePartsOf, partsOf } from "./references.ts";

/** Makes the `not_found` of `resolve` say what the caller probably meant, if that can be determined. */
export function withNameHints(inventory: Inventory, runtime: Runtime): Inventory {
  return {
    ...inventory,
    async resolve(kind, text, options) {
      try {
        return await inventory.resolve(kind, text, options);
      } catch (error) {
        throw await explainAbsence(runtime, kind, text, error);
      }
    },
  };
}

/**
 * Explains why `given` means no pod or container. Returns a `not_found` with more detail, and with likely ids in
 * `candidates`, or `error` itself. Errors of another kind are returned unchanged.
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
    if (isFullId(given)) {
      const found = await listIds(runtime, other, given);
      return found.includes(given) ? mixedUp(kind, given, other) : error;
    }
    const all = await listNames(runtime);
    if (/^[0-9a-f]{4,}$/.test(given) && all[other].some(({ id }) => id.startsWith(given)))
      return mixedUp(kind, given, other);
    const parts = namePartsOf(other, given) ?? [];
    const namesakes = parts.length === 0 ? [] : all[other].filter((one) => isNamed(one, parts));
    return namesakes.length > 0 ? named(kind, given, other, namesakes) : misspelled(kind, given, all, error);
  } catch {
    // This is only a courtesy, so ignore failures.
    return error;
  }
}

const maxCandidates = 20;

interface Named extends Names {
  readonly id: string;
}

type Listed = { readonly [K in Kind]: readonly Named[] };

async function listIds(runtime: Runtime, kind: Kind, id: string): Promise<readonly string[]> {
  const filter = { id };
  if (kind === "pod")
    return (await call(runtime, "RuntimeService/ListPodSandbox", { filter })).items.map((pod) => pod.id);
  const { containers } = await call(runtime, "RuntimeService/ListContainers", { filter });
  return containers.map((container) => container.id);
}

async function listNames(runtime: Runtime): Promise<Listed> {
  const [{ items }, { containers }] = await Promise.all([
    call(runtime, "RuntimeService/ListPodSandbox", {}),
    call(runtime, "RuntimeService/ListContainers", {}),
  ]);
  const pods = items.map(({ id, metadata }) => ({
    id,
    namespace: metadata?.namespace ?? "",
    pod: metadata?.name ?? "",
  }));
  const podOf = new Map(pods.map((pod) => [pod.id, pod]));
  return {
    pod: pods,
    container: containers.map(({ id, podSandboxId, metadata }) => {
      const { namespace = "", pod = "" } = podOf.get(podSandboxId) ?? {};
      return { id, namespace, pod, container: metadata?.name ?? "" };
    }),
  };
}

function named(kind: Kind, given: string, found: Kind, all: readonly Named[]): GatewayError {
  const ids = all
    .map(({ id }) => id)
    .sort()
    .slice(0, maxCandidates);
  const whose = all.length === 1 ? `${found} ${ids[0]}` : `${all.length} ${found}s`;
  return new GatewayError("not_found", `Cannot find ${kind} "${given}": this is the name of ${whose}`, {
    members: { candidates: ids },
  });
}

function mixedUp(kind: Kind, given: string, found: Kind): GatewayError {
  return new GatewayError("not_found", `Cannot find ${kind} "${given}": this is the id of a ${found}`);
}

/** Names the pod or container whose name is closest, written with as many parts as `given` has. */
function misspelled(kind: Kind, given: string, all: Listed, error: GatewayError): GatewayError {
  const parts = namePartsOf(kind, given)?.length;
  if (parts === undefined) return error;
  const spelled = new Map(all[kind].map((one) => [partsOf(one).slice(-parts).join("/"), one.id]));
  const name = nearest(given, [...spelled.keys()]);
  const id = name === undefined ? undefined : spelled.get(name);
  if (id === undefined) return error;
  return new GatewayError(
    "not_found",
    `Cannot find ${kind} "${given}": did you mean ${JSON.stringify(name)}?`,
    {
      members: { candidates: [id] },
    },
  );
}

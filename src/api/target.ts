/**
 * The stage that resolves the target of a request: the pod or container in its path, or the pod that filters a list. It
 * turns an id prefix or a name into the full id, and checks whether the caller may change a pod that Crest did not create.
 */
import {
  type Caller,
  canChangeUnmanaged,
  changesPods,
  requireGrant,
  requireManaged,
} from "../access/authorize.ts";
import { GatewayError } from "../errors.ts";
import type { Grant } from "../grants.ts";
import type { Inventory, Kind } from "../inventory/inventory.ts";
import { type Candidate, type Purpose, pickOne } from "../inventory/references.ts";
import type { OwnedLog } from "../logs/keeping/kept-logs.ts";
import type { ListRoute, Route } from "../routes/define.ts";
import { managedLabel } from "../runtimes/pod-config.ts";
import { noteTarget } from "../server/request-record.ts";
import type { RequestContext } from "./context.ts";
import type { Gateway } from "./gateway.ts";
import { resolveFilters } from "./id-filters.ts";

type Run = (ctx: RequestContext) => Promise<void>;

/** A pod or container in the path, and the request field that it sets. */
interface Named {
  readonly kind: Kind;
  readonly field: string;
}

/** Runtimes report success for these even if the target does not exist; Crest answers 404. */
const mustExist: ReadonlySet<string> = new Set<Grant>(["stop", "remove"]);

type Targets = Pick<Gateway, "inventory" | "keptLogs" | "readable">;

/** Returns the target stage of a route; undefined if the route has no single target. */
export function targetStage(route: Route, { inventory, keptLogs, readable }: Targets): Run | undefined {
  if (route.kind === "list") return filterStage(route, inventory);
  const named = namedBy(route);
  if (named === undefined) return undefined;
  const { kind, field } = named;
  const isChange = changesPods(route);
  const purpose: Purpose = route.allow === "remove" ? "remove" : isChange ? "change" : "read";
  const options = { mustExist: mustExist.has(route.allow), purpose };
  const takesRemoved = route.kind === "stream" && route.takesRemoved === true;
  return async (ctx) => {
    const { bound, caller, outgoing, request } = ctx;
    const given = String(bound.message[field]);
    noteTarget(request, kind, given);
    const id = await inventory.resolve(kind, given, options).catch(async (error: unknown) => {
      if (!(error instanceof GatewayError && error.code === "not_found")) throw error;
      if (readable !== undefined)
        await refuseReadable(route, caller, { inventory: readable(kind), kind, given });
      if (!takesRemoved) throw error;
      return pickRemoved(kind, given, { keptLogs, error });
    });
    noteTarget(request, kind, id);
    const mayBeOthers = isChange && !canChangeUnmanaged(caller);
    const pod = mayBeOthers ? await inventory.podOf(kind, id) : undefined;
    if (pod !== undefined) requireManaged({ ...pod, managed: pod.labels[managedLabel] === "true" }, caller);
    ctx.target = { kind, id, pod };
    if (id === given) return;
    bound.message[field] = id;
    if (outgoing !== undefined) outgoing.message = { ...outgoing.message, [field]: id };
  };
}

/** The id of a removed pod or container whose log is kept. @throws {GatewayError} `error`, if there is none. */
function pickRemoved(
  kind: Kind,
  given: string,
  { keptLogs, error }: Pick<Targets, "keptLogs"> & { readonly error: GatewayError },
): string {
  try {
    return pickOne(kind, given, removedCandidates(kind, keptLogs.select({}))).id;
  } catch (failure) {
    throw failure instanceof GatewayError && failure.code === "not_found" ? error : failure;
  }
}

/** The removed pods or containers that left these logs. */
function removedCandidates(kind: Kind, logs: readonly OwnedLog[]): readonly Candidate[] {
  const found = new Map<string, Candidate>();
  for (const { owner, removedAtMs = 0 } of logs) {
    const { namespace, pod, podSandboxId } = owner;
    const known = { namespace, pod, podSandboxId, age: BigInt(removedAtMs) };
    const one: Candidate =
      kind === "pod"
        ? { ...known, id: podSandboxId, attempt: 0 }
        : { ...known, id: owner.id, container: owner.name, attempt: owner.attempt };
    const before = found.get(one.id);
    if (before === undefined || before.age < one.age) found.set(one.id, one);
  }
  return [...found.values()];
}

/**
 * Refuses what the caller may read, but not use this route for. Otherwise it could not know what to ask for.
 *
 * @throws {GatewayError} not_capable
 */
async function refuseReadable(
  { allow }: Route,
  caller: Caller,
  { inventory, kind, given }: { readonly inventory: Inventory; readonly kind: Kind; readonly given: string },
): Promise<void> {
  const id = await inventory.resolve(kind, given).catch(() => undefined);
  if (id === undefined || allow === "authenticated") return;
  requireGrant(allow, caller, await inventory.podOf(kind, id));
}

/** The pod or container that the route's path names, if any. A kept session names the container that it is in. */
export function namedBy({ path = {}, kind }: Pick<Route, "path" | "kind">): Named | undefined {
  if (kind === "resume") return { kind: "container", field: "containerId" };
  const { podSandboxId, containerId } = path;
  if (podSandboxId !== undefined) return { kind: "pod", field: podSandboxId };
  if (containerId !== undefined) return { kind: "container", field: containerId };
  return undefined;
}

function filterStage({ http, filters = {} }: ListRoute, inventory: Inventory): Run | undefined {
  if (!Object.values(filters).some((field) => field === "filter.id" || field === "filter.podSandboxId"))
    return undefined;
  const kind = http.endsWith("/pods") ? "pod" : "container";
  return async ({ bound: { message } }) => {
    if (message.filter) await resolveFilters(inventory, kind, message.filter);
  };
}

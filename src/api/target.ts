/**
 * The stage that finds what a request is about: the one pod or container that its path names, or the pod that a
 * list is filtered by. It replaces a prefix of an id with the full id, and checks whether the caller may change a
 * pod that Crest did not make.
 */
import { canChangeUnmanaged, changesPods, requireManaged } from "../access/authorize.ts";
import type { Grant } from "../grants.ts";
import type { Inventory, Kind } from "../inventory/inventory.ts";
import type { ListRoute, Route } from "../routes/define.ts";
import { managedLabel } from "../runtimes/pod-config.ts";
import { noteTarget } from "../server/request-record.ts";
import type { RequestContext } from "./context.ts";
import { resolveFilters } from "./id-filters.ts";

type Run = (ctx: RequestContext) => Promise<void>;

/** A path parameter that names a pod or a container, by the request field that it sets. */
interface Named {
  readonly kind: Kind;
  readonly field: string;
}

/** Runtimes answer OK to these for what is not there; an absence is 404 all the same. */
const mustExist: ReadonlySet<string> = new Set<Grant>(["stop", "remove"]);

/** The stage of a route; undefined where it is about no single pod or container. */
export function targetStage(route: Route, { inventory }: { readonly inventory: Inventory }): Run | undefined {
  if (route.kind === "list") return filterStage(route, inventory);
  const named = namedBy(route);
  if (named === undefined) return undefined;
  const { kind, field } = named;
  const options = { mustExist: mustExist.has(route.allow) };
  const isChange = changesPods(route);
  return async (ctx) => {
    const { bound, caller, outgoing, request } = ctx;
    const given = String(bound.message[field]);
    noteTarget(request, kind, given);
    const id = await inventory.resolve(kind, given, options);
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

/** What the path of a route names; undefined when it names no pod and no container. */
export function namedBy({ path = {} }: Pick<Route, "path">): Named | undefined {
  const { podSandboxId, containerId } = path;
  if (podSandboxId !== undefined) return { kind: "pod", field: podSandboxId };
  if (containerId !== undefined) return { kind: "container", field: containerId };
  return undefined;
}

function filterStage({ http, filters = {} }: ListRoute, inventory: Inventory): Run | undefined {
  if (!Object.values(filters).some((field) => field === "filter.id" || field === "filter.podSandboxId"))
    return undefined;
  const kind = http.endsWith("/pods") ? "pod" : "container";
  return ({ bound }) => resolveFilters(inventory, kind, bound.message.filter ?? {});
}

/**
 * Shared knowledge about pods and containers: which ones exist, what an id prefix refers to, and the facts that CRI
 * never changes (name, namespace, labels) and that may therefore be cached.
 */

import { absence } from "../cri/absence.ts";
import { call } from "../cri/call.ts";
import type { Runtime } from "../cri/channel.ts";
import { GatewayError } from "../errors.ts";

export type Kind = "pod" | "container";

/** The immutable facts about a pod. */
export interface PodFacts {
  readonly id: string;
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly attempt: number;
  readonly labels: { readonly [key: string]: string };
}

/** A container, and the pod that it belongs to. */
export interface ContainerFacts {
  readonly id: string;
  readonly name: string;
  readonly podSandboxId: string;
}

export interface Inventory {
  /**
   * Returns the full id for `id`, which may be a unique prefix. 64 hex digits are not looked up unless `mustExist`:
   * runtimes report success for stopping and removing what does not exist.
   *
   * @throws {GatewayError} `not_found`; `ambiguous_id`: with the candidates.
   */
  resolve(kind: Kind, id: string, options?: { readonly mustExist?: boolean }): Promise<string>;
  /**
   * Returns the pod for a full pod or container id. Does not call the runtime if it was seen before, as by `resolve`.
   *
   * @throws {GatewayError} `not_found`
   */
  podOf(kind: Kind, id: string): Promise<PodFacts>;
  /**
   * Returns the pods for full ids of pods or of containers, by these ids, without those that do not exist and were not
   * seen before. Lists at most once, however many have not been seen before.
   */
  podsOf(kind: Kind, ids: readonly string[]): Promise<ReadonlyMap<string, PodFacts>>;
}

const fullId = /^[0-9a-f]{64}$/;
/** The characters of ids. Runtimes may treat a filter as more than a prefix: for Docker it is a regular expression. */
const digits = /^[0-9a-f]+$/;
const remembered = 10_000;
const shownCandidates = 20;

export function createInventory(runtime: Runtime): Inventory {
  const pods = new Map<string, PodFacts>();
  const podOfContainer = new Map<string, string>();

  async function listPods(id?: string): Promise<readonly PodFacts[]> {
    const { items } = await call(runtime, "RuntimeService/ListPodSandbox", id ? { filter: { id } } : {});
    const found = items.map((pod) => ({
      id: pod.id,
      namespace: pod.metadata?.namespace ?? "",
      name: pod.metadata?.name ?? "",
      uid: pod.metadata?.uid ?? "",
      attempt: pod.metadata?.attempt ?? 0,
      labels: pod.labels,
    }));
    for (const pod of found) remember(pods, pod.id, pod);
    return found;
  }

  async function listContainers(id?: string): Promise<readonly ContainerFacts[]> {
    const { containers } = await call(runtime, "RuntimeService/ListContainers", id ? { filter: { id } } : {});
    const found = containers.map((container) => ({
      id: container.id,
      name: container.metadata?.name ?? "",
      podSandboxId: container.podSandboxId,
    }));
    for (const container of found) remember(podOfContainer, container.id, container.podSandboxId);
    return found;
  }

  const listIds = async (kind: Kind, id?: string): Promise<readonly string[]> =>
    (kind === "pod" ? await listPods(id) : await listContainers(id)).map((found) => found.id);

  /** For lists that are too large for the runtime to send: a status also takes a unique prefix. */
  async function resolveByStatus(kind: Kind, id: string, tooLarge: GatewayError): Promise<string> {
    try {
      const { status } =
        kind === "pod"
          ? await call(runtime, "RuntimeService/PodSandboxStatus", { podSandboxId: id })
          : await call(runtime, "RuntimeService/ContainerStatus", { containerId: id });
      if (status?.id.startsWith(id)) return status.id;
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error;
      if (/multiple ids found/i.test(error.words)) throw ambiguous(kind, id, "several");
      if (error.code === "not_found" || absence.test(error.words)) throw absent(kind, id);
    }
    throw tooLarge;
  }

  return {
    async resolve(kind, id, { mustExist = false } = {}) {
      if (fullId.test(id)) {
        if (!mustExist || (await listIds(kind, id)).includes(id)) return id;
        throw absent(kind, id);
      }
      try {
        // The runtime's filter takes a unique prefix, and its reply is always small.
        const only = digits.test(id) ? onlyOf(id, await listIds(kind, id)) : undefined;
        return only ?? pickId(kind, id, await listIds(kind));
      } catch (error) {
        if (!(error instanceof GatewayError && error.code === "reply_too_large")) throw error;
        return await resolveByStatus(kind, id, error);
      }
    },

    async podOf(kind, id) {
      let podId = kind === "pod" ? id : podOfContainer.get(id);
      if (podId === undefined) {
        podId = (await listContainers(id)).find((container) => container.id === id)?.podSandboxId;
        if (podId === undefined) throw absent(kind, id);
      }
      const wanted = podId;
      const pod = pods.get(wanted) ?? (await listPods(wanted)).find((found) => found.id === wanted);
      if (!pod) throw absent("pod", wanted);
      return pod;
    },

    async podsOf(kind, ids) {
      const podIdOf = (id: string): string | undefined => (kind === "pod" ? id : podOfContainer.get(id));
      if (ids.every((id) => pods.has(podIdOf(id) ?? ""))) return pick(ids, podIdOf, pods);
      const [found, containers] = await Promise.all([
        listPods(),
        kind === "container" ? listContainers() : [],
      ]);
      // The memory has a limit, while these lists are complete.
      const listed = new Map(found.map((pod) => [pod.id, pod]));
      const owners = new Map(containers.map(({ id, podSandboxId }) => [id, podSandboxId]));
      return pick(ids, (id) => owners.get(id) ?? podIdOf(id), {
        get: (id: string) => listed.get(id) ?? pods.get(id),
      });
    },
  };
}

/** The pod of each id that has one. */
function pick(
  ids: readonly string[],
  podIdOf: (id: string) => string | undefined,
  pods: Pick<ReadonlyMap<string, PodFacts>, "get">,
): ReadonlyMap<string, PodFacts> {
  const picked = new Map<string, PodFacts>();
  for (const id of ids) {
    const pod = pods.get(podIdOf(id) ?? "");
    if (pod !== undefined) picked.set(id, pod);
  }
  return picked;
}

/** Returns the id in `ids` that `id` refers to: the same one, or the only one with this prefix. */
function onlyOf(id: string, ids: readonly string[]): string | undefined {
  if (ids.includes(id)) return id;
  const candidates = ids.filter((candidate) => candidate.startsWith(id));
  return candidates.length === 1 ? candidates[0] : undefined;
}

/** As `onlyOf`, among all ids. @throws {GatewayError} `not_found`, `ambiguous_id` */
export function pickId(kind: Kind, id: string, all: readonly string[]): string {
  const only = onlyOf(id, all);
  if (only !== undefined) return only;
  const candidates = all.filter((candidate) => candidate.startsWith(id)).sort();
  if (candidates.length === 0) throw absent(kind, id);
  throw ambiguous(kind, id, String(candidates.length), candidates.slice(0, shownCandidates));
}

const ambiguous = (kind: Kind, id: string, count: string, candidates?: readonly string[]): GatewayError =>
  new GatewayError(
    "ambiguous_id",
    `Ambiguous ${kind} id "${id}": ${count} ${kind}s match, use a longer prefix`,
    {
      members: candidates === undefined ? {} : { candidates },
    },
  );

/** The error for one that does not exist. */
export function absent(kind: Kind, id: string): GatewayError {
  return new GatewayError(
    "not_found",
    `Cannot find ${kind} "${id}": the runtime has no ${kind} with this id`,
  );
}

/** Keeps the newest entries; a node has hundreds of pods, not tens of thousands. */
function remember<V>(map: Map<string, V>, key: string, value: V): void {
  map.delete(key);
  map.set(key, value);
  if (map.size > remembered) {
    const oldest = map.keys().next();
    if (!oldest.done) map.delete(oldest.value);
  }
}

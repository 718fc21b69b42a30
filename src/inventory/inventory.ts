/**
 * Shared knowledge about pods and containers: which ones exist, what an id prefix or a name refers to, and the facts that
 * CRI never changes (name, namespace, labels) and that may therefore be cached.
 */

import { absence } from "../cri/absence.ts";
import { call } from "../cri/call.ts";
import type { Runtime } from "../cri/channel.ts";
import { GatewayError } from "../errors.ts";
import type { Container, PodSandbox } from "../gen/messages.ts";
import {
  absent,
  type Candidate,
  isFullId,
  isIdPrefix,
  type Kind,
  namePartsOf,
  type Purpose,
  pickOne,
} from "./references.ts";

export type { Kind } from "./references.ts";

/** The immutable facts about a pod. */
export interface PodFacts {
  readonly id: string;
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly attempt: number;
  readonly labels: { readonly [key: string]: string };
}

export interface ResolveOptions {
  /** 64 digits are looked up, too. Runtimes report success for stopping and removing what does not exist. */
  readonly mustExist?: boolean;
  /** Default: `read`. */
  readonly purpose?: Purpose;
}

export interface Inventory {
  /**
   * Returns the full id for `text`: an id, a unique prefix of one, or a name (see `references.ts`). A complete id is not
   * looked up unless `mustExist`.
   *
   * @throws {GatewayError} `not_found`; `ambiguous_id`: with the candidates.
   */
  resolve(kind: Kind, text: string, options?: ResolveOptions): Promise<string>;
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

const remembered = 10_000;

export function createInventory(runtime: Runtime): Inventory {
  const pods = new Map<string, PodFacts>();
  const podOfContainer = new Map<string, string>();

  async function listPods(id?: string): Promise<readonly PodSandbox[]> {
    const { items } = await call(runtime, "RuntimeService/ListPodSandbox", id ? { filter: { id } } : {});
    for (const pod of items) remember(pods, pod.id, factsOf(pod));
    return items;
  }

  async function listContainers(id?: string): Promise<readonly Container[]> {
    const { containers } = await call(runtime, "RuntimeService/ListContainers", id ? { filter: { id } } : {});
    for (const container of containers) remember(podOfContainer, container.id, container.podSandboxId);
    return containers;
  }

  /** Those that the runtime finds by a prefix, which must consist of digits: Docker takes a regular expression. */
  const listIds = async (kind: Kind, prefix: string): Promise<readonly string[]> =>
    (kind === "pod" ? await listPods(prefix) : await listContainers(prefix)).map(({ id }) => id);

  /** All that `text` may mean. */
  async function candidatesFor(kind: Kind, text: string): Promise<readonly Candidate[]> {
    if (kind === "pod") return (await listPods()).map(podCandidate);
    const parts = namePartsOf("container", text);
    const name = parts?.at(-1);
    const possible = (await listContainers()).filter(
      ({ id, metadata }) => id.startsWith(text) || (name !== undefined && metadata?.name === name),
    );
    // One alone needs no pod, unless the text names one.
    if (parts?.length === 1 && possible.length === 1)
      return possible.map((one) => containerCandidate(one, undefined));
    const owners = await podsOf(
      "pod",
      possible.map(({ podSandboxId }) => podSandboxId),
    );
    return possible.map((one) => containerCandidate(one, owners.get(one.podSandboxId)));
  }

  /** For lists that are too large for the runtime to send: a status also takes a unique prefix, but no name. */
  async function resolveByStatus(kind: Kind, id: string, tooLarge: GatewayError): Promise<string> {
    if (!isIdPrefix(id)) throw tooLarge;
    try {
      const { status } =
        kind === "pod"
          ? await call(runtime, "RuntimeService/PodSandboxStatus", { podSandboxId: id })
          : await call(runtime, "RuntimeService/ContainerStatus", { containerId: id });
      if (status?.id.startsWith(id)) return status.id;
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error;
      if (/multiple ids found/i.test(error.words))
        throw new GatewayError(
          "ambiguous_id",
          `Ambiguous ${kind} id "${id}": several ${kind}s match, use a longer prefix`,
        );
      if (error.code === "not_found" || absence.test(error.words)) throw absent(kind, id);
    }
    throw tooLarge;
  }

  return {
    async resolve(kind, text, { mustExist = false, purpose = "read" } = {}) {
      if (isFullId(text)) {
        if (!mustExist || (await listIds(kind, text)).includes(text)) return text;
        throw absent(kind, text);
      }
      try {
        // The runtime's filter takes a unique prefix, and its reply is always small.
        const only = isIdPrefix(text) ? onlyOf(text, await listIds(kind, text)) : undefined;
        if (only !== undefined && purpose === "read") return only;
        return pickOne(kind, text, await candidatesFor(kind, text), purpose).id;
      } catch (error) {
        if (!(error instanceof GatewayError && error.code === "reply_too_large")) throw error;
        return await resolveByStatus(kind, text, error);
      }
    },

    async podOf(kind, id) {
      let podId = kind === "pod" ? id : podOfContainer.get(id);
      if (podId === undefined) {
        podId = (await listContainers(id)).find((container) => container.id === id)?.podSandboxId;
        if (podId === undefined) throw absent(kind, id);
      }
      const wanted = podId;
      const known = pods.get(wanted);
      if (known !== undefined) return known;
      const pod = (await listPods(wanted)).find((found) => found.id === wanted);
      if (!pod) throw absent("pod", wanted);
      return factsOf(pod);
    },

    podsOf,
  };

  async function podsOf(kind: Kind, ids: readonly string[]): Promise<ReadonlyMap<string, PodFacts>> {
    const podIdOf = (id: string): string | undefined => (kind === "pod" ? id : podOfContainer.get(id));
    if (ids.every((id) => pods.has(podIdOf(id) ?? ""))) return pick(ids, podIdOf, pods);
    const [found, containers] = await Promise.all([listPods(), kind === "container" ? listContainers() : []]);
    // The memory has a limit, while these lists are complete.
    const listed = new Map(found.map((pod) => [pod.id, factsOf(pod)]));
    const owners = new Map(containers.map(({ id, podSandboxId }) => [id, podSandboxId]));
    return pick(ids, (id) => owners.get(id) ?? podIdOf(id), {
      get: (id: string) => listed.get(id) ?? pods.get(id),
    });
  }
}

function factsOf({ id, metadata, labels }: PodSandbox): PodFacts {
  const { namespace = "", name = "", uid = "", attempt = 0 } = metadata ?? {};
  return { id, namespace, name, uid, attempt, labels };
}

function podCandidate({ id, metadata, state, createdAt }: PodSandbox): Candidate {
  const { namespace = "", name: pod = "", attempt = 0 } = metadata ?? {};
  return { id, namespace, pod, podSandboxId: id, attempt, state, age: BigInt(createdAt) };
}

function containerCandidate(
  { id, metadata, podSandboxId, state, createdAt }: Container,
  pod: PodFacts | undefined,
): Candidate {
  return {
    id,
    namespace: pod?.namespace ?? "",
    pod: pod?.name ?? "",
    container: metadata?.name ?? "",
    podSandboxId,
    attempt: metadata?.attempt ?? 0,
    state,
    age: BigInt(createdAt),
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

/** Keeps the newest entries; a node has hundreds of pods, not tens of thousands. */
function remember<V>(map: Map<string, V>, key: string, value: V): void {
  map.delete(key);
  map.set(key, value);
  if (map.size > remembered) {
    const oldest = map.keys().next();
    if (!oldest.done) map.delete(oldest.value);
  }
}

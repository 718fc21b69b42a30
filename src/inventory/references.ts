/**
 * What callers write where an id is expected: an id, a unique prefix of one, or a name.
 *
 * Ids come first, then names. A pod's name is `web` or `demo/web`; a container's is `main`, `web/main` or
 * `demo/web/main`. Pods and containers are restarted under one name, so a name means the one that is alive, or else the
 * newest. Whoever changes something must not hit what was not meant: see {@link Purpose}.
 */
import { GatewayError } from "../errors.ts";

export type Kind = "pod" | "container";

/**
 * What a pod or container is looked up for. `read`: a unique prefix of an id wins over a name. `change`: what is both is
 * ambiguous. `remove`: a name of several attempts is ambiguous, too, or a repeated removal would remove the next one.
 */
export type Purpose = "read" | "change" | "remove";

/** The names of a pod, or of a container and its pod. */
export interface Names {
  /** Empty if the pod is not known. */
  readonly namespace: string;
  readonly pod: string;
  /** Of a container. */
  readonly container?: string | undefined;
}

/** A pod or container that may be meant. */
export interface Candidate extends Names {
  readonly id: string;
  readonly podSandboxId: string;
  readonly attempt: number;
  /** The runtime's word: `SANDBOX_READY`, `CONTAINER_EXITED`. Absent if it was removed. */
  readonly state?: string | undefined;
  /** Creation time, or for removed ones the time of the removal. Only compared among each other. */
  readonly age: bigint;
}

const fullId = /^[0-9a-f]{64}$/;
/** The characters of ids. */
const digits = /^[0-9a-f]{1,64}$/;
/** Three names of 253 bytes and two slashes are shorter. */
const maxNameLength = 1024;
const shownCandidates = 20;
/** In the text of an error. */
const shownNames = 5;

/** Whether `text` is a complete id. Nothing else is looked for under one. */
export const isFullId = (text: string): boolean => fullId.test(text);

/** Whether `text` can be the beginning of an id. */
export const isIdPrefix = (text: string): boolean => digits.test(text);

/** The parts of a name, the last of which is that of the pod or container; undefined if `text` cannot be a name. */
export function namePartsOf(kind: Kind, text: string): readonly string[] | undefined {
  if (text.length > maxNameLength) return undefined;
  const parts = text.split("/");
  const isName = parts.length <= (kind === "pod" ? 2 : 3) && parts.every((part) => part !== "");
  return isName ? parts : undefined;
}

/** Whether these parts name it. Names with a slash in them match nothing, so that none can pass for another's. */
export function isNamed(names: Names, parts: readonly string[]): boolean {
  const whole = partsOf(names);
  const offset = whole.length - parts.length;
  return parts.every((part, index) => part === whole[offset + index]);
}

/** The parts of a full name: namespace, pod and container. */
export const partsOf = ({ namespace, pod, container }: Names): readonly string[] =>
  container === undefined ? [namespace, pod] : [namespace, pod, container];

/** `demo/web/main`; the id if the pod is not known. */
const fullNameOf = (one: Candidate): string => (one.pod === "" ? one.id : partsOf(one).join("/"));

/**
 * The one of `all` that `text` means.
 *
 * @throws {GatewayError} `not_found`; `ambiguous_id`: with the candidates.
 */
export function pickOne(
  kind: Kind,
  text: string,
  all: readonly Candidate[],
  purpose: Purpose = "read",
): Candidate {
  const exact = all.find(({ id }) => id === text);
  if (exact !== undefined) return exact;
  const byId = isIdPrefix(text) ? all.filter(({ id }) => id.startsWith(text)) : [];
  const parts = namePartsOf(kind, text);
  const byName = parts === undefined ? [] : all.filter((one) => isNamed(one, parts));
  const [first] = byId;
  if (first !== undefined) {
    const others = byName.filter((one) => !byId.includes(one));
    if (byId.length === 1 && (purpose === "read" || others.length === 0)) return first;
    throw others.length === 0 ? ambiguousPrefix(kind, text, byId) : ambiguousBoth(kind, text, byId, others);
  }
  const [named] = byName;
  if (named === undefined) throw absent(kind, text);
  const places = new Set(byName.map(({ namespace, pod }) => JSON.stringify([namespace, pod])));
  if (places.size > 1) throw ambiguousName(kind, text, newestOfEach(byName));
  if (purpose === "remove" && byName.length > 1) throw ambiguousName(kind, text, byName);
  const alive = byName.filter(isAlive);
  if (alive.length > 1) throw ambiguousName(kind, text, alive);
  return alive[0] ?? byName.reduce(newer, named);
}

const isAlive = ({ state }: Candidate): boolean =>
  state !== undefined && state !== "CONTAINER_EXITED" && state !== "SANDBOX_NOTREADY";

/** In one pod the attempts tell, otherwise the times: a restarted pod counts the attempts of its containers anew. */
function newer(one: Candidate, other: Candidate): Candidate {
  const isSamePod = one.podSandboxId === other.podSandboxId && one.attempt !== other.attempt;
  const isNewer = isSamePod ? other.attempt > one.attempt : other.age > one.age;
  return isNewer ? other : one;
}

/** What each longer name would mean. */
function newestOfEach(all: readonly Candidate[]): readonly Candidate[] {
  const groups = new Map<string, Candidate[]>();
  for (const one of all) {
    const name = fullNameOf(one);
    groups.set(name, [...(groups.get(name) ?? []), one]);
  }
  return [...groups.values()].flatMap((group) => {
    const alive = group.filter(isAlive);
    const [first] = group;
    return alive.length > 0 || first === undefined ? alive : [group.reduce(newer, first)];
  });
}

function ambiguousPrefix(kind: Kind, text: string, all: readonly Candidate[]): GatewayError {
  return ambiguous(`Ambiguous ${kind} id "${text}": ${all.length} ${kind}s match, use a longer prefix`, all);
}

function ambiguousBoth(
  kind: Kind,
  text: string,
  byId: readonly Candidate[],
  byName: readonly Candidate[],
): GatewayError {
  const ids = byId.length === 1 ? `the id of a ${kind}` : `the ids of ${byId.length} ${kind}s`;
  return ambiguous(
    `Ambiguous ${kind} "${text}": it begins ${ids} and is also a name (${namesOf(byName)}), use a longer prefix or name`,
    [...byId, ...byName],
  );
}

function ambiguousName(kind: Kind, text: string, all: readonly Candidate[]): GatewayError {
  const isOneName = new Set(all.map(fullNameOf)).size === 1;
  const longer = kind === "pod" ? "NAMESPACE/POD" : "NAMESPACE/POD/CONTAINER";
  return ambiguous(
    isOneName
      ? `Ambiguous ${kind} "${text}": ${all.length} ${kind}s have this name, use an id`
      : `Ambiguous ${kind} "${text}": ${all.length} ${kind}s have this name (${namesOf(all)}), use ${longer} or an id`,
    all,
  );
}

function namesOf(all: readonly Candidate[]): string {
  const names = [...new Set(all.map(fullNameOf))].sort();
  const more = names.length - shownNames;
  return `${names.slice(0, shownNames).join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
}

function ambiguous(message: string, all: readonly Candidate[]): GatewayError {
  const shown = [...all].sort((one, other) => (one.id < other.id ? -1 : 1)).slice(0, shownCandidates);
  return new GatewayError("ambiguous_id", message, {
    members: {
      candidates: shown.map(({ id }) => id),
      matches: shown.map(matchOf),
    },
  });
}

function matchOf({ id, namespace, pod, container, attempt, state }: Candidate) {
  return { id, namespace, pod, container, attempt, state };
}

/** The error for one that does not exist. */
export function absent(kind: Kind, text: string): GatewayError {
  const what = isIdPrefix(text) ? "id" : "id or name";
  return new GatewayError(
    "not_found",
    `Cannot find ${kind} "${text}": the runtime has no ${kind} with this ${what}`,
  );
}

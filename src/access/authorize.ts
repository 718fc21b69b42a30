/**
 * Decides whether a caller may use a route. No other module does.
 *
 * Pure: no I/O, no logging. Denials override grants, and anything not granted is denied. Like Deno, a refusal names the
 * missing flag.
 */
import type { CallerLimits } from "../config/options.ts";
import { GatewayError } from "../errors.ts";
import {
  describeGrant,
  type Grant,
  type GrantSet,
  type Grants,
  type GrantWord,
  grantWords,
} from "../grants.ts";
import type { Access } from "../routes/define.ts";
import { isHub, placeOf, repositoryOf } from "./reference.ts";
import { allPods, coversPods, kindsOfPods, type Pods, scopeOfPod, scopesForKind } from "./scope.ts";

/** The caller, and what it may do: what the process allows, and each of its own layers too. */
export interface Caller {
  readonly name: string;
  /** What this process lets any caller do. */
  readonly grants: Grants;
  /**
   * What the caller's own token lets it do, and each token that this one was made with. A layer can only take away: a
   * request must be allowed by all of them, and denied by none.
   */
  readonly layers?: readonly Grants[] | undefined;
  /**
   * Under which name its use is limited. A token that a caller makes has the account of its maker, so that more tokens
   * are not more room. Default: the name.
   */
  readonly account?: string | undefined;
  /** Its own limits, which take the place of the defaults. */
  readonly limits?: CallerLimits | undefined;
  /** Path of the file that holds the caller's token. */
  readonly tokenFile?: string | undefined;
  /** How the caller shows who it is. Default: the operator's token, which has all that the process allows. */
  readonly by?: "token" | "certificate" | "jwt" | undefined;
  /** When its token expires, in milliseconds since 1970. */
  readonly expiresAtMs?: number | undefined;
  /** Why it may not go on: its token has expired or was revoked. Returns undefined while it may. */
  readonly whyOver?: (() => string | undefined) | undefined;
}

/** What a route requires. */
export interface Guarded {
  readonly allow: Access;
  /** Additional grants for individual fields or parameters, needed if the request sets them. */
  readonly fieldGrants?: { readonly [field: string]: Grant };
  /** Path parameter -> the request field that it sets. */
  readonly path?: { readonly [name: string]: string };
}

/** What a grant is needed for: an image, as a normalized reference, or pods. Undefined: not known yet. */
export type Resource = string | Pods;

/** What is known about a request. */
export interface Asked {
  /** The image or the pod. */
  readonly resource?: Resource;
  /** The fields in the route's `fieldGrants` that the request sets. */
  readonly fields?: readonly string[];
}

/**
 * Checks whether a caller may send a request.
 *
 * @throws {GatewayError} not_capable: names everything that is missing, so that the operator has to restart the gateway
 *   only once.
 */
export function authorize(route: Guarded, caller: Caller, { resource, fields = [] }: Asked = {}): void {
  if (route.allow === "authenticated") return;
  const needs: Need[] = [{ grant: route.allow, resource }];
  for (const field of fields) {
    const grant = route.fieldGrants?.[field];
    if (grant !== undefined && needs.every((need) => need.grant !== grant))
      needs.push({ grant, why: `for "${field}"` });
  }
  const missing = needs.filter(({ grant, resource }) => !canUse(grant, caller, resource));
  if (missing.length === 0) return;
  throw refusal(missing, caller, { mayNeedUnmanaged: changesPods(route) && !canChangeUnmanaged(caller) });
}

/**
 * Checks one grant. `resource` is what it is needed for, if the grant can be narrowed.
 *
 * @throws {GatewayError} not_capable: when the caller lacks the grant.
 */
export function requireGrant(grant: Grant, caller: Caller, resource?: Resource): void {
  if (!canUse(grant, caller, resource)) throw refusal([{ grant, resource }], caller);
}

/**
 * Checks several grants.
 *
 * @throws {GatewayError} not_capable: names all that the caller lacks.
 */
export function requireGrants(needs: readonly Need[], caller: Caller): void {
  const missing = needs.filter(({ grant, resource }) => !canUse(grant, caller, resource));
  if (missing.length > 0) throw refusal(missing, caller);
}

/** Grants that change a pod or its contents, so that it matters whose pod it is. */
const changing: ReadonlySet<Access> = new Set(["run", "stop", "remove", "exec", "forward", "checkpoint"]);

/** Whether a route changes the pod or container named in its path. */
export function changesPods({ allow, path = {} }: Guarded): boolean {
  return changing.has(allow) && ("podSandboxId" in path || "containerId" in path);
}

/**
 * Pods not created by Crest belong to someone else, such as a kubelet. Changing them needs a separate grant.
 *
 * @throws {GatewayError} not_capable: when the pod is unmanaged and the caller lacks `unmanaged`.
 */
export function requireManaged(
  pod: { readonly namespace: string; readonly name: string; readonly managed: boolean },
  caller: Caller,
): void {
  if (!pod.managed) requireGrant("unmanaged", caller, { ...pod, labels: {} });
}

/** Whether the caller may change pods that Crest did not create. */
export const canChangeUnmanaged = (caller: Caller): boolean => canUse("unmanaged", caller);

/** What limits the caller: first the process, then its own layers. */
export const layersOf = ({ grants, layers = [] }: Caller): readonly Grants[] => [grants, ...layers];

/** Whether the caller may pull only some images. */
export function arePullsNarrowed(caller: Caller): boolean {
  return layersOf(caller).some(
    ({ all, allow, deny }) => Array.isArray(deny.pull) || (!all && Array.isArray(allow.pull)),
  );
}

/** Whether `caller` has `grant`, for `resource` if it can be narrowed. */
export const canUse = (grant: Grant, caller: Caller, resource?: Resource): boolean =>
  layersOf(caller).every((grants) => isGiven(grant, grants, resource));

/** Whether a route's grant is narrowed to some pods, for this caller. */
export function isScoped({ allow }: Pick<Guarded, "allow">, caller: Caller): boolean {
  return allow !== "authenticated" && isOfPods(allow) && !canUse(allow, caller, allPods);
}

/** What a grant is narrowed to in a set: scopes, prefixes or host words. Undefined if to nothing. */
export function narrowing(set: GrantSet, grant: Grant): string[] | undefined {
  const [word, kind] = grant.split(":") as [GrantWord, string | undefined];
  const entry = set[word];
  if (!Array.isArray(entry)) return undefined;
  if (kind === undefined) return [...entry];
  if (entry.includes(kind) || !isOfPods(grant)) return undefined;
  const scopes = scopesForKind(entry, kind);
  return scopes.length > 0 ? [...scopes] : undefined;
}

/** Whether a grant can be narrowed to pods. */
function isOfPods(grant: Grant): boolean {
  const [word, kind = ""] = grant.split(":") as [GrantWord, string | undefined];
  const { takes } = grantWords[word];
  return takes === "scope" || takes === "ports" || (takes === "kinds" && kindsOfPods.includes(kind));
}

/** Whether one layer gives a grant. */
function isGiven(grant: Grant, grants: Grants, resource: Resource): boolean {
  const [word, kind] = grant.split(":") as [GrantWord, string | undefined];
  if (covers(grants.deny[word], { word, kind, resource, denies: true })) return false;
  return isAllowed(grants, { word, kind, resource, denies: false });
}

const isAllowed = ({ all, allow }: Grants, use: Use): boolean => all || covers(allow[use.word], use);

interface Use {
  readonly word: GrantWord;
  readonly kind: string | undefined;
  readonly resource: Resource;
  /** Whether the entry is a denial. */
  readonly denies: boolean;
}

/** Whether the entry of one grant word, which may be narrowed, covers this use. */
function covers(entry: true | readonly string[] | undefined, use: Use): boolean {
  if (entry === undefined || entry === true) return entry === true;
  const { word, kind, resource, denies } = use;
  switch (grantWords[word].takes) {
    case "kinds": {
      if (kind === undefined) return false;
      if (entry.includes(kind)) return true;
      return (
        kindsOfPods.includes(kind) && coversPods(scopesForKind(entry, kind), podsOf(resource), { denies })
      );
    }
    case "scope":
    case "ports":
      return coversPods(entry, podsOf(resource), { denies });
    case "prefixes":
      // While the image is unknown, nothing is denied or refused. The check is repeated once it is known.
      if (typeof resource !== "string") return !denies;
      return entry.some((prefix) => isBelow(resource, prefix, denies));
    default:
      // What needs the grant as such needs all of it. Its words are for pods: see policy/host-grant.ts.
      return denies;
  }
}

const podsOf = (resource: Resource): Pods => (typeof resource === "string" ? undefined : resource);

/**
 * Prefixes match whole path segments: `docker.io/lib` does not cover `docker.io/library/busybox`. A grant is taken
 * literally. A denial without a port covers all ports of the registry, and one of Docker Hub covers all its names.
 */
function isBelow(reference: string, prefix: string, denies: boolean): boolean {
  const asked = placeOf(reference);
  const given = placeOf(prefix);
  const isSameHub = denies && isHub(asked.host) && isHub(given.host);
  if (asked.host !== given.host && !isSameHub) return false;
  if (asked.port !== given.port && !(denies && given.port === "")) return false;
  if (!isSameHub) return isPathBelow(asked.path, given.path);
  // People also write `docker.io/busybox` for `docker.io/library/busybox`.
  return readings(asked.path).some((path) => readings(given.path).some((below) => isPathBelow(path, below)));
}

const readings = (path: string): readonly string[] =>
  path.includes("/") ? [path] : [path, `library/${path}`];

function isPathBelow(path: string, prefix: string): boolean {
  if (!path.startsWith(prefix)) return false;
  const next = path[prefix.length];
  return prefix === "" || prefix.endsWith("/") || next === undefined || "/:@".includes(next);
}

/** A grant that a request needs. */
export interface Need {
  readonly grant: Grant;
  /** What it is needed for, if the grant can be narrowed. */
  readonly resource?: Resource;
  readonly why?: string;
}

interface RefusalOptions {
  /**
   * Whether the caller would also need `unmanaged` if Crest did not create the pod. The pod has not been read at this
   * point.
   */
  readonly mayNeedUnmanaged?: boolean;
}

/** Builds the error. It names the flags to add, and the denials to remove, since a denial overrides all grants. */
function refusal(
  needs: readonly Need[],
  caller: Caller,
  { mayNeedUnmanaged = false }: RefusalOptions = {},
): GatewayError {
  const resource = needs.map(nameOf).find((name) => name !== undefined);
  const unmanaged = mayNeedUnmanaged ? remediesFor([{ grant: "unmanaged" }], caller) : "";
  return new GatewayError(
    "not_capable",
    `Requires ${needs.map(wordsOf).join(" and ")}, ${remediesFor(needs, caller)}` +
      (unmanaged === ""
        ? ""
        : `, and ${unmanaged.replace(/^run again /, "")} if Crest did not create the pod`),
    {
      members: {
        grant: needs[0]?.grant,
        grants: needs.map(({ grant }) => grant),
        ...(resource ? { resource } : {}),
      },
    },
  );
}

/** `run again with --allow-exec`, and the same for a token that does not have the grant either. */
function remediesFor(needs: readonly Need[], caller: Caller): string {
  const [ofProcess = "", ...ofTokens] = layersOf(caller).map((grants) =>
    remedyOf(needs.map((need) => flagsFor(need, grants))),
  );
  const ofToken = ofTokens.find((remedy) => remedy !== "");
  return [
    ...(ofProcess === "" ? [] : [`run again ${ofProcess}`]),
    ...(ofToken === undefined ? [] : [`use a token made ${ofToken}`]),
  ].join(", and ");
}

/** The flags to remove and to add. */
interface Flags {
  readonly without: readonly string[];
  readonly add: readonly string[];
}

/** The flags that provide one missing grant. */
function flagsFor(need: Need, grants: Grants): Flags {
  const { grant, resource } = need;
  const [word, kind] = grant.split(":") as [GrantWord, string | undefined];
  const denial = grants.deny[word];
  const isDenied = covers(denial, { word, kind, resource, denies: true });
  const isGranted = isAllowed(grants, { word, kind, resource, denies: false });
  const allow = flagOf(need);
  return {
    without: isDenied ? [`--deny-${word}${denial === true ? "" : `=${denial?.join(",")}`}`] : [],
    add: isGranted ? [] : [allow],
  };
}

/** `--allow-exec=demo/web`: just what is needed, if it can be written. */
function flagOf({ grant, resource }: Need): string {
  if (resource === undefined || resource === allPods) return describeGrant(grant);
  // A prefix has no tag or digest.
  if (typeof resource === "string") return `--allow-pull=${repositoryOf(resource)}`;
  const scope = isOfPods(grant) ? scopeOfPod(resource) : undefined;
  if (scope === undefined) return describeGrant(grant);
  return `${describeGrant(grant)}${grant.includes(":") ? ":" : "="}${scope}`;
}

/** `without --deny-exec and with --allow-run --allow-host` */
function remedyOf(flags: readonly Flags[]): string {
  const phrase = (word: string, some: readonly string[]): readonly string[] =>
    some.length === 0 ? [] : [`${word} ${[...new Set(some)].join(" ")}`];
  return [
    ...phrase(
      "without",
      flags.flatMap(({ without }) => without),
    ),
    ...phrase(
      "with",
      flags.flatMap(({ add }) => add),
    ),
  ].join(" and ");
}

/** `host access because ...`, `pull access to "quay.io/app:1"` */
function wordsOf(need: Need): string {
  const { grant, resource, why } = need;
  const [word] = grant.split(":");
  const to = resource === allPods ? " to all pods" : nameOf(need) ? ` to "${nameOf(need)}"` : "";
  return `${word} access${to}${why === undefined ? "" : ` ${why}`}`;
}

/** The name of the image or the pod. */
function nameOf({ resource }: Need): string | undefined {
  if (typeof resource === "string") return resource === "" ? undefined : resource;
  if (resource === undefined || resource === allPods) return undefined;
  const { namespace, name, port } = resource;
  return `${namespace}/${name}${port === undefined ? "" : `:${port}`}`;
}

/**
 * Decides whether a caller may use a route: the one place that does.
 *
 * Pure: no I/O, no logging. Denials win over grants, and absence denies. The refusal names the flag
 * that is missing, in the manner of Deno.
 */
import { GatewayError } from "../errors.ts";
import { describeGrant, type Grant, type Grants, type GrantWord } from "../grants.ts";
import type { Access } from "../routes/define.ts";
import { isHub, placeOf, repositoryOf } from "./reference.ts";

/** Who asks, and what the process lets it do. */
export interface Caller {
  readonly name: string;
  readonly grants: Grants;
}

/**
 * Grants that mean root on the node until it can be said, field by field, what a pod may ask for: an
 * absent seccomp profile is unconfined, any path of the host can be mounted. So these need `host` too.
 */
export const untilPodPolicy: ReadonlySet<Access> = new Set(["run", "checkpoint"]);

/** @throws {GatewayError} `not_capable`, naming the flag. `reference` is the image of a pull. */
export function authorize(route: { readonly allow: Access }, caller: Caller, reference?: string): void {
  if (route.allow === "authenticated") return;
  requireGrant(route.allow, caller, reference);
  if (untilPodPolicy.has(route.allow) && !canUse("host", caller)) {
    throw refusal("host", caller, {
      why: `besides ${describeGrant(route.allow)}, because what a pod may ask of the node is not narrowed yet`,
    });
  }
}

/** What a single field or parameter needs besides its route's grant. @throws {GatewayError} `not_capable`. */
export function requireGrant(grant: Grant, caller: Caller, resource?: string): void {
  if (!canUse(grant, caller, resource)) throw refusal(grant, caller, { resource });
}

/**
 * Pods that Crest did not make are somebody's: a kubelet's, for one. Changing them takes a grant of
 * its own. @throws {GatewayError} `not_capable`.
 */
export function requireManaged(
  pod: { readonly namespace: string; readonly name: string; readonly managed: boolean },
  caller: Caller,
): void {
  if (!pod.managed) requireGrant("unmanaged", caller, `${pod.namespace}/${pod.name}`);
}

/** Whether the caller may change pods that Crest did not create. */
export const canChangeUnmanaged = (caller: Caller): boolean => canUse("unmanaged", caller);

/** Whether the caller may pull some images and not others. */
export function arePullsNarrowed({ grants: { all, allow, deny } }: Caller): boolean {
  return Array.isArray(deny.pull) || (!all && Array.isArray(allow.pull));
}

/** Whether `caller` has `grant`; for a pull, whether it may pull `resource` (its normal form). */
export function canUse(grant: Grant, { grants }: Caller, resource?: string): boolean {
  const [word, kind] = grant.split(":") as [GrantWord, string | undefined];
  if (covers(grants.deny[word], { kind, resource, denies: true })) return false;
  return isAllowed(grants, word, { kind, resource, denies: false });
}

const isAllowed = ({ all, allow }: Grants, word: GrantWord, use: Use): boolean =>
  all || covers(allow[word], use);

interface Use {
  readonly kind: string | undefined;
  readonly resource: string | undefined;
  /** Whether the entry takes away. */
  readonly denies: boolean;
}

/** Whether one word's entry, which may be narrowed to kinds or prefixes, covers a use of it. */
function covers(entry: true | readonly string[] | undefined, { kind, resource, denies }: Use): boolean {
  if (entry === undefined || entry === true) return entry === true;
  if (kind !== undefined) return entry.includes(kind);
  // A resource that is not known yet is neither denied nor refused, but asked again when it is.
  if (resource === undefined) return !denies;
  return entry.some((prefix) => isBelow(resource, prefix, denies));
}

/**
 * Prefixes match on path segments: `docker.io/lib` does not cover `docker.io/library/busybox`. A grant is taken
 * literally. A denial holds for every port of a registry that it names without one, and for Docker Hub under each
 * of its names.
 */
function isBelow(reference: string, prefix: string, denies: boolean): boolean {
  const asked = placeOf(reference);
  const given = placeOf(prefix);
  const isSameHub = denies && isHub(asked.host) && isHub(given.host);
  if (asked.host !== given.host && !isSameHub) return false;
  if (asked.port !== given.port && !(denies && given.port === "")) return false;
  if (!isSameHub) return isPathBelow(asked.path, given.path);
  // Some write `docker.io/busybox` and mean `docker.io/library/busybox`.
  return readings(asked.path).some((path) => readings(given.path).some((below) => isPathBelow(path, below)));
}

const readings = (path: string): readonly string[] =>
  path.includes("/") ? [path] : [path, `library/${path}`];

function isPathBelow(path: string, prefix: string): boolean {
  if (!path.startsWith(prefix)) return false;
  const next = path[prefix.length];
  return prefix === "" || prefix.endsWith("/") || next === undefined || "/:@".includes(next);
}

interface RefusalOptions {
  readonly resource?: string | undefined;
  readonly why?: string;
}

/** Names the flag that would grant it, and the one that takes it away, which beats every grant. */
function refusal(grant: Grant, { grants }: Caller, { resource, why }: RefusalOptions): GatewayError {
  const [word, kind] = grant.split(":") as [GrantWord, string | undefined];
  const denial = grants.deny[word];
  const isDenied = covers(denial, { kind, resource, denies: true });
  const isGranted = isAllowed(grants, word, { kind, resource, denies: false });
  // A prefix has neither tag nor digest.
  const allow = word === "pull" && resource ? `--allow-pull=${repositoryOf(resource)}` : describeGrant(grant);
  const flags = [
    ...(isDenied ? [`without --deny-${word}${denial === true ? "" : `=${denial?.join(",")}`}`] : []),
    ...(isGranted ? [] : [`with ${allow}`]),
  ];
  const to = resource ? ` to "${resource}"` : "";
  return new GatewayError(
    "not_capable",
    `Requires ${word} access${to}${why ? `, ${why}` : ""}, run again ${flags.join(" and ")}`,
    {
      members: { grant, ...(resource ? { resource } : {}) },
    },
  );
}

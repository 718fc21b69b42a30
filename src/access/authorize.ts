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
  /** Path of the file that holds its token. */
  readonly tokenFile?: string | undefined;
}

/**
 * Grants that mean root on the node until it can be said, field by field, what a pod may ask for: an
 * absent seccomp profile is unconfined, any path of the host can be mounted. So these need `host` too.
 */
export const untilPodPolicy: ReadonlySet<Access> = new Set(["run", "checkpoint"]);

/** What the route of a request needs. */
export interface Guarded {
  readonly allow: Access;
  /** What a field or parameter needs besides, when it is given. */
  readonly fieldGrants?: { readonly [field: string]: Grant };
  /** Path parameter -> the field of the request that it sets. */
  readonly path?: { readonly [name: string]: string };
}

/** What is known of a request. */
export interface Asked {
  /** The image of a pull, in its normal form. */
  readonly reference?: string | undefined;
  /** Names among the route's `fieldGrants` that the request gives. */
  readonly fields?: readonly string[];
}

/**
 * Whether a caller may send a request.
 *
 * @throws {GatewayError} `not_capable`, which names everything that is missing, so that an operator restarts the
 *   gateway once.
 */
export function authorize(route: Guarded, caller: Caller, { reference, fields = [] }: Asked = {}): void {
  if (route.allow === "authenticated") return;
  const needs: Need[] = [{ grant: route.allow, resource: reference }];
  if (untilPodPolicy.has(route.allow))
    needs.push({ grant: "host", why: "because Crest does not yet limit what a pod may ask of the node" });
  for (const field of fields) {
    const grant = route.fieldGrants?.[field];
    if (grant !== undefined && needs.every((need) => need.grant !== grant))
      needs.push({ grant, why: `for "${field}"` });
  }
  const missing = needs.filter(({ grant, resource }) => !canUse(grant, caller, resource));
  if (missing.length === 0) return;
  throw refusal(missing, caller, { mayNeedUnmanaged: changesPods(route) && !canChangeUnmanaged(caller) });
}

/** @throws {GatewayError} `not_capable`. `resource`: what the grant is needed for, where it can be narrowed. */
export function requireGrant(grant: Grant, caller: Caller, resource?: string): void {
  if (!canUse(grant, caller, resource)) throw refusal([{ grant, resource }], caller);
}

/** Grants that change a pod or what is in it, so that it matters whose pod it is. */
const changing: ReadonlySet<Access> = new Set(["run", "stop", "remove", "exec", "forward", "checkpoint"]);

/** Whether a route changes the pod or the container that its path names. */
export function changesPods({ allow, path = {} }: Guarded): boolean {
  return changing.has(allow) && ("podSandboxId" in path || "containerId" in path);
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

/** A grant that a request needs. */
interface Need {
  readonly grant: Grant;
  /** What it is needed for, where the grant can be narrowed. */
  readonly resource?: string | undefined;
  readonly why?: string;
}

interface RefusalOptions {
  /** Whether `unmanaged` is missing as well if the pod turns out not to be Crest's: it has not been looked at. */
  readonly mayNeedUnmanaged?: boolean;
}

/** Names the flags that would grant it, and those that take it away, which beat every grant. */
function refusal(
  needs: readonly Need[],
  { grants }: Caller,
  { mayNeedUnmanaged = false }: RefusalOptions = {},
): GatewayError {
  const flags = needs.map((need) => flagsFor(need, grants));
  const resource = needs.find((need) => need.resource)?.resource;
  const unmanaged = remedyOf([flagsFor({ grant: "unmanaged" }, grants)]);
  return new GatewayError(
    "not_capable",
    `Requires ${needs.map(wordsOf).join(" and ")}, run again ${remedyOf(flags)}` +
      (mayNeedUnmanaged ? `, and ${unmanaged} if Crest did not create the pod` : ""),
    {
      members: {
        grant: needs[0]?.grant,
        grants: needs.map(({ grant }) => grant),
        ...(resource ? { resource } : {}),
      },
    },
  );
}

/** The flags to take away and to add. */
interface Flags {
  readonly without: readonly string[];
  readonly add: readonly string[];
}

/** What one missing grant takes. */
function flagsFor({ grant, resource }: Need, grants: Grants): Flags {
  const [word, kind] = grant.split(":") as [GrantWord, string | undefined];
  const denial = grants.deny[word];
  const isDenied = covers(denial, { kind, resource, denies: true });
  const isGranted = isAllowed(grants, word, { kind, resource, denies: false });
  // A prefix has neither tag nor digest.
  const allow = word === "pull" && resource ? `--allow-pull=${repositoryOf(resource)}` : describeGrant(grant);
  return {
    without: isDenied ? [`--deny-${word}${denial === true ? "" : `=${denial?.join(",")}`}`] : [],
    add: isGranted ? [] : [allow],
  };
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
function wordsOf({ grant, resource, why }: Need): string {
  const [word] = grant.split(":");
  return `${word} access${resource ? ` to "${resource}"` : ""}${why === undefined ? "" : ` ${why}`}`;
}

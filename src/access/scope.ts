/**
 * Scopes: the pods to which a grant or a denial is narrowed. `config/scope-text.ts` checks their texts.
 *
 * Names are compared one by one and as a whole: `demo/web-*` covers pods of the namespace `demo` whose names begin with
 * `web-`, whatever characters the rest contains.
 */

/** What scopes are compared with. */
export interface ScopedPod {
  readonly namespace: string;
  readonly name: string;
  /** Of the pod itself. Those of its containers do not count, because their creators choose them. */
  readonly labels: { readonly [key: string]: string };
  /** The port to connect to. Absent: not known yet. */
  readonly port?: number;
}

interface Scope {
  readonly matches: (pod: ScopedPod) => boolean;
  /** First and last ports. Absent: all ports. */
  readonly ports: readonly (readonly [number, number])[] | undefined;
}

/** What a grant to read may be narrowed to, because it belongs to a pod. */
export const kindsOfPods: readonly string[] = ["pods", "containers", "stats", "events"];

const scopesByKind = new WeakMap<readonly string[], Map<string, readonly string[]>>();

/**
 * The scopes in a grant to read that apply to this kind: `demo/*` for `demo/*`, and for `stats:demo/*` if the kind is
 * stats. The same list for the same grant, so that it is parsed once.
 */
export function scopesForKind(items: readonly string[], kind: string): readonly string[] {
  const byKind = scopesByKind.get(items) ?? new Map<string, readonly string[]>();
  scopesByKind.set(items, byKind);
  const scopes = byKind.get(kind) ?? items.flatMap((item) => scopeForKind(item, kind) ?? []);
  byKind.set(kind, scopes);
  return scopes;
}

function scopeForKind(item: string, kind: string): string | undefined {
  const own = kindsOfPods.find((one) => item.startsWith(`${one}:`));
  if (own !== undefined) return own === kind ? item.slice(own.length + 1) : undefined;
  return /[/:]/.test(item) ? item : undefined;
}

const parsed = new WeakMap<readonly string[], readonly Scope[]>();

/** Parses each list once. */
function scopesOf(texts: readonly string[]): readonly Scope[] {
  let scopes = parsed.get(texts);
  if (scopes === undefined) {
    scopes = texts.map(parseScope);
    parsed.set(texts, scopes);
  }
  return scopes;
}

const portSuffix = /:([0-9,-]+)$/;

function parseScope(text: string): Scope {
  const ports = portSuffix.exec(text)?.[1];
  return {
    matches: podMatcher(ports === undefined ? text : text.slice(0, -ports.length - 1)),
    ports: ports?.split(",").map((range) => {
      const [first, last = first] = range.split("-").map(Number);
      return [first ?? 0, last ?? 0] as const;
    }),
  };
}

/** `label:app=web`, `demo`, `demo/web`, `demo/*`. */
function podMatcher(text: string): Scope["matches"] {
  if (text.startsWith("label:")) {
    const equals = text.indexOf("=");
    const [key, value] = [text.slice("label:".length, equals), text.slice(equals + 1)];
    return ({ labels }) => Object.hasOwn(labels, key) && labels[key] === value;
  }
  const slash = text.indexOf("/");
  const namespace = nameMatcher(slash === -1 ? text : text.slice(0, slash));
  const name = nameMatcher(slash === -1 ? "*" : text.slice(slash + 1));
  return (pod) => namespace(pod.namespace) && name(pod.name);
}

/** A name in which `*` stands for any characters. Takes linear time for each part of the pattern. */
function nameMatcher(pattern: string): (name: string) => boolean {
  const [first = "", ...rest] = pattern.split("*");
  const last = rest.pop();
  if (last === undefined) return (name) => name === pattern;
  return (name) => {
    if (!name.startsWith(first)) return false;
    let at = first.length;
    for (const part of rest) {
      const found = name.indexOf(part, at);
      if (found === -1) return false;
      at = found + part.length;
    }
    return name.length - last.length >= at && name.endsWith(last);
  };
}

/** All pods that there are or will be. */
export const allPods = Symbol("all pods");

/** Which pods a decision is about: one; all; or one that is not known yet. */
export type Pods = ScopedPod | typeof allPods | undefined;

/**
 * Whether scopes cover `pods`.
 *
 * While the pod or the port is unknown, nothing is denied or refused: the check is repeated once it is known. All pods
 * are covered by no scope, and denied by each.
 */
export function coversPods(
  texts: readonly string[],
  pods: Pods,
  { denies }: { readonly denies: boolean },
): boolean {
  return scopesOf(texts).some((scope) => {
    if (pods === undefined) return !denies;
    if (pods === allPods) return denies;
    if (!scope.matches(pods)) return false;
    const { port } = pods;
    if (scope.ports === undefined) return true;
    return port === undefined ? !denies : scope.ports.some(([first, last]) => first <= port && port <= last);
  });
}

const plainName = /^[A-Za-z0-9._-]+$/;

/** The scope that covers just this pod: `demo/web`; undefined if its name cannot be written as a scope. */
export function scopeOfPod({ namespace, name, port }: ScopedPod): string | undefined {
  if (!plainName.test(namespace) || !plainName.test(name)) return undefined;
  return `${namespace}/${name}${port === undefined ? "" : `:${port}`}`;
}

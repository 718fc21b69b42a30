/** What scopes cover, compared with a slow and simple reading of them; and that no combination gives more than its parts. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Caller, canUse, layersOf } from "../../../src/access/authorize.ts";
import { allPods, coversPods, kindsOfPods, type ScopedPod } from "../../../src/access/scope.ts";
import { readForwardScope, readReadItem, readScope } from "../../../src/config/scope-text.ts";
import { allGrants, type Grant, type GrantSet, type Grants, grantWords } from "../../../src/grants.ts";
import { randomRuns } from "../../support/random-runs.ts";
import { createDice, seed } from "../gen/dice.ts";

const dice = createDice(seed);
const bare = { labels: {} };

// ---- The simple reading ----

/** Whether the pattern stands for the name: tries every length for each `*`. */
function isLike(pattern: string, name: string): boolean {
  if (pattern === "") return name === "";
  if (pattern[0] !== "*") return pattern[0] === name[0] && isLike(pattern.slice(1), name.slice(1));
  return Array.from({ length: name.length + 1 }).some((_, used) =>
    isLike(pattern.slice(1), name.slice(used)),
  );
}

/** A scope as it is documented, for a pod whose port is known if the scope has ports. */
function isIn(text: string, pod: ScopedPod): boolean {
  const colon = text.lastIndexOf(":");
  const hasPorts = colon !== -1 && /^[0-9]/.test(text.slice(colon + 1)) && !text.slice(colon).includes("=");
  const pods = hasPorts ? text.slice(0, colon) : text;
  const ports = hasPorts ? text.slice(colon + 1).split(",") : [];
  if (hasPorts && !ports.some((range) => portsIn(range).includes(pod.port ?? 0))) return false;
  if (pods.startsWith("label:")) {
    const [key = "", value] = pods.slice("label:".length).split("=");
    return new Map(Object.entries(pod.labels)).get(key) === value;
  }
  const [namespace = "", name = "*"] = pods.split("/");
  return isLike(namespace, pod.namespace) && isLike(name, pod.name);
}

function portsIn(range: string): readonly number[] {
  const [first = 0, last = first] = range.split("-").map(Number);
  return Array.from({ length: last - first + 1 }, (_, index) => first + index);
}

function isGivenBy({ all, allow, deny }: Grants, grant: Grant, pod: ScopedPod): boolean {
  const [word = "", kind] = grant.split(":");
  const has = (set: GrantSet): boolean => {
    const entry = (set as { readonly [word: string]: true | readonly string[] | undefined })[word];
    if (entry === undefined || entry === true) return entry === true;
    if (kind === undefined) return entry.some((text) => isIn(text, pod));
    return entry.some((item) => {
      const own = kindsOfPods.find((one) => item.startsWith(`${one}:`));
      const scope = own === undefined ? item : item.slice(own.length + 1);
      if (item === kind) return true;
      if (!/[/:]/.test(item) || !kindsOfPods.includes(kind)) return false;
      return (own === undefined || own === kind) && isIn(scope, pod);
    });
  };
  return !has(deny) && (all || has(allow));
}

// ---- Names that are alike, so that they often match ----

const namespaces = ["demo", "dem", "demo2", "pods", "stats", "label", "1", "", "a/b", "é*"];
const names = ["web", "web-1", "web-", "db", "w", "", "a=b", "x/web", "*", "w\u00e9b", "80"];
const labels = [{}, { app: "web" }, { app: "db", tier: "x" }, { app: "" }, { "a.b/c": "web" }];
const ports = [1, 80, 443, 8000, 8005, 65_535];
const scopes = [
  ...["demo", "demo/web", "demo/*", "demo/web-*", "*/web-*", "*/*", "d*o/*", "*e*/w*b", "*", "**/web"],
  ...["label:app=web", "label:app=", "label:a.b/c=web", "label/web", "pods/*", "stats", "1/*", "a*a/web"],
];
const portScopes = [
  ...scopes,
  "demo/web:80",
  "demo:80,8000-8010",
  "pods:80",
  "label:443",
  "label:app=web:1-79",
];
const readItems = [
  ...["pods", "containers", "images", "stats", "events", "runtime", "demo/*", "*/web", "label:app=web"],
  ...["stats:demo", "pods:demo/web", "events:label:app=web", "containers:1/*", "pods:pods/*", "stats:stats"],
];

const somePod = (): ScopedPod => ({
  namespace: dice.pick(namespaces),
  name: dice.pick(names),
  labels: dice.pick(labels),
  port: dice.pick(ports),
});

function someSet(): GrantSet {
  const set: { [word: string]: true | readonly string[] } = {};
  for (const [word, { takes }] of Object.entries(grantWords)) {
    if (!dice.oneIn(3)) continue;
    const items =
      takes === "scope" ? scopes : takes === "ports" ? portScopes : takes === "kinds" ? readItems : [];
    set[word] = items.length === 0 || dice.oneIn(5) ? true : [dice.pick(items), dice.pick(items)];
  }
  return set;
}

const someGrants = (): Grants => ({
  all: dice.oneIn(4),
  allow: someSet(),
  deny: dice.oneIn(2) ? {} : someSet(),
});
const callerOf = (grants: Grants, ...layers: readonly Grants[]): Caller => ({ name: "ci", grants, layers });
const podGrants = allGrants.filter((grant) => {
  const [word = "", kind = ""] = grant.split(":");
  const { takes } = grantWords[word as keyof typeof grantWords];
  return takes === "scope" || takes === "ports" || kindsOfPods.includes(kind);
});

test(`a grant decides about a pod as it is documented (seed ${seed})`, () => {
  for (const text of scopes) assert.equal(readScope(text), text);
  for (const text of portScopes) readForwardScope(text);
  for (const item of readItems) readReadItem(item);
  let given = 0;
  for (let run = 0; run < randomRuns(20_000); run++) {
    const grants = someGrants();
    const grant = dice.pick(podGrants);
    const pod = somePod();
    const expected = isGivenBy(grants, grant, pod);
    if (expected) given++;
    assert.equal(canUse(grant, callerOf(grants), pod), expected, JSON.stringify({ grant, grants, pod }));
  }
  assert.ok(given > 0);
});

test(`no combination of allows, denials, scopes and layers gives more than each of its parts (seed ${seed})`, () => {
  for (let run = 0; run < randomRuns(20_000); run++) {
    const layers = Array.from({ length: 1 + dice.roll(3) }, someGrants);
    const [first = someGrants(), ...others] = layers;
    const caller = callerOf(first, ...others);
    const grant = dice.pick(podGrants);
    const pod = somePod();
    const told = JSON.stringify({ grant, layers, pod });
    const may = canUse(grant, caller, pod);
    assert.equal(
      may,
      layersOf(caller).every((one) => canUse(grant, callerOf(one), pod)),
      told,
    );
    // All pods are each pod.
    if (canUse(grant, caller, allPods)) assert.ok(may, told);
    // What is checked before the pod is known refuses nothing that is permitted later.
    const { port: _, ...withoutPort } = pod;
    if (may) assert.ok(canUse(grant, caller) && canUse(grant, caller, withoutPort), told);
    // A denial only takes away, a grant only gives.
    const denied = { ...first, deny: { ...someSet(), ...first.deny } };
    if (canUse(grant, callerOf(denied, ...others), pod)) assert.ok(may, told);
    const allowed = { ...first, allow: { ...someSet(), ...first.allow } };
    if (may) assert.ok(canUse(grant, callerOf(allowed, ...others), pod), told);
  }
});

test("a namespace called like a kind of reading is one, also with ports", () => {
  const may = (scope: string, namespace: string, port: number): boolean =>
    canUse("forward", callerOf({ all: false, allow: { forward: [readForwardScope(scope)] }, deny: {} }), {
      ...bare,
      ...{ namespace, name: "web", port },
    });
  for (const kind of kindsOfPods) {
    assert.equal(may(`${kind}:80`, kind, 80), true);
    assert.equal(may(`${kind}:80`, kind, 81), false);
    assert.equal(may(`${kind}:80`, "80", 22), false);
  }
});

test("labels are those of the pod itself, whatever they are called", () => {
  const covers = (text: string, labels: ScopedPod["labels"]): boolean =>
    coversPods([text], { namespace: "demo", name: "web", labels }, { denies: false });
  for (const key of ["constructor", "toString", "hasOwnProperty"]) {
    assert.equal(covers(`label:${key}=`, {}), false);
    assert.equal(covers(`label:${key}=x`, { [key]: "x" }), true);
  }
  assert.equal(covers("label:app=web", { app: "web=x" }), false);
  assert.equal(covers("label:app=web", { App: "web" }), false);
});

test("nothing is written as a scope that would be read as another one", () => {
  const a = "a".repeat(254);
  for (const text of [
    ...["", "/", "demo/", "/web", "a/b/c", "demo web", "dem\u00f6", "demo/w=b", "a:b", "demo/web\n", "-A\0"],
    ...[
      "label:",
      "label:app",
      "label:app=a=b",
      "label:=web",
      "label:app=web,",
      "label:a/b/c=d",
      "label:app=w*b",
    ],
    ...["1", "true", "ALL", "off", a, `demo/${a}`, `${a}/*`, `label:${a}=x`, `label:app=${a}`],
  ])
    for (const read of [readScope, readForwardScope, readReadItem])
      assert.throws(() => read(text), { name: "StartError" }, `${read.name} ${JSON.stringify(text)}`);
  for (const text of [
    "demo:",
    "demo:0",
    "demo:65536",
    "demo:2-1",
    "demo:1,",
    "demo:1-2-3",
    "80",
    "demo:80:80",
  ])
    assert.throws(() => readForwardScope(text), { name: "StartError" }, text);
});

test("names of 64 KiB are compared as others are", () => {
  const long = "a".repeat(65_536);
  const half = "a".repeat(120);
  const covers = (text: string, name: string): boolean =>
    coversPods([readScope(text)], { ...bare, namespace: "demo", name }, { denies: false });
  for (const [glob, other] of [
    [`demo/*${half}b${half}*`, `${long}b${long}`],
    [`demo/*b${half}*`, `${long}b${long}`],
    [`demo/${"a*".repeat(124)}b`, `${long}b`],
    [`demo/*${"ab".repeat(120)}c*`, `${"ab".repeat(32_768)}c`],
  ] as const) {
    assert.equal(covers(glob, long), false, glob);
    assert.equal(covers(glob, other), true, glob);
  }
  assert.equal(covers(`demo/${"*".repeat(253)}`, long), true);
});

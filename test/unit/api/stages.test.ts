import assert from "node:assert/strict";
import { test } from "node:test";
import { isScoped } from "../../../src/access/authorize.ts";
import { createBinder } from "../../../src/api/bind.ts";
import { RequestContext } from "../../../src/api/context.ts";
import type { Gateway } from "../../../src/api/gateway.ts";
import type { Admitted, RequestAudit } from "../../../src/api/request-audit.ts";
import { compileStages, type StageName } from "../../../src/api/stages.ts";
import { isAudited } from "../../../src/audit/decision.ts";
import type { Grants } from "../../../src/grants.ts";
import { createInventory } from "../../../src/inventory/inventory.ts";
import type { Route } from "../../../src/routes/define.ts";
import { routes } from "../../../src/routes/index.ts";
import { createDefaults } from "../../../src/runtimes/defaults.ts";
import { stubRuntime } from "../cri/stub-runtime.ts";

const auditOf = (admit: (admitted: Admitted) => void): RequestAudit => ({
  covers: (route) => isAudited(route, "changes"),
  admit: (_request, admitted) => admit(admitted),
  sessionBegan: () => undefined,
});
const runtime = stubRuntime({});
const gateway = {
  runtime,
  inventory: createInventory(runtime),
  defaults: createDefaults({ runtime, logRoot: "/tmp", execMaxMs: 0 }),
  audit: auditOf(() => undefined),
} as unknown as Gateway;

const stagesOf = (route: Route, options: Partial<Gateway> = {}, bind = (): void => undefined) =>
  compileStages(
    route,
    { ...gateway, ...options },
    {
      binder: createBinder(route),
      bind,
      call: async () => "called",
      answer: (_ctx, answer) => answer,
    },
  );

const idOf = ({ id }: Route): string => id;
const having = (name: StageName): readonly string[] =>
  routes.filter((route) => stagesOf(route).names.includes(name)).map(idOf);

test("compileStages() keeps the stages in one order on every route", () => {
  const order: readonly StageName[] = [
    ...([
      "fieldGrants",
      "target",
      "defaults",
      "scope",
      "policy",
      "support",
      "claim",
      "audit",
      "prepare",
    ] as const),
  ];
  for (const route of routes) {
    const { names } = stagesOf(route);
    assert.deepEqual(
      names,
      order.filter((name) => names.includes(name)),
      route.id,
    );
  }
});

test("compileStages() finds the target of every route whose path names a pod or a container", () => {
  const named = routes.filter(({ path = {} }) => "podSandboxId" in path || "containerId" in path).map(idOf);
  const filtered = routes
    .filter(
      (route) => route.kind === "list" && ("id" in (route.filters ?? {}) || "pod" in (route.filters ?? {})),
    )
    .map(idOf);
  // A kept session names its container.
  assert.deepEqual(having("target").toSorted(), [...named, ...filtered, "resumeSession"].toSorted());
});

test("compileStages() checks scopes where what a caller sees does not decide, and only for such callers", () => {
  assert.deepEqual(having("scope"), []);
  const grants: Grants = {
    all: true,
    allow: {},
    deny: { read: ["x/*"], forward: ["x"], run: ["x"], checkpoint: ["x"] },
  };
  const scoped = routes.filter((route) => isScoped(route, { name: "test", grants }));
  const seen = { readable: () => createInventory(runtime) };
  const ofPods = scoped.filter((route) => stagesOf(route, seen).names.includes("scope")).map(idOf);
  assert.deepEqual(ofPods, ["runPod", "restorePod", "forwardPorts"]);
});

test("compileStages() puts every change on record", () => {
  const changes = routes.filter(({ allow, http }) =>
    allow === "authenticated" ? !http.startsWith("GET ") : !allow.startsWith("read:"),
  );
  assert.deepEqual(having("audit"), changes.map(idOf));
});

test("compileStages() holds the routes that carry a config against the policy", () => {
  // The steps of a run hold theirs against it.
  const withoutConfig = ["startContainer", "reopenContainerLog", "run"];
  const carrying = routes.filter(({ allow }) => allow === "run" || allow === "checkpoint").map(idOf);
  // An image to pull may have annotations.
  const wanted = [...carrying.filter((id) => !withoutConfig.includes(id)), "pullImage"];
  assert.deepEqual(having("policy").toSorted(), wanted.toSorted());
});

const stopPod = routes.find(({ id }) => id === "stopPod") as Route;
const podId = "a".repeat(64);

function contextOf(grants: object): RequestContext {
  const request = { id: "r1", params: {}, query: {}, headers: {} };
  const reply = { raw: { destroyed: false, once: () => undefined } };
  const caller = { name: "token", grants: { all: false, allow: {}, deny: {}, ...grants } };
  const ctx = new RequestContext(stopPod, { ...request, caller } as never, reply as never);
  ctx.bound = { ...ctx.bound, message: { podSandboxId: podId } };
  return ctx;
}

test("run() records the decision before it calls, and does not call when the record fails", async () => {
  const list = { items: [{ id: podId, labels: { "crest/managed": "true" } }] };
  const inventory = createInventory(stubRuntime({ "RuntimeService/ListPodSandbox": () => list }));
  const entries: Admitted[] = [];
  const recording = stagesOf(stopPod, { inventory, audit: auditOf((entry) => void entries.push(entry)) });
  assert.equal(await recording.run(contextOf({ all: true })), "called");
  assert.deepEqual(JSON.parse(JSON.stringify(entries)), [
    { grants: ["stop"], object: { namespace: "", name: "", uid: podId }, annotations: {} },
  ]);

  let isCalled = false;
  const failing = compileStages(
    stopPod,
    {
      ...gateway,
      inventory,
      audit: auditOf(() => {
        throw new Error("disk full");
      }),
    },
    {
      binder: createBinder(stopPod),
      bind: () => undefined,
      call: async () => {
        isCalled = true;
      },
      answer: () => undefined,
    },
  );
  await assert.rejects(failing.run(contextOf({ all: true })), /disk full/);
  assert.equal(isCalled, false);
});

test("run() refuses to change a pod that Crest did not make, and does not call", async () => {
  const list = { items: [{ id: podId, metadata: { namespace: "kube-system", name: "dns" }, labels: {} }] };
  const inventory = createInventory(stubRuntime({ "RuntimeService/ListPodSandbox": () => list }));
  const { run } = stagesOf(stopPod, { inventory });
  await assert.rejects(run(contextOf({ allow: { stop: true } })), /unmanaged.*kube-system\/dns/);
  assert.equal(await run(contextOf({ allow: { stop: true, unmanaged: true } })), "called");
});

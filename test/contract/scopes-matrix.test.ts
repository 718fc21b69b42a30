/**
 * Every route, in every form, with its grant: not given, given for other pods, given for these pods, denied for them, and
 * denied for others; given for all pods it is in table-access.test.ts. What is out of scope must be answered as what does not exist.
 */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, type TestContext, test } from "node:test";
import { canUse, changesPods } from "../../src/access/authorize.ts";
import { hasPolicy } from "../../src/access/policy/pod-policy.ts";
import { allPods } from "../../src/access/scope.ts";
import type { Grant, GrantSet, Grants } from "../../src/grants.ts";
import type { Route } from "../../src/routes/define.ts";
import { rpcsOf } from "../../src/routes/define.ts";
import { routes } from "../../src/routes/index.ts";
import { isFiltered } from "../../src/runtimes/visible.ts";
import { loadTls } from "../../src/tls/identity.ts";
import { createAuthority } from "../support/spdy-certificate.ts";
import { createSpdyServer } from "../support/spdy-server.ts";
import { askOver, type Form, formsOf, type SocketAnswer } from "./scope-requests.ts";
import { type Case, caseOf, states, subjectOf } from "./table-cases.ts";
import { answerUnserved, each, isLacking, statusOn } from "./table-checks.ts";
import {
  allBut,
  type Credential,
  everything,
  exactly,
  sharedGateway,
  type TestApp,
} from "./table-gateway.ts";

const { gateway, fake } = await sharedGateway();
const streams = await createSpdyServer();
after(() => streams.close());
fake.streamUrl = (stream) => streams.streamUrl(stream);
answerUnserved(fake);

/** How a caller shows who it is, and so gets its grants. */
const credentials: readonly Credential[] = [
  "the gateway's token",
  "a token of the file",
  "a JSON Web Token",
  "a client certificate",
];
const [servers, clients] = [createAuthority("servers"), createAuthority("clients")];
const client = clients.issue("narrow");
const own = servers.issue("gateway");
const files = {
  cert: join(gateway.dataDir, "tls.crt"),
  key: join(gateway.dataDir, "tls.key"),
  clientCa: join(gateway.dataDir, "clients.crt"),
};
writeFileSync(files.cert, own.cert);
writeFileSync(files.key, own.key, { mode: 0o600 });
writeFileSync(files.clientCa, clients.cert);
const tls = { files, identity: await loadTls(files) };

/** The app in which a caller with this credential has the grants. */
const openFor = (grants: Grants, by: Credential): TestApp =>
  gateway.open(grants, { by, ...(by === "a client certificate" ? { tls } : {}) });

/** The cases are in the namespace `default`. */
const [here, elsewhere] = ["default/*", "other/*"];
const other = fake.addContainer({ pod: fake.addPod({ namespace: "other" }), logPath: "0.log" });

/** A set with one grant, narrowed to a scope. */
function narrowed(grant: Grant, scope: string): GrantSet {
  const [word = "", kind] = grant.split(":");
  return { [word]: [kind === undefined ? scope : `${kind}:${scope}`] };
}

const isOfPods = (grant: Grant): boolean =>
  !canUse(grant, { name: "x", grants: { all: false, allow: narrowed(grant, here), deny: {} } }, allPods) &&
  canUse(grant, { name: "x", grants: { all: false, allow: narrowed(grant, here), deny: {} } });

const scoped = routes.filter(
  (route): route is Route & { readonly allow: Grant } =>
    // A kept session must be there: kept-sessions-callers.test.ts.
    route.kind !== "resume" && route.allow !== "authenticated" && isOfPods(route.allow),
);
const ofOne = scoped.filter(({ path = {} }) => "podSandboxId" in path || "containerId" in path);
const ofAll = scoped.filter((route) => !ofOne.includes(route));
/** What is asked for besides, where a route requires it. */
const queries: { readonly [id: string]: string } = {
  execContainer: "?command=true",
  forwardPorts: "?ports=80",
  // JSON is the second reading, and readings come slowly by default.
  watchContainerStats: "?interval=1s",
  watchOneContainerStats: "?interval=1s",
  watchPodStats: "?interval=1s",
  watchOnePodStats: "?interval=1s",
};
/** These need the grant for all pods. */
const needsAll: ReadonlySet<string> = new Set(["restorePod"]);

/** For a body that asks for the node. */
const besides = (route: Route): GrantSet =>
  route.kind === "unary" && route.body !== undefined && hasPolicy(route.rpc) ? { host: true } : {};

const allowing = (route: Route, allow: GrantSet): Grants => ({
  all: false,
  allow: { ...allow, ...besides(route) },
  deny: {},
});

type ScopedRoute = (typeof scoped)[number];

const seeing: { readonly [state: string]: (route: ScopedRoute) => Grants } = {
  "given for these": (route) => allowing(route, narrowed(route.allow, here)),
  "denied for others": (route) => ({ ...everything, deny: narrowed(route.allow, elsewhere) }),
};
const blind: { readonly [state: string]: (route: ScopedRoute) => Grants } = {
  "given for others": (route) => allowing(route, narrowed(route.allow, elsewhere)),
  "denied for these": (route) => ({
    all: false,
    allow: { ...exactly([route.allow]).allow, ...besides(route) },
    deny: narrowed(route.allow, here),
  }),
};

const subjects = new Map<string, string>();

/** A case about something that is used again, unless the request is to change it. */
function caseFor(route: ScopedRoute, willChange = false): Case {
  const field = Object.values(route.path ?? {})[0];
  if (field === undefined || (willChange && changesPods(route))) return caseOf(fake, route);
  const key = `${field} ${states[route.id]}`;
  const subject = subjects.get(key) ?? subjectOf(fake, route, field);
  subjects.set(key, subject);
  return caseOf(fake, route, { subject });
}

/** Removes the pods that cases have changed or made: every reading of usage would ask for each. */
async function removeUsed(): Promise<void> {
  const again = [other.id, ...subjects.values()].map((id) => fake.containers.get(id)?.podId ?? id);
  for (const podSandboxId of fake.pods.keys())
    if (!again.includes(podSandboxId))
      await fake.perform("RuntimeService/RemovePodSandbox", { podSandboxId });
}

const sockets = new Map<TestApp, Promise<string>>();

/** Listens once for each app. */
function listening(one: TestApp): Promise<string> {
  const path = join(gateway.dataDir, `scopes-${sockets.size}.sock`);
  const socket = sockets.get(one) ?? one.app.server.listen({ path }).then(() => path);
  sockets.set(one, socket);
  return socket;
}

async function send(app: TestApp, route: Route, it: Case, form: Form): Promise<SocketAnswer> {
  // What lasts is left once it has begun.
  const until = new Promise((resolve) => setTimeout(resolve, 100));
  const { authorization } = app;
  const certificate = authorization === null ? client : undefined;
  return await askOver({ socketPath: await listening(app), authorization, client: certificate }, it, {
    form,
    query: queries[route.id] ?? "",
    until,
  });
}

/** The forms of a route, the quickest first: JSON of what lasts is its second item. */
function quickestFirst(route: Route): readonly Form[] {
  const forms = formsOf(route);
  if (route.kind !== "stream") return forms;
  return [...forms.filter((form) => form !== "application/json"), "application/json"];
}

/** Every form for the first kind of caller, the quickest for others. Who it is has nothing to do with the form. */
const formsFor = (route: Route, by: Credential): readonly Form[] =>
  by === credentials[0] ? formsOf(route) : quickestFirst(route).slice(0, 1);

/** Calls `check` for each kind of caller, each of the states, and each form of the route. */
async function everyWay(
  t: TestContext,
  route: ScopedRoute,
  states: typeof seeing,
  check: (app: TestApp, form: Form) => Promise<void>,
): Promise<void> {
  for (const by of credentials) {
    for (const [state, grantsFor] of Object.entries(states)) {
      await t.test(`${by}, ${state}`, async () => {
        const app = openFor(grantsFor(route), by);
        for (const form of formsFor(route, by)) await check(app, form);
      });
    }
  }
}

test("without the grant each route is refused in every form", async (t) => {
  await each(t, scoped, async (route) => {
    for (const by of credentials) {
      for (const form of formsFor(route, by)) {
        const app = openFor(allBut(route.allow), by);
        const answer = await send(app, route, caseFor(route), form);
        assert.equal(answer.status, 403, answer.text);
        assert.equal(JSON.parse(answer.text).code, "not_capable");
      }
    }
  });
});

test("who sees a pod uses each route as who sees all pods", async (t) => {
  await each(t, scoped, async (route, own) => {
    await everyWay(own, route, seeing, async (app, form) => {
      const answer = await send(app, route, caseFor(route, true), form);
      const expected = needsAll.has(route.id)
        ? 403
        : form === "websocket"
          ? 101
          : statusOn("containerd-2.1", route);
      assert.equal(answer.status, expected, `${form}: ${answer.text}`);
    });
    await removeUsed();
  });
});

/** An answer without what must differ: the request's id, the time, and what was asked for. */
function plain({ status, headers, text }: SocketAnswer, asked: string): object {
  const { date: _, "x-request-id": id, ...others } = headers;
  return { status, others, text: text.replaceAll(asked, "ASKED").replaceAll(String(id), "REQUEST") };
}

/** How a case can name its subject: by id, the first digits of it, and by name, each with one that does not exist. */
function namesFor(it: Case): readonly (readonly [string, string])[] {
  const id = String(it.lands.get("podSandboxId") ?? it.lands.get("containerId"));
  const { config } = fake.pods.get(id) ?? fake.containers.get(id) ?? assert.fail(`nothing has the id ${id}`);
  const name = config.metadata?.name ?? "";
  const absent = randomBytes(32).toString("hex");
  return [
    [id, absent],
    [id.slice(0, 12), absent.slice(0, 12)],
    // As near to the names that are visible, which an answer may suggest.
    [name, name.replace(/.$/, "z")],
  ];
}

test("what is out of scope is answered as what does not exist, by id, prefix and name", async (t) => {
  await each(t, ofOne, (route, own) =>
    everyWay(own, route, blind, async (app, form) => {
      const it = caseFor(route);
      const names = namesFor(it);
      const [[id = ""] = []] = names;
      fake.calls.length = 0;
      // The form has nothing to do with how an id is found.
      for (const [hidden, absent] of form === quickestFirst(route)[0] ? names : names.slice(0, 1)) {
        const [ofHidden, ofAbsent] = await Promise.all(
          [hidden, absent].map(async (asked) =>
            plain(await send(app, route, { ...it, path: it.path.replace(id, asked) }, form), asked),
          ),
        );
        assert.deepEqual(ofHidden, ofAbsent, form);
        assert.equal((ofHidden as SocketAnswer).status, 404);
      }
      if ("rpc" in route && changesPods(route)) assert.deepEqual(fake.callsOf(route.rpc), []);
    }),
  );
});

test("what is readable and out of scope is refused, naming the pod", async (t) => {
  const using = ofOne.filter(({ allow }) => !allow.startsWith("read"));
  await each(t, using, async (route) => {
    for (const [state, grantsFor] of Object.entries(blind)) {
      const grants = grantsFor(route);
      const app = gateway.open({ ...grants, allow: { ...grants.allow, read: ["pods", "containers"] } });
      for (const form of formsOf(route)) {
        const answer = await send(app, route, caseFor(route), form);
        assert.equal(answer.status, 403, `${state}: ${answer.text}`);
        assert.match(JSON.parse(answer.text).resource, /^default\/pod-\d+$/);
      }
    }
  });
});

test("lists and reports hold nothing of what is out of scope", async (t) => {
  const seen = fake.addContainer({ pod: fake.addPod({ state: "not ready" }), state: "exited" });
  await each(t, ofAll, (route, own) =>
    everyWay(own, route, blind, async (app, form) => {
      const answer = await send(app, route, caseFor(route), form);
      const isRefused = needsAll.has(route.id) || route.id === "runPod" || route.id === "run";
      const expected = isRefused ? 403 : form === "websocket" ? 101 : statusOn("containerd-2.1", route);
      assert.equal(answer.status, expected, answer.text);
      for (const id of [seen.id, seen.podId]) assert.ok(!answer.text.includes(id), answer.text);
    }),
  );
});

test("lists and reports hold what is in scope", async (t) => {
  const listing = ofAll.filter(
    (route) =>
      (route.kind === "list" && !isLacking("containerd-2.1", route)) ||
      // No log is written here.
      (route.kind === "stream" && route.id !== "listLogs"),
  );
  await each(t, listing, async (route) => {
    const app = gateway.open(blind["given for others"]?.(route));
    for (const form of formsOf(route)) {
      const { text } = await send(app, route, { ...caseFor(route), query: "" }, form);
      assert.match(text, new RegExp(`${other.id}|${other.podId}|other/`), form);
    }
  });
});

test("each RPC of a route of pods is filtered, or tells nothing of pods", () => {
  const ofNode =
    /\/(Version|Status|RuntimeConfig|ListMetricDescriptors|RunPodSandbox|RestorePod|GetContainerEvents|ListImages|ImageStatus|PullImage)$/;
  for (const route of scoped)
    for (const rpc of rpcsOf(route))
      assert.ok(isFiltered(rpc) !== ofNode.test(rpc), `${route.id} uses ${rpc}`);
});

/** What the tests of the route table share: routes by what they do, and a test for each of them. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import type { TestContext } from "node:test";
import { methods, type Rpc } from "../../src/gen/methods.ts";
import { isSession, type Route } from "../../src/routes/define.ts";
import { routes } from "../../src/routes/index.ts";
import { mannerOf } from "../support/fake-runtime/manners/all.ts";
import type { FakeRuntime, MannerName } from "../support/fake-runtime.ts";
import { type Case, type CaseOptions, methodOf, rpcsOf, targetOf } from "./table-cases.ts";
import type { Answer, TestApp } from "./table-gateway.ts";
import { fullMessage, responseBytes } from "./table-messages.ts";

/** Routes that answer a request; sessions want an upgrade. */
export const answering = routes.filter((route) => !isSession(route));
/** Those that ask the runtime. */
export const asking = answering.filter((route) => rpcsOf(route).length > 0);
export const reading = answering.filter((route) => methodOf(route) === "GET");
export const writing = answering.filter((route) => methodOf(route) !== "GET");
export const withId = answering.filter((route) => route.path !== undefined);

/** Runs `check` for each of the routes, as a test of its own. */
export async function each<R extends Route>(
  t: TestContext,
  some: readonly R[],
  check: (route: R, t: TestContext) => Promise<void> | void,
): Promise<void> {
  assert.ok(some.length > 0, "no route is checked");
  for (const route of some) await t.test(`${route.id}: ${route.http}`, (own) => check(route, own));
}

export const send = (app: TestApp, it: Case, query = ""): Promise<Answer> =>
  app.ask(targetOf(it, query), it.json === undefined ? {} : { json: it.json });

/** The options of a case whose subject only the gateway can create. */
export async function subjectIn(app: TestApp, route: Route): Promise<CaseOptions> {
  const fields = Object.values(route.path ?? {});
  if (fields.includes("tokenName")) {
    const made = await app.ask("POST /v1/tokens", {
      json: { name: `subject-${randomUUID()}`, grants: { allow: { exec: true } } },
    });
    assert.equal(made.status, 201, made.text);
    return { subject: made.json<{ name: string }>().name };
  }
  if (!fields.includes("pullId")) return {};
  const pulled = await app.ask("POST /v1/images/pull", { json: { image: "busybox:1.36" } });
  assert.equal(pulled.status, 200, pulled.text);
  const { pulls } = (await app.ask("GET /v1/pulls")).json<{ pulls: readonly { readonly id: string }[] }>();
  const [{ id } = assert.fail("the pull is not listed")] = pulls;
  return { subject: id };
}

export const successOf = (route: Route): number =>
  route.kind === "list" ? 200 : isSession(route) ? 101 : route.success;

/** Runtimes refuse these whatever the request says, or have them not at all: tests answer instead. */
const unserved: readonly Rpc[] = [
  "RuntimeService/CheckpointContainer",
  "RuntimeService/CheckpointPod",
  "RuntimeService/RestorePod",
];

export function answerUnserved(fake: FakeRuntime): void {
  for (const rpc of unserved) fake.on(rpc, fixedAnswer(rpc));
}

/** An answer with every field, always the same. */
export const fixedAnswer = (rpc: Rpc): Uint8Array => responseBytes(rpc, fullMessage(methods[rpc].response));

/** Whether a runtime has not what a route asks for, and no test answers instead. */
export function isLacking(manner: MannerName, route: Route): boolean {
  if (!("rpc" in route)) return false;
  return mannerOf(manner).unimplemented.has(route.rpc) && !unserved.includes(route.rpc);
}

/** What a runtime refuses though it has the RPC. */
const refused: { readonly [mannerAndRoute: string]: number } = { "cri-dockerd reopenContainerLog": 501 };

/** The status with which a route answers a right request on a runtime. */
export const statusOn = (manner: MannerName, route: Route): number =>
  // Only a WebSocket begins a session: kept-sessions.test.ts.
  route.id === "endSession"
    ? 404
    : isLacking(manner, route)
      ? 501
      : (refused[`${manner} ${route.id}`] ?? successOf(route));

/** Makes it a runtime that ignores no field of a pod or a container. In ignored-fields.test.ts are the others. */
export function ignoreNothing(fake: FakeRuntime): void {
  fake.on("RuntimeService/Version", { runtimeName: "containerd", runtimeVersion: "v99.0.0" });
  fake.on("RuntimeService/Status", {
    features: { supplementalGroupsPolicy: true, userNamespacesHostNetwork: true, mountOptions: true },
    runtimeHandlers: [{ features: { recursiveReadOnlyMounts: true, userNamespaces: true } }],
  });
}

/**
 * Situations and their answers: the same on every runtime, but where one really does what others refuse, or
 * cannot do it at all. What is a conflict, an absence or a mistake of the caller is 409, 404 or 400 with one
 * code, and nothing that was not done is said to be.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { status as grpcStatus } from "@grpc/grpc-js";
import { type FakeContainer, type FakePod, type MannerName, mannerNames } from "../support/fake-runtime.ts";
import { type Answer, type LiveGateway, liveGateway } from "./live-gateway.ts";

/** A status alone is a success; a problem has its code. */
export interface Outcome {
  readonly status: number;
  readonly code?: string;
  /** Of a mistake: the field that the problem points to. */
  readonly pointer?: string;
}

export interface Situation extends Outcome {
  readonly situation: string;
  readonly run: (gateway: LiveGateway) => Promise<Answer>;
  /** Where a runtime really does it, or cannot do it at all. */
  readonly except?: { readonly [manner in MannerName]?: Outcome };
  /** Asked of these only: of the others nobody knows what they do. */
  readonly only?: readonly MannerName[];
}

export const absentId = "f".repeat(64);
export const containerd: readonly MannerName[] = ["containerd-1.6", "containerd-1.7", "containerd-2.1"];
export const done: Outcome = { status: 204 };
export const made: Outcome = { status: 201 };
export const notFound: Outcome = { status: 404, code: "not_found" };
export const imageNotFound: Outcome = { status: 404, code: "image_not_found" };
export const notRunning: Outcome = { status: 409, code: "not_running" };
export const stateChanging: Outcome = { status: 409, code: "state_changing" };
export const podNotReady: Outcome = { status: 409, code: "pod_not_ready" };
export const nameReserved: Outcome = { status: 409, code: "name_reserved" };
export const imageInUse: Outcome = { status: 409, code: "image_in_use" };
export const imagePinned: Outcome = { status: 409, code: "image_pinned" };
export const invalid: Outcome = { status: 400, code: "invalid_request" };
export const invalidAt = (pointer: string): Outcome => ({ ...invalid, pointer });
export const commandNotFound: Outcome = { status: 400, code: "command_not_found" };
export const unauthorized: Outcome = { status: 422, code: "registry_unauthorized" };
export const unreachable: Outcome = { status: 502, code: "registry_unreachable" };
export const notImplemented: Outcome = { status: 501, code: "not_implemented" };

export type State = "created" | "running" | "exited";

export function containerIn(
  state: State,
  then: (gateway: LiveGateway, container: FakeContainer) => Promise<Answer>,
) {
  return (gateway: LiveGateway): Promise<Answer> => then(gateway, gateway.fake.addContainer({ state }));
}

export function podIn(
  state: "ready" | "not ready",
  then: (gateway: LiveGateway, pod: FakePod) => Promise<Answer>,
): Situation["run"] {
  return (gateway) =>
    then(gateway, gateway.fake.addPod({ state, config: { linux: { cgroupParent: "/crest" } } }));
}

/** `POST /v1/containers/ID/start` and the like. */
export const act =
  (verb: string, body?: object) =>
  ({ ask }: LiveGateway, { id }: { readonly id: string } = { id: absentId }): Promise<Answer> =>
    ask(verb.replace("ID", id), body);

export const start = act("POST /v1/containers/ID/start");
export const stop = act("POST /v1/containers/ID/stop");
export const remove = act("DELETE /v1/containers/ID");
export const reopen = act("POST /v1/containers/ID/logs/reopen");
export const stats = act("GET /v1/containers/ID/stats");
export const update = act("PATCH /v1/containers/ID/resources", { linux: { cpuShares: "512" } });
export const checkpoint = act("POST /v1/containers/ID/checkpoint", { location: "/tmp/never.tar" });
export const exec = (body: object) => act("POST /v1/containers/ID/exec", body);
export const echo = exec({ cmd: ["echo", "x"] });
export const stopPod = act("POST /v1/pods/ID/stop");
export const removePod = act("DELETE /v1/pods/ID");
export const podStats = act("GET /v1/pods/ID/stats");
export const updatePod = act("PATCH /v1/pods/ID/resources", { resources: { cpuShares: "512" } });
export const create = (body: object) => act("POST /v1/pods/ID/containers", body);
export const app = { metadata: { name: "app" }, image: "busybox:1.36" };

/** Creates it, and starts it where that works: whichever refuses is what counts. */
export function createAndStart(config: object): Situation["run"] {
  return podIn("ready", async (gateway, pod) => {
    const created = await create({ ...app, ...config })(gateway, pod);
    if (created.status !== 201) return created;
    return start(gateway, { id: String(created.at("containerId")) });
  });
}

export const pull =
  (image: string, auth?: object) =>
  ({ ask }: LiveGateway): Promise<Answer> =>
    ask("POST /v1/images/pull", { image, ...(auth ? { auth } : {}) });
export const runPod =
  (body: object) =>
  ({ ask }: LiveGateway): Promise<Answer> =>
    ask("POST /v1/pods", body);
export const web = { metadata: { name: "web", uid: "u-1", namespace: "default" } };

/** One after the other; what counts is the last answer. */
export function inTurn(...steps: readonly ((gateway: LiveGateway) => Promise<Answer>)[]): Situation["run"] {
  return async (gateway) => {
    let last: Answer | undefined;
    for (const step of steps) last = await step(gateway);
    assert.ok(last);
    return last;
  };
}

/** Declares a test for each runtime, and in it one for each situation. `prepare` is called once for each runtime. */
export function testEverywhere(
  what: string,
  situations: readonly Situation[],
  prepare: (gateway: LiveGateway) => void = () => undefined,
): void {
  for (const manner of mannerNames) {
    test(`${what}: every situation has its one answer on ${manner}`, async (t) => {
      const gateway = await liveGateway(t, manner);
      prepare(gateway);
      for (const { situation, run, except, only, ...expected } of situations) {
        if (only && !only.includes(manner)) continue;
        await t.test(situation, async () => {
          await reset(gateway);
          holds(gateway, await run(gateway), except?.[manner] ?? expected);
        });
      }
      assert.deepEqual(gateway.fake.crashes, []);
      assert.deepEqual(
        gateway.logged.filter(({ level }) => level === "error"),
        [],
      );
    });
  }
}

/** Each situation begins with the usual images, and nothing else. */
async function reset({ fake }: LiveGateway): Promise<void> {
  for (const podSandboxId of [...fake.pods.keys()])
    await fake.perform("RuntimeService/RemovePodSandbox", { podSandboxId });
  fake.addImage({ tags: ["busybox:1.36"] });
  fake.calls.length = 0;
}
function holds({ fake }: LiveGateway, answer: Answer, { status, code, pointer }: Outcome): void {
  assert.equal(answer.status, status, answer.text);
  if (code === undefined) return;
  assert.equal(answer.at("code"), code, answer.text);
  if (pointer !== undefined) assert.equal(answer.at("errors.0.pointer"), pointer, answer.text);
  // What the runtime said stands in the problem: its code, when a call failed, and none when none did.
  // What was removed is looked for afterwards, and that it is not found is no failure.
  const failures = fake.calls.filter(
    ({ code, rpc }, index) =>
      code && rpc !== "RuntimeService/RuntimeConfig" && !/\/Remove/.test(fake.calls[index - 1]?.rpc ?? ""),
  );
  const codes = failures.map((call) => grpcStatus[call.code ?? 0]);
  const said = answer.at("grpcCode");
  assert.ok(said === undefined ? codes.length === 0 : codes.includes(String(said)), answer.text);
}

/** Pods and containers by the gateway's HTTP, for tests that need some. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import type {
  ContainerStatus,
  ContainerStatusResponse,
  PodSandboxStatus,
  PodSandboxStatusResponse,
} from "../../../src/gen/messages.ts";
import { removePodCgroup } from "../../../src/runtimes/pod-cgroup.ts";
import { eventually } from "../../support/eventually.ts";
import { type Api, assertDone, bodyOf } from "./api.ts";

/** The image that every private runtime has. */
export const image = "busybox:latest";

/** Where a pod or container is found: `/v1/pods/ID`. */
export interface Resource {
  readonly path: string;
  readonly id: string;
}

/** What an exec answers. */
export interface ExecAnswer {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly encoding: string;
  readonly lossy: boolean;
}

/** A name that no other pod has. */
export function newName(): string {
  return `e2e-${randomBytes(6).toString("hex")}`;
}

/** A pod; `config` is beside or instead of a fresh name. */
export async function runPod(api: Api, config: object = {}): Promise<Resource> {
  return await create(api, "/v1/pods", { metadata: { name: newName() }, ...config });
}

/** A container that sleeps, or what `config` says; created, not started. */
export async function createContainer(api: Api, pod: Resource, config: object = {}): Promise<Resource> {
  const usual = { metadata: { name: newName() }, image, command: ["sleep", "3600"] };
  return await create(api, `${pod.path}/containers`, { ...usual, ...config });
}

/** The same, running. */
export async function runContainer(api: Api, pod: Resource, config: object = {}): Promise<Resource> {
  const container = await createContainer(api, pod, config);
  assertDone(await api.post(`${container.path}/start`));
  return container;
}

/** A container that runs a shell script. */
export function shell(script: string): { readonly command: readonly string[] } {
  return { command: ["sh", "-c", script] };
}

async function create(api: Api, path: string, body: object): Promise<Resource> {
  const answer = await api.post(path, body);
  bodyOf(answer, 201);
  const location = answer.headers.location ?? "";
  const id = /^\/v1\/(?:pods|containers)\/([0-9a-f]{64})$/.exec(location)?.[1];
  assert.ok(id !== undefined, `no full id in Location "${location}"`);
  return { path: location, id };
}

export async function podStatus(api: Api, pod: Resource): Promise<PodSandboxStatus> {
  const { status } = bodyOf(await api.get<PodSandboxStatusResponse>(pod.path));
  assert.ok(status);
  return status;
}

export async function containerStatus(api: Api, container: Resource): Promise<ContainerStatus> {
  const { status } = bodyOf(await api.get<ContainerStatusResponse>(container.path));
  assert.ok(status);
  return status;
}

/** The status of a container whose process has ended, once it has. */
export async function exited(api: Api, container: Resource): Promise<ContainerStatus> {
  return await eventually(
    async () => {
      const status = await containerStatus(api, container);
      return status.state === "CONTAINER_EXITED" && status;
    },
    { timeoutMs: 20_000, intervalMs: 30 },
  );
}

/** Runs a shell script in a container, and waits for its end. */
export async function exec(api: Api, container: Resource, script: string): Promise<ExecAnswer> {
  const body = { cmd: ["sh", "-c", script], timeout: "30" };
  return bodyOf(await api.post<ExecAnswer>(`${container.path}/exec`, body));
}

/** Removes a pod with all that is in it. */
export async function removePod(api: Api, pod: Resource): Promise<void> {
  assertDone(await api.delete(pod.path));
}

/** The same by a gateway that may not touch cgroups: the pod's empty one stays, which is the test's to remove. */
export async function removePodAndCgroup(api: Api, pod: Resource): Promise<void> {
  const { metadata } = await podStatus(api, pod);
  await removePod(api, pod);
  await removePodCgroup(metadata?.uid ?? "");
}

/** Texts that a runtime would repeat in an error are refused when they are long, before the runtime is asked. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { status } from "@grpc/grpc-js";
import { fieldsOf } from "../../src/cri/codec.ts";
import { requestRules } from "../../src/cri/request-rules.ts";
import { methods } from "../../src/gen/methods.ts";
import { failing, type RpcName } from "../support/fake-runtime.ts";
import { liveGateway } from "./live-gateway.ts";

const long = "a".repeat(4097);
const longName = "n".repeat(254);

interface Row {
  readonly target: string;
  readonly body?: object;
  /** Where the problem says that it is. */
  readonly at: { readonly pointer: string } | { readonly parameter: string };
}

const pod = { metadata: { name: "web" } };
const container = { metadata: { name: "app" }, image: "busybox:1.36" };

const onPod = (config: object, pointer: string): Row => ({
  target: "POST /v1/pods",
  body: { ...pod, ...config },
  at: { pointer },
});
const onContainer = (config: object, pointer: string): Row => ({
  target: "POST /v1/pods/POD/containers",
  body: { ...container, ...config },
  at: { pointer },
});
const onPull = (body: object, pointer: string): Row => ({
  target: "POST /v1/images/pull",
  body,
  at: { pointer },
});
const onImage = (target: string): Row => ({ target, at: { parameter: "image" } });

const rows: readonly Row[] = [
  onPull({ image: long }, "/image"),
  onPull({ image: { image: long } }, "/image/image"),
  onPull({ image: { image: "a", user_specified_image: long } }, "/image/user_specified_image"),
  onPull({ image: { image: "a", runtimeHandler: longName } }, "/image/runtimeHandler"),
  onPull({ image: "a", auth: { server_address: long } }, "/auth/server_address"),
  onImage(`GET /v1/images/${long}`),
  onImage(`DELETE /v1/images/${long}`),
  onImage(`DELETE /v1/images/${long}?dryRun=true`),
  onImage(`GET /v1/images?image=${long}`),
  onPod({ metadata: { name: longName } }, "/metadata/name"),
  onPod({ metadata: { name: "a", namespace: longName } }, "/metadata/namespace"),
  onPod({ metadata: { name: "a", uid: "é".repeat(127) } }, "/metadata/uid"),
  onPod({ runtimeHandler: longName }, "/runtimeHandler"),
  onPod({ labels: { app: long } }, "/labels"),
  onPod({ linux: { sysctls: { [long]: "1" } } }, "/linux/sysctls"),
  onPod({ dns_config: { servers: ["10.0.0.1", long] } }, "/dns_config/servers"),
  onContainer({ image: long }, "/image"),
  onContainer({ image: { image: long } }, "/image/image"),
  onContainer({ metadata: { name: longName } }, "/metadata/name"),
  onContainer({ command: [long] }, "/command"),
  onContainer({ args: [long] }, "/args"),
  onContainer({ workingDir: `/${long}` }, "/workingDir"),
  onContainer({ mounts: [{ containerPath: "/m", image: long }] }, "/mounts/0/image"),
  onContainer({ mounts: [{ containerPath: "/m", image: { image: long } }] }, "/mounts/0/image/image"),
  onContainer({ mounts: [{ containerPath: "/m", hostPath: `/${long}` }] }, "/mounts/0/hostPath"),
  onContainer({ CDI_devices: [{ name: long }] }, "/CDI_devices/0/name"),
  onContainer(
    { linux: { securityContext: { capabilities: { addCapabilities: [longName] } } } },
    "/linux/securityContext/capabilities/addCapabilities",
  ),
  { target: "POST /v1/containers/CONTAINER/exec", body: { cmd: [long] }, at: { pointer: "/cmd" } },
  {
    target: "PATCH /v1/containers/CONTAINER/resources",
    body: { linux: { cpusetCpus: long } },
    at: { pointer: "/linux/cpusetCpus" },
  },
  {
    target: "POST /v1/containers/CONTAINER/checkpoint",
    body: { location: `/${long}` },
    at: { pointer: "/location" },
  },
];

test("a text over its limit is 400 with its place, in each way to write it, and nothing is asked", async (t) => {
  const { ask, fake } = await liveGateway(t);
  const { id: podId } = fake.addPod();
  const { id: containerId } = fake.addContainer();
  // What is asked once and remembered.
  await ask("GET /v1/version");
  for (const { target, body, at } of rows) {
    await t.test(`${target.slice(0, 60)} ${JSON.stringify(at)}`, async () => {
      fake.calls.length = 0;
      const answer = await ask(target.replace("POD", podId).replace("CONTAINER", containerId), body);
      assert.equal(answer.status, 400, answer.text);
      const [error, ...more] = answer.at("errors") as { detail: string }[];
      assert.deepEqual(more, []);
      const { detail, ...place } = error ?? { detail: "" };
      assert.deepEqual(place, at);
      assert.match(detail, /at most (253|4096) bytes/);
      assert.ok(String(answer.at("detail")).length < 200, "the text is not repeated");
      const named = fake.calls.filter(({ request }) => JSON.stringify(request).length > 250);
      assert.deepEqual(named, []);
    });
  }
});

test("what no runtime repeats may be long", async (t) => {
  const { ask, fake } = await liveGateway(t);
  const annotations = { note: long };
  const made = await ask("POST /v1/pods", { ...pod, annotations });
  assert.equal(made.status, 201, made.text);
  const { id } = fake.addContainer({ state: "running" });
  const created = await ask(`POST /v1/pods/${made.at("podSandboxId")}/containers`, {
    ...container,
    annotations,
    command: ["sh", "-c", long],
    envs: [{ key: "LONG", value: long }],
  });
  assert.equal(created.status, 201, created.text);
  assert.equal((await ask(`POST /v1/containers/${id}/exec`, { cmd: ["true", long] })).status, 200);
  const token = await ask("POST /v1/images/pull", { image: "busybox:1.36", auth: { identityToken: long } });
  assert.equal(token.status, 200, token.text);
});

test("every text of every request has a limit, but for those that are known to need none", () => {
  const unlimited = new Set<string>();
  const seen = new Set<string>();
  const visit = (message: string): void => {
    if (seen.has(message)) return;
    seen.add(message);
    for (const field of fieldsOf(message)) {
      if (field.kind === "message") visit(field.type);
      if (field.kind !== "scalar" || field.type !== "string") continue;
      const { maxBytes, maxFirstBytes } = requestRules[message]?.[field.name] ?? {};
      if (maxBytes === undefined && maxFirstBytes === undefined) unlimited.add(`${message}.${field.name}`);
    }
  };
  for (const { request } of Object.values(methods)) visit(request);
  assert.deepEqual([...unlimited].sort(), [
    "AuthConfig.auth",
    "AuthConfig.identityToken",
    "AuthConfig.password",
    "AuthConfig.registryToken",
    "AuthConfig.username",
    "ContainerConfig.annotations",
    "ImageSpec.annotations",
    "PodSandboxConfig.annotations",
    "UpdateContainerResourcesRequest.annotations",
    "WindowsContainerSecurityContext.credentialSpec",
    "WindowsSandboxSecurityContext.credentialSpec",
  ]);
});

test("of a runtime's text 4 KiB are answered, whatever it is about", async (t) => {
  const { ask, fake } = await liveGateway(t);
  const { id: podId } = fake.addPod();
  const { id: containerId } = fake.addContainer({ state: "running" });
  const text = "é".repeat(3000);
  for (const [target, rpc, body, code] of [
    ["GET /v1/version", "RuntimeService/Version", undefined, status.UNKNOWN],
    ["GET /v1/containers", "RuntimeService/ListContainers", undefined, status.INTERNAL],
    ["POST /v1/images/pull", "ImageService/PullImage", { image: "busybox:1.36" }, status.UNKNOWN],
    [`POST /v1/containers/${containerId}/exec`, "RuntimeService/ExecSync", { cmd: ["x"] }, status.UNKNOWN],
    ["GET /v1/runtime/config", "RuntimeService/RuntimeConfig", undefined, status.UNIMPLEMENTED],
    [`GET /v1/pods/${podId}`, "RuntimeService/PodSandboxStatus", undefined, status.NOT_FOUND],
  ] as const) {
    const restore = fake.on(rpc satisfies RpcName, failing(code, text));
    const detail = String((await ask(target, body)).at("detail"));
    restore();
    assert.match(detail, /é{1536}\.\.\. \(cut\) \.\.\.é{512}$/, target);
    assert.ok(Buffer.byteLength(detail) < 4300, target);
  }
});

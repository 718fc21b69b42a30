/**
 * Runtimes that die of a request in which something is missing: none of what callers can send gets that far.
 * Good bodies, each with a few random wounds.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { mannerNames } from "../support/fake-runtime.ts";
import { createDice, type Dice, seed } from "../unit/gen/dice.ts";
import { type LiveGateway, liveGateway } from "./live-gateway.ts";

const requestsPerRoute = 20;

type Json = string | number | boolean | null | readonly Json[] | { readonly [name: string]: Json };

const pod: Json = {
  metadata: { name: "web", uid: "u-1", namespace: "default", attempt: 0 },
  hostname: "web",
  dnsConfig: { servers: ["10.0.0.1"], searches: [], options: [] },
  portMappings: [{ protocol: "TCP", containerPort: 80, hostPort: 8080 }],
  labels: { app: "web" },
  annotations: {},
  linux: { cgroupParent: "/x", securityContext: { namespaceOptions: { network: "NODE" } }, sysctls: {} },
};
const container: Json = {
  metadata: { name: "app", attempt: 0 },
  image: { image: "busybox:1.36", annotations: {} },
  command: ["sleep", "1"],
  envs: [{ key: "A", value: "b" }],
  mounts: [{ containerPath: "/a", hostPath: "/tmp" }],
  logPath: "app/0.log",
  linux: { resources: { cpuShares: "512" }, securityContext: { capabilities: {}, namespaceOptions: {} } },
  sandboxConfig: pod,
};
const resources: Json = { cpuShares: "512", memoryLimitInBytes: "1048576", unified: { a: "b" } };

/** Every route that changes something by a body, and one that it takes. */
const bodies: { readonly [target: string]: Json } = {
  "POST /v1/pods": { ...pod, runtimeHandler: "" },
  "POST /v1/pods/POD/containers": container,
  "PATCH /v1/pods/POD/resources": { overhead: resources, resources },
  "POST /v1/pods/POD/checkpoint": { outputPath: "/tmp/x", options: {}, containerIds: [] },
  "POST /v1/pods/restore": { checkpointPath: "/tmp/x", config: pod, options: {} },
  "PATCH /v1/containers/CONTAINER/resources": { linux: resources, annotations: {} },
  "POST /v1/containers/CONTAINER/exec": { cmd: ["true"], timeout: "1" },
  "POST /v1/containers/CONTAINER/checkpoint": { location: "/tmp/x", timeout: "1" },
  "POST /v1/images/pull": { image: { image: "busybox:1.36" }, auth: { username: "a" }, sandboxConfig: pod },
  "POST /v1/runtime/network-config": { podCidr: "10.0.0.0/8" },
};

/** Values that stand where others are expected. */
const strange: readonly Json[] = [null, {}, [], "", "x", 0, -1, false, [{}], { a: {} }, [null]];

/** The value with one place in it removed, emptied or replaced. */
function wounded(value: Json, dice: Dice): Json {
  if (typeof value !== "object" || value === null || dice.oneIn(6)) return dice.pick(strange);
  if (Array.isArray(value)) {
    const items = value as readonly Json[];
    const at = dice.roll(items.length + 1);
    return dice.oneIn(2) ? [] : items.map((item, index) => (index === at ? wounded(item, dice) : item));
  }
  const entries = Object.entries(value);
  const at = dice.roll(entries.length + 1);
  const [name] = entries[at] ?? [];
  if (name === undefined) return { ...value, unknownHere: 1 };
  if (dice.oneIn(3)) return Object.fromEntries(entries.filter(([other]) => other !== name));
  return Object.fromEntries(
    entries.map(([key, member]) => [key, key === name ? wounded(member, dice) : member]),
  );
}

/** What may come of a body with wounds: done, refused, or not had by this runtime; never a failure of anyone. */
const expected: ReadonlySet<number> = new Set([200, 201, 204, 400, 404, 409, 422, 501, 504]);

for (const manner of mannerNames) {
  test(`no wounded body kills the runtime or the gateway: ${manner} (seed ${seed})`, async (t) => {
    const gateway = await liveGateway(t, manner);
    const dice = createDice(seed);
    for (const [target, body] of Object.entries(bodies)) {
      for (let i = 0; i < requestsPerRoute; i++) {
        let sent = body;
        for (let wounds = dice.roll(3); wounds >= 0; wounds--) sent = wounded(sent, dice);
        const answer = await gateway.ask(aimed(gateway, target), sent);
        const what = `${target} ${JSON.stringify(sent)}: ${answer.status} ${answer.text}`;
        assert.ok(expected.has(answer.status), what);
        assert.deepEqual(gateway.fake.crashes, [], what);
      }
    }
    assert.deepEqual(
      gateway.logged.filter(({ level }) => level === "error"),
      [],
    );
    assert.equal((await gateway.ask("GET /v1/version")).status, 200);
  });
}

/** A target with ids of a pod and a running container of its own. */
function aimed({ fake }: LiveGateway, target: string): string {
  const ready = fake.addPod({ config: { linux: { cgroupParent: "/crest" } } });
  return target
    .replace("POD", ready.id)
    .replace("CONTAINER", () => fake.addContainer({ pod: ready, command: ["serve"] }).id);
}

test("the runtimes of these tests do die when something is missing", async (t) => {
  const deadly: readonly (readonly [
    (typeof mannerNames)[number],
    Parameters<LiveGateway["fake"]["perform"]>,
  ])[] = [
    [
      "containerd-1.6",
      ["RuntimeService/CreateContainer", { podSandboxId: "POD", config: { metadata: { name: "a" } } }],
    ],
    ["cri-dockerd", ["RuntimeService/RunPodSandbox", {}]],
    ["cri-dockerd", ["RuntimeService/UpdateRuntimeConfig", { runtimeConfig: {} }]],
    ["cri-dockerd", ["ImageService/PullImage", {}]],
  ];
  for (const [manner, [rpc, request]] of deadly) {
    const { fake } = await liveGateway(t, manner);
    const { id } = fake.addPod();
    const aimedAt = JSON.parse(JSON.stringify(request).replace("POD", id)) as object;
    await assert.rejects(fake.perform(rpc, aimedAt), { name: "DaemonCrash" });
  }
});

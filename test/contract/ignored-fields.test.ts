/** Fields that a runtime would ignore: refused where they take rights away, and answered with a warning otherwise. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { test } from "node:test";
import { droppedFields } from "../../src/runtimes/dropped-fields.ts";
import type { MannerName } from "../support/fake-runtime.ts";
import { type Answer, type LiveGateway, liveGateway } from "./live-gateway.ts";

type Outcome = "refused" | "warned" | "used";

/** The outcome in the order of `manners`. */
const manners: readonly MannerName[] = [
  "containerd-1.6",
  "containerd-1.7",
  "containerd-2.1",
  "cri-o",
  "cri-dockerd",
];
type Row = readonly [field: string, config: object, pointer: string, ...outcomes: readonly Outcome[]];

const context = (securityContext: object) => ({ linux: { securityContext } });
const userns = (more: object = {}) => ({
  namespaceOptions: {
    usernsOptions: { mode: "POD", uids: [{ hostId: 100_000, containerId: 0, length: 65_536 }] },
    ...more,
  },
});
const mount = (more: object) => ({ mounts: [{ containerPath: "/m", hostPath: "/srv", ...more }] });
/** On a node without SELinux, no label limits anything. */
const selinux: Outcome = existsSync("/sys/fs/selinux/enforce") ? "refused" : "warned";
const mapping = [{ hostId: 100_000, containerId: 0, length: 65_536 }];

const pods: readonly Row[] = [
  [
    "NamespaceOption.usernsOptions",
    context(userns()),
    "/linux/securityContext/namespaceOptions/usernsOptions",
    ...(["refused", "used", "used", "used", "refused"] as const),
  ],
  [
    "NamespaceOption.usernsOptions",
    context(userns({ network: "NODE" })),
    "/linux/securityContext/namespaceOptions/usernsOptions",
    ...(["refused", "used", "refused", "refused", "refused"] as const),
  ],
  [
    "NamespaceOption.usernsOptions",
    context({ namespaceOptions: { usernsOptions: { mode: "NODE" } } }),
    "",
    ...(["used", "used", "used", "used", "used"] as const),
  ],
  [
    "LinuxSandboxSecurityContext.supplementalGroupsPolicy",
    context({ supplementalGroupsPolicy: "Strict" }),
    "/linux/securityContext/supplementalGroupsPolicy",
    ...(["refused", "refused", "used", "used", "refused"] as const),
  ],
  [
    "PodSandboxConfig.windows",
    { windows: { securityContext: { runAsUsername: "x" } } },
    "/windows",
    ...(["warned", "warned", "warned", "warned", "warned"] as const),
  ],
  [
    "LinuxSandboxSecurityContext.selinuxOptions",
    context({ selinuxOptions: { level: "s0:c1,c2" } }),
    "/linux/securityContext/selinuxOptions",
    ...([selinux, selinux, selinux, "used", "used"] as const),
  ],
];

const containers: readonly Row[] = [
  [
    "Mount.recursiveReadOnly",
    mount({ readonly: true, recursiveReadOnly: true }),
    "/mounts/0/recursiveReadOnly",
    ...(["refused", "refused", "used", "used", "refused"] as const),
  ],
  [
    "Mount.mountOptions",
    mount({ mountOptions: ["noatime", "noexec"] }),
    "/mounts/0/mountOptions",
    ...(["refused", "refused", "refused", "refused", "refused"] as const),
  ],
  [
    "Mount.mountOptions",
    mount({ mountOptions: ["noatime"] }),
    "/mounts/0/mountOptions",
    ...(["warned", "warned", "warned", "warned", "warned"] as const),
  ],
  [
    "Mount.uidMappings",
    mount({ uidMappings: mapping }),
    "/mounts/0/uidMappings",
    ...(["refused", "used", "used", "used", "refused"] as const),
  ],
  [
    "Mount.gidMappings",
    mount({ gidMappings: mapping }),
    "/mounts/0/gidMappings",
    ...(["refused", "used", "used", "used", "refused"] as const),
  ],
  [
    "Mount.image",
    mount({ image: "busybox:latest", readonly: true }),
    "/mounts/0/image",
    ...(["refused", "refused", "used", "used", "used"] as const),
  ],
  [
    "Mount.imageSubPath",
    { mounts: [{ containerPath: "/m", image: "busybox:latest", imageSubPath: "bin", readonly: true }] },
    "/mounts/0/imageSubPath",
    ...(["refused", "refused", "refused", "used", "used"] as const),
  ],
  [
    "LinuxContainerSecurityContext.supplementalGroupsPolicy",
    context({ supplementalGroupsPolicy: "Strict" }),
    "/linux/securityContext/supplementalGroupsPolicy",
    ...(["refused", "refused", "used", "used", "refused"] as const),
  ],
  [
    "LinuxContainerSecurityContext.selinuxOptions",
    context({ selinuxOptions: { level: "s0:c1,c2" } }),
    "/linux/securityContext/selinuxOptions",
    ...([selinux, selinux, selinux, "used", "used"] as const),
  ],
  [
    "LinuxContainerSecurityContext.seccompProfilePath",
    context({ seccompProfilePath: "runtime/default" }),
    "/linux/securityContext/seccompProfilePath",
    ...(["used", "used", "used", "used", "refused"] as const),
  ],
  [
    "LinuxContainerSecurityContext.apparmor",
    context({ apparmor: { profileType: "Localhost", localhostRef: "mine" } }),
    "/linux/securityContext/apparmor",
    ...(["used", "used", "used", "used", "refused"] as const),
  ],
  [
    "LinuxContainerSecurityContext.apparmor",
    context({ apparmor: { profileType: "Unconfined" } }),
    "/linux/securityContext/apparmor",
    ...(["used", "used", "used", "used", "warned"] as const),
  ],
  [
    "ContainerConfig.CDIDevices",
    { CDIDevices: [{ name: "vendor.com/gpu=0" }] },
    "/CDIDevices",
    ...(["warned", "warned", "used", "used", "warned"] as const),
  ],
  [
    "ContainerConfig.stopSignal",
    { stopSignal: "SIGNAL_SIGINT" },
    "/stopSignal",
    ...(["warned", "warned", "warned", "used", "warned"] as const),
  ],
  [
    "ContainerConfig.windows",
    { windows: { securityContext: { runAsUsername: "x" } } },
    "/windows",
    ...(["warned", "warned", "warned", "warned", "warned"] as const),
  ],
  [
    "Capability.addAmbientCapabilities",
    context({ capabilities: { addAmbientCapabilities: ["CHOWN"] } }),
    "/linux/securityContext/capabilities/addAmbientCapabilities",
    ...(["warned", "warned", "warned", "used", "warned"] as const),
  ],
  [
    "LinuxContainerResources.hugepageLimits",
    { linux: { resources: { hugepageLimits: [{ pageSize: "2MB", limit: "0" }] } } },
    "/linux/resources/hugepageLimits",
    ...(["warned", "warned", "warned", "used", "warned"] as const),
  ],
  [
    "LinuxContainerResources.unified",
    { linux: { resources: { unified: { "memory.high": "1000000" } } } },
    "/linux/resources/unified",
    ...(["used", "used", "used", "used", "warned"] as const),
  ],
  [
    "LinuxContainerResources.memorySwapLimitInBytes",
    { linux: { resources: { memoryLimitInBytes: "50000000", memorySwapLimitInBytes: "60000000" } } },
    "/linux/resources/memorySwapLimitInBytes",
    ...(["used", "used", "used", "used", "warned"] as const),
  ],
  [
    "UpdateContainerResourcesRequest.linux",
    { linux: { resources: { oomScoreAdj: "5" } } },
    "",
    ...(["used", "used", "used", "used", "used"] as const),
  ],
];

const updates: readonly Row[] = [
  [
    "UpdateContainerResourcesRequest.linux",
    { linux: { oomScoreAdj: "5" } },
    "/linux/oomScoreAdj",
    ...(["warned", "warned", "warned", "used", "warned"] as const),
  ],
  [
    "UpdateContainerResourcesRequest.windows",
    { linux: {}, windows: { cpuShares: "5" } },
    "/windows",
    ...(["warned", "warned", "warned", "warned", "warned"] as const),
  ],
];

const warningsOf = ({ headers }: Answer): readonly string[] => [headers.warning ?? []].flat().map(String);

/** What became of one field, with the last pointer that the answer names. */
function outcomeOf(answer: Answer): readonly [Outcome, string] {
  if (answer.status === 501) {
    assert.equal(answer.at("code"), "not_implemented");
    const errors = answer.at("errors") as readonly { readonly pointer: string }[];
    return ["refused", errors.at(-1)?.pointer ?? ""];
  }
  const [warning] = warningsOf(answer);
  const pointer = /^299 - "field \\"([^"\\]*)\\": \S+ \S+ ignores it: /.exec(warning ?? "")?.[1];
  return pointer === undefined ? ["used", ""] : ["warned", pointer];
}

async function podIn({ ask }: LiveGateway, more: object = {}): Promise<string> {
  const uid = `u-${Math.random()}`;
  const answer = await ask("POST /v1/pods", { metadata: { name: uid, uid, namespace: "default" }, ...more });
  assert.equal(answer.status, 201, answer.text);
  return String(answer.at("podSandboxId"));
}

for (const [index, manner] of manners.entries()) {
  test(`${manner}: a field that it ignores is refused if it narrows rights, else warned of`, async (t) => {
    const gateway = await liveGateway(t, manner);
    gateway.fake.addImage({ tags: ["busybox:latest"] });
    const pod = await podIn(gateway);
    let count = 0;
    const named = () => ({ metadata: { name: `app-${count++}` }, image: "busybox:latest" });
    const made = await gateway.ask(`POST /v1/pods/${pod}/containers`, named());
    const id = String(made.at("containerId"));
    const send: readonly (readonly [readonly Row[], (config: object) => Promise<Answer>])[] = [
      [
        pods,
        (config) => {
          const uid = `u-${count++}`;
          return gateway.ask("POST /v1/pods", { metadata: { name: uid, uid, namespace: "x" }, ...config });
        },
      ],
      [containers, (config) => gateway.ask(`POST /v1/pods/${pod}/containers`, { ...named(), ...config })],
      [updates, (config) => gateway.ask(`PATCH /v1/containers/${id}/resources`, config)],
    ];
    for (const [rows, ask] of send) {
      for (const [field, config, pointer, ...outcomes] of rows) {
        const expected = outcomes[index];
        const before = gateway.fake.calls.length;
        const answer = await ask(config);
        const what = `${field}: ${answer.status} ${answer.text}`;
        assert.deepEqual(outcomeOf(answer), [expected, expected === "used" ? "" : pointer], what);
        if (expected === "warned") assert.ok(answer.status < 300, what);
        const changes = gateway.fake.calls
          .slice(before)
          .filter(({ rpc }) => /RunPodSandbox|CreateContainer|Update/.test(rpc));
        assert.equal(changes.length, expected === "refused" ? 0 : 1, what);
      }
    }
  });
}

test("every row of the table is shown on a runtime that ignores the field", () => {
  const shown = new Set([...pods, ...containers, ...updates].map(([field]) => field));
  const rows = Object.entries(droppedFields).flatMap(([message, fields]) =>
    Object.keys(fields).map((field) => `${message}.${field}`),
  );
  assert.deepEqual(rows.filter((row) => !shown.has(row)).sort(), []);
});

test("all that would be ignored is named at once, as the caller wrote it, and warnings are bounded", async (t) => {
  const gateway = await liveGateway(t, "containerd-1.6");
  gateway.fake.addImage({ tags: ["busybox:latest"] });
  const pod = await podIn(gateway);
  const answer = await gateway.ask(`POST /v1/pods/${pod}/containers`, {
    metadata: { name: "app" },
    image: { image: "busybox:latest" },
    CDI_devices: [{ name: "vendor.com/gpu=0" }],
    mounts: [{ container_path: "/m", host_path: "/srv", readonly: true, recursive_read_only: true }],
    linux: { security_context: { supplemental_groups_policy: 1 } },
  });
  assert.equal(answer.status, 501, answer.text);
  assert.deepEqual(
    (answer.at("errors") as readonly object[]).map((error) => (error as { pointer: string }).pointer),
    ["/mounts/0/recursive_read_only", "/linux/security_context/supplemental_groups_policy"],
  );
  assert.match(
    String(answer.at("detail")),
    /^CreateContainer is refused, because containerd 1\.6\.20~ds1 would ignore recursiveReadOnly, supplementalGroupsPolicy: /,
  );
  const mounts = Array.from({ length: 100 }, (_, index) => ({
    containerPath: `/m${index}`,
    hostPath: "/srv",
    mountOptions: ["noatime"],
  }));
  const config = { metadata: { name: "app" }, image: "busybox:latest", mounts };
  const many = await gateway.ask(`POST /v1/pods/${pod}/containers`, config);
  assert.equal(many.status, 201, many.text);
  assert.match(String(many.headers.warning), /299 - "80 more ignored fields"$/);
});

test("a container's mounts are held against the handler of its pod", async (t) => {
  const gateway = await liveGateway(t, "containerd-2.1");
  gateway.fake.addImage({ tags: ["busybox:latest"] });
  const features = (recursiveReadOnlyMounts: boolean) => ({ recursiveReadOnlyMounts, userNamespaces: false });
  gateway.fake.on("RuntimeService/Status", {
    runtimeHandlers: [
      { name: "", features: features(false) },
      { name: "runc", features: features(true) },
    ],
  });
  const config = {
    image: "busybox:latest",
    ...mount({ readonly: true, recursiveReadOnly: true }),
  };
  for (const [runtimeHandler, status] of [
    ["", 501],
    ["runc", 201],
  ] as const) {
    const pod = await podIn(gateway, { runtimeHandler });
    const body = { metadata: { name: "app" }, ...config };
    const answer = await gateway.ask(`POST /v1/pods/${pod}/containers`, body);
    assert.equal(answer.status, status, answer.text);
  }
});

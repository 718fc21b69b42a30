/**
 * Mistakes in what a caller asks for, which no runtime says is one: they come back as errors of unknown kind,
 * many only when the container starts. Here all are 400, and those that any runtime would refuse have their
 * place in the body.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { rmSync } from "node:fs";
import { test } from "node:test";
import { type Answer, anyProblemOf } from "./support/api.ts";
import { newFolder } from "./support/gateway.ts";
import { reasonToSkip } from "./support/machine.ts";
import {
  createContainer,
  exec,
  image,
  newName,
  type Resource,
  removePod,
  runContainer,
  runPod,
  shell,
} from "./support/pods.ts";
import { useGateway } from "./support/suite.ts";

const skip = await reasonToSkip();
let pod: Resource;
const crest = useGateway(skip, {
  async prepare(gateway) {
    pod = await runPod(gateway);
  },
});

/** What is wrong, the body, and the field that is named where the gateway refuses it itself. */
type Mistakes = { readonly [what: string]: readonly [body: object, pointer?: string] };

const security = (securityContext: object) => ({ linux: { securityContext } });
const resources = (limits: object) => ({ linux: { resources: limits } });
const localhost = (localhostRef: string) => ({ profileType: "Localhost", localhostRef });
const mounted = (mount: object) => ({ mounts: [mount] });
const device = (hostPath: string, permissions = "r") => ({
  devices: [{ hostPath, containerPath: "/dev/x", permissions }],
});

/** Of a container, when it is created or at the latest when it starts. */
const containers: Mistakes = {
  "a group without a user": [security({ runAsGroup: { value: "5" } }), "/linux/securityContext/runAsGroup"],
  "a negative user": [security({ runAsUser: { value: "-1" } }), "/linux/securityContext/runAsUser/value"],
  "a user beyond what the kernel has": [security({ runAsUser: { value: "99999999999" } })],
  "a user that the image does not know": [security({ runAsUsername: "nobodyhere" })],
  "a negative supplementary group": [
    security({ supplementalGroups: ["-1"] }),
    "/linux/securityContext/supplementalGroups",
  ],
  "an AppArmor profile that is not loaded": [security({ apparmor: localhost("no-such-profile") })],
  "a sysctl that is none": [{ linux: { sysctls: { "net.ipv4.no_such": "1" } } }],
  "a sysctl with a value that it cannot have": [{ linux: { sysctls: { "net.ipv4.ip_forward": "x" } } }],
  "a seccomp profile that is not there": [
    security({ seccomp: localhost("/no/such/profile") }),
    "/linux/securityContext/seccomp/localhostRef",
  ],
  "an SELinux level that is none": [security({ selinuxOptions: { level: "bad" } })],
  "a capability that Linux does not have": [
    security({ capabilities: { addCapabilities: ["CAP_CHOWN", "net_admim"] } }),
    "/linux/securityContext/capabilities/addCapabilities/1",
  ],
  "the PID namespace of a container that is not there": [
    security({ namespaceOptions: { pid: "TARGET", targetId: "f".repeat(64) } }),
    "/linux/securityContext/namespaceOptions/targetId",
  ],
  "the PID namespace of no container": [
    security({ namespaceOptions: { pid: "TARGET" } }),
    "/linux/securityContext/namespaceOptions/pid",
  ],
  "privileges in a pod without": [security({ privileged: true })],
  "an empty mount": [mounted({}), "/mounts/0/containerPath"],
  "a mount of nothing": [mounted({ containerPath: "/x" }), "/mounts/0/hostPath"],
  "a mount of a relative path": [mounted({ hostPath: "x", containerPath: "/x" }), "/mounts/0/hostPath"],
  "a mount in snake_case": [{ mounts: [{ host_path: "x", container_path: "/x" }] }, "/mounts/0/host_path"],
  "a mount of what cannot be made": [
    mounted({ hostPath: "/proc/no/x", containerPath: "/x" }),
    "/mounts/0/hostPath",
  ],
  "a file mounted on a folder": [mounted({ hostPath: "/etc/hostname", containerPath: "/bin" })],
  "an empty device": [{ devices: [{}] }, "/devices/0/containerPath"],
  "a device that is not there": [device("/dev/no-such-device"), "/devices/0/hostPath"],
  "a device that is a file": [device("/etc/passwd")],
  "a device with unknown permissions": [device("/dev/null", "rx"), "/devices/0/permissions"],
  "negative CPU shares": [resources({ cpuShares: "-1" }), "/linux/resources/cpuShares"],
  "CPU shares beyond what the kernel has": [resources({ cpuShares: "9223372036854775807" })],
  "a CPU quota below the least": [resources({ cpuQuota: "1" }), "/linux/resources/cpuQuota"],
  "a CPU period below the least": [resources({ cpuPeriod: "1" }), "/linux/resources/cpuPeriod"],
  "a CPU period above the greatest": [resources({ cpuPeriod: "1000001" }), "/linux/resources/cpuPeriod"],
  "less memory than a process needs": [resources({ memoryLimitInBytes: "1000" })],
  "less than no memory": [resources({ memoryLimitInBytes: "-5" }), "/linux/resources/memoryLimitInBytes"],
  "CPUs that the node does not have": [resources({ cpusetCpus: "999" })],
  "memory of a node that the machine does not have": [resources({ cpusetMems: "99" })],
  "CPUs that are none": [resources({ cpusetCpus: "a-b" })],
  "CPUs in more text than the kernel reads": [resources({ cpusetCpus: "0".repeat(4096) })],
  "an OOM score out of range": [resources({ oomScoreAdj: 5000 }), "/linux/resources/oomScoreAdj"],
  "a relative working directory": [{ workingDir: "srv" }, "/workingDir"],
  "a working directory that is a file": [{ workingDir: "/bin/busybox" }],
  "a variable without a name": [{ envs: [{ value: "x" }] }, "/envs/0/key"],
  "a variable with = in its name": [{ envs: [{ key: "A=B", value: "x" }] }, "/envs/0/key"],
  "a log outside the pod's folder": [{ log_path: "../x.log" }, "/log_path"],
  "a command that is a folder": [{ command: ["/"] }],
  "a command that is no program": [{ command: ["/etc/passwd"] }],
};

const pods: Mistakes = {
  "a group without a user": [security({ runAsGroup: { value: "5" } }), "/linux/securityContext/runAsGroup"],
  "a port out of range": [{ portMappings: [{ containerPort: 70000 }] }, "/portMappings/0/containerPort"],
  "a hostname of 70 letters": [{ hostname: "h".repeat(70) }, "/hostname"],
  "a hostname with the node's network": [
    { hostname: "web", ...security({ namespaceOptions: { network: "NODE" } }) },
    "/hostname",
  ],
  "a port on what is no address": [
    { portMappings: [{ containerPort: 80, hostPort: 28_080, hostIp: "localhost" }] },
    "/portMappings/0/hostIp",
  ],
  "a port of the node twice": [
    {
      portMappings: [
        { containerPort: 80, hostPort: 28_080 },
        { containerPort: 81, hostPort: 28_080 },
      ],
    },
    "/portMappings/1/hostPort",
  ],
  "a relative log directory": [{ log_directory: "logs" }, "/log_directory"],
  "a label without a key": [{ labels: { "": "x" } }],
  "a sysctl of the whole node": [
    { linux: { sysctls: { "vm.swappiness": "1" } } },
    "/linux/sysctls/vm.swappiness",
  ],
  "a sysctl that is none": [
    { linux: { sysctls: { "net.ipv4.no_such": "1" } } },
    "/linux/sysctls/net.ipv4.no_such",
  ],
  "a sysctl with a value that it cannot have": [
    { linux: { sysctls: { "net.ipv4.ip_forward": "x" } } },
    "/linux/sysctls/net.ipv4.ip_forward",
  ],
  "a sysctl of the node's own network": [
    {
      linux: {
        sysctls: { "net.ipv4.ip_forward": "1" },
        securityContext: { namespaceOptions: { network: "NODE" } },
      },
    },
    "/linux/sysctls/net.ipv4.ip_forward",
  ],
  "a seccomp profile that is not there": [
    security({ seccomp: localhost("/no/such/profile") }),
    "/linux/securityContext/seccomp/localhostRef",
  ],
  "an SELinux level that is none": [
    security({ selinuxOptions: { level: "bad" } }),
    "/linux/securityContext/selinuxOptions/level",
  ],
  "a cgroup that cannot be made": [{ linux: { cgroupParent: "/a\nb" } }],
};

const updates: Mistakes = {
  "negative CPU shares": [{ linux: { cpuShares: "-1" } }, "/linux/cpuShares"],
  "a CPU quota below the least": [{ linux: { cpuQuota: "1" } }, "/linux/cpuQuota"],
  "less memory than is in use": [{ linux: { memoryLimitInBytes: "1000" } }, "/linux/memoryLimitInBytes"],
  "CPUs that the node does not have": [{ linux: { cpuset_cpus: "999" } }, "/linux/cpuset_cpus"],
  "CPUs in more text than the kernel reads": [
    { linux: { cpusetCpus: "0".repeat(4096) } },
    "/linux/cpusetCpus",
  ],
  "nothing but what is for Windows": [{ windows: { cpuShares: "1" } }, "/linux"],
};

function assertMistake(answer: Answer, pointer: string | undefined): void {
  const problem = anyProblemOf(answer);
  assert.equal(problem.status, 400, problem.detail);
  assert.match(problem.code, /^(invalid_request|command_not_found)$/);
  const pointers = problem.errors?.map((error) => error.pointer) ?? [];
  if (pointer !== undefined)
    assert.ok(pointers.includes(pointer), `${pointer} not in ${pointers.join(", ")}`);
}

for (const [what, [body, pointer]] of Object.entries(containers)) {
  test(`a container with ${what} is 400`, { skip }, async () => {
    const path = `${pod.path}/containers`;
    const config = { metadata: { name: newName() }, image, command: ["sleep", "60"], ...body };
    const created = await crest().post<{ containerId: string }>(path, config);
    if (created.status !== 201) return assertMistake(created, pointer);
    const container = `/v1/containers/${created.body.containerId}`;
    assertMistake(await crest().post(`${container}/start`), pointer);
    await crest().delete(container);
  });
}

for (const [what, [body, pointer]] of Object.entries(pods)) {
  test(`a pod with ${what} is 400`, { skip }, async () => {
    assertMistake(await crest().post("/v1/pods", { metadata: { name: newName() }, ...body }), pointer);
  });
}

test("resources that cannot be are 400, and the container goes on", { skip }, async (t) => {
  const container = await runContainer(crest(), pod, shell("sleep 3600"));
  for (const [what, [body, pointer]] of Object.entries(updates)) {
    await t.test(what, async () => {
      assertMistake(await crest().patch(`${container.path}/resources`, body), pointer);
    });
  }
});

test("mounts of the node to follow in a mount that is not shared are 400", { skip }, async (t) => {
  const folder = newFolder();
  execFileSync("mount", ["--bind", folder, folder]);
  t.after(() => {
    execFileSync("umount", [folder]);
    rmSync(folder, { recursive: true });
  });
  execFileSync("mount", ["--make-private", folder]);
  for (const propagation of ["PROPAGATION_HOST_TO_CONTAINER", "PROPAGATION_BIDIRECTIONAL"]) {
    const mounts = [
      { hostPath: "/tmp", containerPath: "/other" },
      { hostPath: folder, containerPath: "/x", propagation },
    ];
    const config = { metadata: { name: newName() }, image, mounts };
    assertMistake(await crest().post(`${pod.path}/containers`, config), "/mounts/1/propagation");
  }
});

test("a capability is dropped and added by each of its names", { skip }, async () => {
  const namesOf = [
    (name: string) => name,
    (name: string) => `CAP_${name}`,
    (name: string) => name.toLowerCase(),
  ];
  for (const nameOf of namesOf) {
    const capabilities = { addCapabilities: [nameOf("NET_ADMIN")], dropCapabilities: [nameOf("CHOWN")] };
    const container = await runContainer(crest(), pod, security({ capabilities }));
    const { stdout } = await exec(crest(), container, "grep CapBnd /proc/self/status");
    const bounding = BigInt(`0x${stdout.split(/\s+/)[1]}`);
    // CAP_CHOWN is 0, CAP_NET_ADMIN is 12.
    assert.deepEqual([bounding & 1n, (bounding >> 12n) & 1n], [0n, 1n], nameOf("CHOWN"));
  }
});

test("a timeout that is none is 400", { skip }, async () => {
  const container = await createContainer(crest(), pod);
  for (const timeout of ["-1", "9223372037"]) {
    const stop = anyProblemOf(await crest().post(`${container.path}/stop?timeout=${timeout}`));
    assert.deepEqual([stop.status, stop.errors?.[0]?.parameter], [400, "timeout"]);
    assertMistake(await crest().post(`${container.path}/exec`, { cmd: ["ls"], timeout }), "/timeout");
  }
  await removePod(crest(), pod);
});

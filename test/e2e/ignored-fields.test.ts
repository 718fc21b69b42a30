/** What the gateway says that this containerd ignores is what it ignores: each field also goes to it past the gateway. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, realpathSync, rmSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { call } from "../../src/cri/call.ts";
import { connect, type Runtime } from "../../src/cri/channel.ts";
import { GatewayError } from "../../src/errors.ts";
import type { Answer, Api } from "./support/api.ts";
import { reasonToSkip } from "./support/machine.ts";
import { permittingOn } from "./support/permitting.ts";
import { image, newName, type Resource, removePod, runPod } from "./support/pods.ts";
import { useRuntime } from "./support/suite.ts";

const skip = await reasonToSkip();
const suite = useRuntime(skip);
const { runtime } = suite;
const permitting = permittingOn(suite);

const folder = realpathSync(mkdtempSync("/var/tmp/crest-ignored-"));
const inner = join(folder, "inner");
before(() => {
  if (skip !== false) return;
  mkdirSync(inner);
  execFileSync("mount", ["-t", "tmpfs", "tmpfs", inner]);
});
after(() => {
  if (skip === false) execFileSync("umount", [inner]);
  rmSync(folder, { recursive: true, force: true });
});

const busybox = "docker.io/library/busybox:latest";
const ids = [{ hostId: 100_000, containerId: 0, length: 65_536 }];
const ownUsers = { securityContext: { namespaceOptions: { usernsOptions: { uids: ids, gids: ids } } } };
const mount = (more: object) => ({ mounts: [{ containerPath: "/m", ...more }] });
const bind = (more: object) => mount({ hostPath: folder, ...more });
const imaged = (more: object) => mount({ image: { image: busybox }, readonly: true, ...more });

/** A running container that was made past the gateway. */
interface Made {
  readonly runtime: Runtime;
  readonly id: string;
  /** The output of a shell script in it. */
  sh(script: string): Promise<string>;
}

interface Case {
  readonly pod?: object;
  readonly container?: object;
  /** Changes its resources when it runs. */
  readonly update?: object;
  /** Whether the field shows in the container. */
  readonly isApplied: (made: Made) => Promise<boolean>;
}

const cases: { readonly [field: string]: Case } = {
  usernsOptions: {
    pod: { linux: ownUsers },
    container: { linux: ownUsers },
    isApplied: async ({ sh }) => /\b100000\b/.test(await sh("cat /proc/self/uid_map")),
  },
  recursiveReadOnly: {
    container: bind({ readonly: true, recursiveReadOnly: true }),
    isApplied: async ({ sh }) => (await sh("touch /m/inner/file && echo written")) === "",
  },
  mountOptions: {
    container: bind({ mountOptions: ["noexec"] }),
    isApplied: async ({ sh }) => /noexec/.test(await sh("grep ' /m ' /proc/self/mountinfo")),
  },
  uidMappings: {
    container: bind({ uidMappings: ids, gidMappings: ids }),
    isApplied: async ({ sh }) => (await sh("stat -c %u /m")) !== "0\n",
  },
  image: {
    container: imaged({}),
    isApplied: async ({ sh }) => /\bbin\b/.test(await sh("ls /m")),
  },
  imageSubPath: {
    container: imaged({ imageSubPath: "bin" }),
    isApplied: async ({ sh }) => !/\bbin\b/.test(await sh("ls /m")),
  },
  addAmbientCapabilities: {
    container: {
      linux: {
        securityContext: {
          runAsUser: { value: "1000" },
          capabilities: { addCapabilities: ["CHOWN"], addAmbientCapabilities: ["CHOWN"] },
        },
      },
    },
    isApplied: async ({ sh }) => !/CapAmb:\t0+$/m.test(await sh("cat /proc/1/status")),
  },
  stopSignal: {
    container: {
      stopSignal: "SIGNAL_SIGINT",
      command: ["sh", "-c", "trap 'exit 7' INT; trap 'exit 9' TERM; while :; do sleep 0.1; done"],
    },
    async isApplied({ runtime, id: containerId }) {
      await call(runtime, "RuntimeService/StopContainer", { containerId, timeout: "10" });
      const { status } = await call(runtime, "RuntimeService/ContainerStatus", { containerId });
      return status?.exitCode === 7;
    },
  },
  hugepageLimits: {
    container: { linux: { resources: { hugepageLimits: [{ pageSize: "2MB", limit: "4194304" }] } } },
    async isApplied({ runtime, id: containerId }) {
      const request = { containerId, verbose: true };
      const { info } = await call(runtime, "RuntimeService/ContainerStatus", request);
      return JSON.stringify(JSON.parse(info.info ?? "").runtimeSpec).includes("4194304");
    },
  },
  CDIDevices: { container: { CDIDevices: [{ name: "crest.test/none=0" }] }, isApplied: async () => false },
  oomScoreAdj: {
    update: { linux: { oomScoreAdj: "700" } },
    async isApplied({ runtime, id: containerId }) {
      const request = { containerId, verbose: true };
      const { info } = await call(runtime, "RuntimeService/ContainerStatus", request);
      return JSON.parse(info.info ?? "").runtimeSpec.process.oomScoreAdj === 700;
    },
  },
  windows: {
    container: { windows: { securityContext: { runAsUsername: "someone" } } },
    isApplied: async () => false,
  },
};

type Outcome = "applied" | "ignored" | "failed";

/** What containerd makes of it without the gateway. */
async function outcomeOf(connection: Runtime, { pod, container, update, isApplied }: Case): Promise<Outcome> {
  const config = { metadata: { name: newName(), uid: newName(), namespace: "default" }, ...pod };
  const name = "RuntimeService/RunPodSandbox";
  const { podSandboxId } = await call(connection, name, { config }).catch(failed);
  if (podSandboxId === undefined) return "failed";
  try {
    const { containerId } = await call(connection, "RuntimeService/CreateContainer", {
      podSandboxId,
      sandboxConfig: config,
      config: {
        metadata: { name: "app" },
        image: { image: busybox },
        command: ["sleep", "3600"],
        linux: {},
        ...container,
      },
    }).catch(failed);
    if (containerId === undefined) return "failed";
    const started = await call(connection, "RuntimeService/StartContainer", { containerId }).catch(failed);
    if ("why" in started) return "failed";
    if (update !== undefined)
      await call(connection, "RuntimeService/UpdateContainerResources", { containerId, ...update });
    const made: Made = {
      runtime: connection,
      id: containerId,
      async sh(script) {
        const cmd = ["sh", "-c", script];
        const reply = await call(connection, "RuntimeService/ExecSync", { containerId, cmd, timeout: "30" });
        return Buffer.from(reply.stdout, "base64").toString();
      },
    };
    return (await isApplied(made)) ? "applied" : "ignored";
  } finally {
    await call(connection, "RuntimeService/StopPodSandbox", { podSandboxId });
    await call(connection, "RuntimeService/RemovePodSandbox", { podSandboxId });
  }
}

function failed(error: unknown): {
  readonly why: string;
  readonly podSandboxId?: never;
  containerId?: never;
} {
  if (!(error instanceof GatewayError)) throw error;
  return { why: error.message };
}

/** What the gateway answers, and whether the answer warns of the field. */
async function throughGateway(api: Api, { pod, container = {}, update }: Case): Promise<Answer> {
  if (pod !== undefined) {
    const answer = await api.post<{ podSandboxId: string }>("/v1/pods", {
      metadata: { name: newName() },
      ...pod,
    });
    if (answer.status === 201) await api.delete(`/v1/pods/${answer.body.podSandboxId}`);
    return answer;
  }
  const made: Resource = await runPod(api);
  try {
    const usual = { metadata: { name: "app" }, image, command: ["sleep", "3600"] };
    const answer = await api.post<{ containerId: string }>(`${made.path}/containers`, {
      ...usual,
      ...container,
    });
    if (answer.status !== 201) return answer;
    const path = `/v1/containers/${answer.body.containerId}`;
    const started = await api.post(`${path}/start`);
    if (started.status >= 400) return started;
    return update === undefined ? answer : await api.patch(`${path}/resources`, update);
  } finally {
    await removePod(api, made);
  }
}

for (const [field, one] of Object.entries(cases)) {
  test(`${field}: refused or warned of exactly where this containerd does not use it`, { skip }, async () => {
    const connection = connect({ runtimeEndpoint: runtime().socket });
    try {
      const outcome = await outcomeOf(connection, one);
      await permitting(["--allow-host", "--allow-pull"], async (api) => {
        const answer = await throughGateway(api, one);
        const isRefused = answer.status === 501;
        const isWarned = String(answer.headers.warning ?? "").includes(`/${field}`);
        const what = `containerd: ${outcome}; the gateway: ${answer.status} ${answer.headers.warning} ${answer.text}`;
        if (outcome === "applied") assert.ok(!isRefused && !isWarned, what);
        if (outcome === "ignored") assert.ok(isRefused || isWarned, what);
        // A failure is the runtime's own, or, if it says that it lacks the feature, the gateway's.
        if (outcome === "failed") assert.ok(answer.status >= 400 && !isWarned, what);
      });
    } finally {
      connection.close();
    }
  });
}

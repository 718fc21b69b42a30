/** Every host word on a real containerd: refused or taken away without it, and seen from inside a container with it. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readlinkSync,
  realpathSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { hostWords } from "../../src/grants.ts";
import { type Answer, type Api, bodyOf, problemOf } from "./support/api.ts";
import { reasonToSkip } from "./support/machine.ts";
import { permittingOn } from "./support/permitting.ts";
import { containerStatus, exec, image, newName, type Resource, removePod } from "./support/pods.ts";
import { useRuntime } from "./support/suite.ts";

const skip = await reasonToSkip();
const suite = useRuntime(skip);
const permitting = permittingOn(suite);

// Not below /tmp, which is a file system of its own on some machines.
const folder = realpathSync(mkdtempSync("/var/tmp/crest-words-"));
const shared = join(folder, "shared");
const logs = join(folder, "logs");
const profile = join(folder, "no-mkdir.json");
const cgroup = newName();

before(() => {
  if (skip !== false) return;
  mkdirSync(shared);
  execFileSync("mount", ["-t", "tmpfs", "-o", "mode=755", "tmpfs", shared]);
  execFileSync("mount", ["--make-shared", shared]);
  mkdirSync(join(shared, "late"));
  const syscalls = [{ names: ["mkdir", "mkdirat"], action: "SCMP_ACT_ERRNO" }];
  writeFileSync(profile, JSON.stringify({ defaultAction: "SCMP_ACT_ALLOW", syscalls }));
});
after(() => {
  if (skip === false) execFileSync("umount", ["--recursive", shared]);
  rmSync(folder, { recursive: true, force: true });
  // Runtimes leave the parents behind that they made.
  for (const name of ["", ...readdirSync("/sys/fs/cgroup")]) {
    const place = join("/sys/fs/cgroup", name, cgroup);
    if (existsSync(place)) rmdirSync(place);
  }
});

/** A container that was made with the word. */
interface Made {
  readonly api: Api;
  readonly pod: Resource;
  readonly container: Resource;
  /** The output of a shell script in it. */
  sh(script: string): Promise<string>;
}

interface Case {
  readonly pod?: object;
  readonly container?: object;
  readonly flags?: readonly string[];
  /** Whether the word shows. Absent: not every node or containerd can do it, and it is enough that it may be asked for. */
  readonly isShown?: (made: Made) => Promise<boolean>;
  /** Without the word, a request is not refused: something safe is filled in. */
  readonly isFilled?: true;
}

const context = (securityContext: object) => ({ linux: { securityContext } });
const both = (config: object) => ({ pod: config, container: config });
const ids = [{ hostId: 100_000, containerId: 0, length: 65_536 }];
const sharing = (kind: string, link: string): Case => ({
  ...both(context({ namespaceOptions: { [kind]: "NODE" } })),
  isShown: async ({ sh }) =>
    (await sh(`readlink /proc/self/ns/${link}`)).trim() === readlinkSync(`/proc/self/ns/${link}`),
});
const status =
  (pattern: RegExp) =>
  async ({ sh }: Made): Promise<boolean> =>
    pattern.test(await sh("cat /proc/1/status"));

/** Under `--policy=restricted`: what it asks for, except for what a word permits. */
const restricted = (more: object, resources: object = { memoryLimitInBytes: "67108864" }) => ({
  linux: {
    resources,
    securityContext: { runAsUser: { value: "1000" }, runAsGroup: { value: "1000" }, ...more },
  },
});
const strictly = ["--policy=restricted"];

const cases: { readonly [word: string]: Case } = {
  network: sharing("network", "net"),
  pid: sharing("pid", "pid"),
  ipc: sharing("ipc", "ipc"),
  // containerd 1.6 has none, and 2.x needs a runc with mapped mounts.
  userns: both(context({ namespaceOptions: { usernsOptions: { uids: ids, gids: ids } } })),
  propagation: {
    flags: [`--allow-host=mount:${shared}`],
    container: {
      mounts: [{ containerPath: "/shared", hostPath: shared, propagation: "PROPAGATION_HOST_TO_CONTAINER" }],
    },
    async isShown({ sh }) {
      execFileSync("mount", ["-t", "tmpfs", "tmpfs", join(shared, "late")]);
      return / \/shared\/late /.test(await sh("cat /proc/self/mountinfo"));
    },
  },
  // No device of this name is on the node.
  "cdi:crest.test/none=*": { container: { CDIDevices: [{ name: "crest.test/none=0" }] } },
  "sysctl:kernel.msgmax": {
    pod: { linux: { sysctls: { "kernel.msgmax": "4321" } } },
    isShown: async ({ sh }) => (await sh("cat /proc/sys/kernel/msgmax")) === "4321\n",
  },
  unconfined: {
    container: context({ seccomp: { profileType: "Unconfined" } }),
    isShown: status(/^Seccomp:\t0$/m),
  },
  [`seccomp:${profile}`]: {
    container: context({ seccomp: { profileType: "Localhost", localhostRef: profile } }),
    isShown: async ({ sh }) => /not permitted/.test(await sh("mkdir /tmp/made 2>&1")),
  },
  // Only nodes with AppArmor can load a profile.
  "apparmor:mine": { container: context({ apparmor: { profileType: "Localhost", localhostRef: "mine" } }) },
  // Only nodes with SELinux have labels.
  "selinux:spc_t": { container: context({ selinuxOptions: { type: "spc_t" } }) },
  "cap:SYS_TIME": {
    container: context({ capabilities: { addCapabilities: ["SYS_TIME"] } }),
    isShown: status(/^CapEff:\t00000000aa0405fb$/m),
  },
  unmasked: {
    isFilled: true,
    isShown: async ({ sh }) =>
      !/ (\/proc\/(acpi|kcore|keys)|\/sys\/firmware) /.test(await sh("cat /proc/self/mountinfo")),
  },
  escalation: { isFilled: true, isShown: status(/^NoNewPrivs:\t0$/m) },
  [`logs:${logs}`]: {
    pod: { logDirectory: logs },
    isShown: async () => existsSync(logs) && readdirSync(logs).length > 0,
  },
  cgroup: {
    pod: { linux: { cgroupParent: `/${cgroup}` } },
    isShown: async ({ sh }) => (await sh("cat /proc/self/cgroup")).includes(cgroup),
  },
  // Only a privileged containerd can lower it.
  oom: { container: { linux: { resources: { oomScoreAdj: "-5" } } } },
  "annotation:io.containerd.*": {
    container: { annotations: { "io.containerd.crest-test": "1" } },
    isShown: async ({ api, container }) =>
      (await containerStatus(api, container)).annotations["io.containerd.crest-test"] === "1",
  },
  "runtime:runc": {
    pod: { runtimeHandler: "runc" },
    async isShown({ api, pod }) {
      const answer = bodyOf(await api.get<{ status: { runtimeHandler: string } }>(pod.path));
      return answer.status.runtimeHandler === "runc";
    },
  },
  windows: { container: { windows: { resources: { cpuShares: "5" } } }, isShown: async () => true },
  root: {
    flags: strictly,
    container: restricted({ runAsUser: { value: "0" }, runAsGroup: { value: "0" } }),
    isShown: async ({ sh }) => (await sh("id -u")) === "0\n",
  },
  writable: {
    isFilled: true,
    flags: [...strictly, "--allow-host=root"],
    container: restricted({ runAsUser: { value: "0" }, runAsGroup: { value: "0" } }),
    isShown: async ({ sh }) => (await sh("touch /made && echo written")) === "written\n",
  },
  unlimited: {
    flags: strictly,
    container: restricted({}, {}),
    isShown: async ({ sh }) => (await sh("id -u")) === "1000\n",
  },
};

/** Asks for a pod and its container; `use` gets what was made, if anything was. */
async function ask(
  api: Api,
  { pod, container = {} }: Case,
  use: (made: Made) => Promise<void>,
): Promise<Answer> {
  const begun = await api.post<{ podSandboxId: string }>("/v1/pods", {
    metadata: { name: newName() },
    ...pod,
  });
  if (begun.status !== 201) return begun;
  const made = { id: begun.body.podSandboxId, path: `/v1/pods/${begun.body.podSandboxId}` };
  try {
    const config = { metadata: { name: "app" }, image, command: ["sleep", "3600"], ...container };
    const answer = await api.post<{ containerId: string }>(`${made.path}/containers`, config);
    if (answer.status !== 201) return answer;
    const { containerId: id } = answer.body;
    const one: Resource = { id, path: `/v1/containers/${id}` };
    const started = await api.post(`${one.path}/start`);
    const sh = async (script: string): Promise<string> => (await exec(api, one, script)).stdout;
    if (started.status === 204) await use({ api, pod: made, container: one, sh });
    return started;
  } finally {
    await removePod(api, made);
  }
}

for (const [word, one] of Object.entries(cases)) {
  test(`host=${word}: not without the word, and with it from inside the container`, { skip }, async () => {
    const { flags = [], isShown } = one;
    await permitting(flags, async (api) => {
      const answer = await ask(api, one, async (made) => {
        assert.ok(one.isFilled, "it ran without the word");
        assert.equal(await isShown?.(made), false);
      });
      if (one.isFilled) {
        bodyOf(answer, 204);
        return;
      }
      const { errors } = problemOf(answer, 403, "not_capable") as unknown as {
        readonly errors: readonly { readonly grant: string }[];
      };
      const nameOf = (text: string): string | undefined => text.split(":")[0];
      for (const { grant } of errors) assert.equal(nameOf(grant), nameOf(`--allow-host=${word}`));
    });
    await permitting([...flags, `--allow-host=${word}`], async (api) => {
      const answer = await ask(api, one, async (made) => {
        if (isShown !== undefined) assert.equal(await isShown(made), true);
      });
      if (isShown === undefined) assert.notEqual(answer.status, 403, answer.text);
      else bodyOf(answer, 204);
    });
  });
}

test("host=checkpoint: not without the word, and with it the runtime is asked", { skip }, async () => {
  const location = join(folder, "app.tar");
  for (const [words, isRefused] of [
    [[], true],
    [[`--allow-host=checkpoint:${folder}`], false],
  ] as const) {
    await permitting(["--allow-checkpoint", ...words], async (api) => {
      await ask(api, {}, async ({ container }) => {
        const answer = await api.post(`${container.path}/checkpoint`, { location });
        assert.equal(answer.status === 403, isRefused, answer.text);
      });
    });
  }
});

test("every word is tried, here or in pod-policy.test.ts", () => {
  const tried = Object.keys(cases).map((word) => word.split(":")[0]);
  const elsewhere = ["privileged", "mount", "device", "port"];
  assert.deepEqual([...tried, ...elsewhere, "checkpoint"].sort(), Object.keys(hostWords).sort());
});

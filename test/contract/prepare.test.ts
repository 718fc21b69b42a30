/** What requests are completed with before they go out, and how a pod's config is recalled for its containers. */
import assert from "node:assert/strict";
import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { type MannerName, mannerNames } from "../support/fake-runtime.ts";
import { type LiveGateway, liveGateway, valueAt } from "./live-gateway.ts";

const annotation = "crest/sandbox-config";
/** Those whose verbose status does not hold the pod's config. */
const forgetful: readonly MannerName[] = ["cri-o", "cri-dockerd"];
const mindful: readonly MannerName[] = ["containerd-1.6", "containerd-1.7", "containerd-2.1"];

/** Runs a pod and gives what the runtime was told. */
async function podSent({ ask, fake }: LiveGateway, body: object): Promise<{ id: string; config: object }> {
  const answer = await ask("POST /v1/pods", body);
  assert.equal(answer.status, 201, answer.text);
  const config = fake.callsOf("RuntimeService/RunPodSandbox").at(-1)?.request.config;
  assert.ok(config);
  return { id: String(answer.at("podSandboxId")), config: config as object };
}

/** Creates a container and gives what the runtime was told. */
async function containerSent(
  { ask, fake }: LiveGateway,
  podId: string,
  body: object = {},
): Promise<{ config: object; sandboxConfig: object }> {
  const app = { metadata: { name: "app" }, image: "busybox:1.36", ...body };
  const answer = await ask(`POST /v1/pods/${podId}/containers`, app);
  assert.equal(answer.status, 201, answer.text);
  const request = fake.callsOf("RuntimeService/CreateContainer").at(-1)?.request;
  return request as unknown as { config: object; sandboxConfig: object };
}

test("a log directory where no folder can be made is refused, and does not keep a processor busy", async (t) => {
  const { ask } = await liveGateway(t);
  const answer = await ask("POST /v1/pods", { metadata: { name: "web" }, logDirectory: "/proc/nope" });
  assert.deepEqual(
    [answer.status, answer.at("errors.0.pointer"), answer.at("errors.0.detail")],
    [400, "/logDirectory", "must be a folder, or a path where one can be created (ENOENT)"],
  );
});

for (const manner of mannerNames) {
  test(`names that would write into the arguments of network plugins are 400 on ${manner}`, async (t) => {
    const { ask, fake } = await liveGateway(t, manner);
    for (const field of ["name", "namespace", "uid"]) {
      for (const value of ["x=y", "a;IP=10.93.80.222", "a\n", "a\u0000", "a\u001f", "a\u007f"]) {
        const metadata = { name: "web", [field]: value };
        for (const [target, body, pointer] of [
          ["POST /v1/pods", { metadata }, `/metadata/${field}`],
          [
            "POST /v1/pods/restore",
            { checkpointPath: "/c", config: { metadata } },
            `/config/metadata/${field}`,
          ],
        ] as const) {
          const answer = await ask(target, body);
          assert.equal(answer.status, 400, `${target} ${JSON.stringify(metadata)}: ${answer.text}`);
          assert.equal(answer.at("errors.0.pointer"), pointer);
        }
      }
    }
    for (const rpc of ["RuntimeService/RunPodSandbox", "RuntimeService/RestorePod"] as const)
      assert.deepEqual(fake.callsOf(rpc), []);
  });

  test(`a pod with a name alone is completed on ${manner}`, async (t) => {
    const gateway = await liveGateway(t, manner);
    const { config } = await podSent(gateway, { metadata: { name: "web" } });
    const uid = String(valueAt(config, "metadata.uid"));
    assert.match(uid, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    assert.deepEqual(valueAt(config, "metadata"), { name: "web", uid, namespace: "default" });
    assert.deepEqual(valueAt(config, "labels"), { "crest/managed": "true" });
    assert.equal(valueAt(config, "linux.cgroupParent"), `/crest/${uid.replaceAll("-", "_")}`);
    const logDirectory = join(gateway.dataDir, "logs", `default_web_${uid}`);
    assert.equal(valueAt(config, "logDirectory"), logDirectory);
    assert.ok(statSync(logDirectory).isDirectory());
    assert.equal(valueAt(config, "annotations") !== undefined, forgetful.includes(manner));
  });

  test(`what the caller gives is not touched on ${manner}`, async (t) => {
    const gateway = await liveGateway(t, manner);
    const given = {
      metadata: { name: "web", uid: "u-1", namespace: "prod", attempt: 2 },
      hostname: "web-0",
      logDirectory: join(gateway.dataDir, "mine"),
      labels: { app: "web", "crest/managed": "no" },
      annotations: { note: "x" },
      linux: { cgroupParent: "/mine" },
    };
    const { config } = await podSent(gateway, given);
    const { annotations, ...rest } = config as { annotations: { [name: string]: string } };
    const { [annotation]: kept, ...others } = annotations;
    assert.deepEqual(others, { note: "x" });
    assert.equal(kept !== undefined, forgetful.includes(manner));
    const { annotations: _, ...sent } = given;
    assert.deepEqual(rest, { ...sent, labels: { app: "web", "crest/managed": "true" } });
    assert.ok(existsSync(given.logDirectory));
  });

  test(`the cgroup parent is a slice where the driver is systemd, on ${manner}`, async (t) => {
    const gateway = await liveGateway(t, manner);
    const { fake } = gateway;
    const handler = { options: { SystemdCgroup: true } };
    const config = { containerd: { defaultRuntimeName: "runc", runtimes: { runc: handler } } };
    if (manner === "containerd-1.6" || manner === "containerd-1.7") {
      fake.on("RuntimeService/Status", { info: { config: JSON.stringify(config) } });
    } else {
      fake.on("RuntimeService/RuntimeConfig", { linux: { cgroupDriver: "SYSTEMD" } });
    }
    for (const name of ["a", "b"]) {
      const { config } = await podSent(gateway, { metadata: { name } });
      const uid = String(valueAt(config, "metadata.uid"));
      assert.equal(
        valueAt(config, "linux.cgroupParent"),
        `/crest.slice/crest-${uid.replaceAll("-", "_")}.slice`,
      );
    }
    // A runtime that has no RuntimeConfig says so each time it is asked: once.
    assert.equal(fake.callsOf("RuntimeService/RuntimeConfig").length, 1);
  });

  test(`logs have a folder and a file, also when one of them is given, on ${manner}`, async (t) => {
    const gateway = await liveGateway(t, manner);
    const mine = join(gateway.dataDir, "mine", "deep");
    const both = await podSent(gateway, { metadata: { name: "a" }, logDirectory: mine });
    const named = await containerSent(gateway, both.id, { logPath: "sub/app.log" });
    assert.equal(valueAt(named.config, "logPath"), "sub/app.log");
    assert.equal(valueAt(named.sandboxConfig, "logDirectory"), mine);
    assert.ok(statSync(join(mine, "sub")).isDirectory());
    const filled = await containerSent(gateway, both.id, { metadata: { name: "b", attempt: 3 } });
    assert.equal(valueAt(filled.config, "logPath"), "b/3.log");
    assert.ok(statSync(join(mine, "b")).isDirectory());

    const neither = await podSent(gateway, { metadata: { name: "c", uid: "u", namespace: "n" } });
    const container = await containerSent(gateway, neither.id, { metadata: { name: "x/../y" } });
    const folder = join(gateway.dataDir, "logs", "n_c_u");
    assert.equal(valueAt(container.sandboxConfig, "logDirectory"), folder);
    assert.equal(valueAt(container.config, "logPath"), "x-..-y/0.log");
    assert.ok(statSync(join(folder, "x-..-y")).isDirectory());
  });

  test(`a pod that was made elsewhere without a log folder gets one for its container on ${manner}`, async (t) => {
    const gateway = await liveGateway(t, manner);
    const pod = gateway.fake.addPod({ name: "old", namespace: "n", uid: "u" });
    const { sandboxConfig, config } = await containerSent(gateway, pod.id);
    assert.equal(valueAt(sandboxConfig, "logDirectory"), join(gateway.dataDir, "logs", "n_old_u"));
    assert.equal(valueAt(config, "logPath"), "app/0.log");
    assert.deepEqual(valueAt(sandboxConfig, "metadata"), { name: "old", namespace: "n", uid: "u" });
  });

  test(`a pod's config is recalled whole for its containers on ${manner}`, async (t) => {
    const gateway = await liveGateway(t, manner);
    const { id, config } = await podSent(gateway, {
      metadata: { name: "web", uid: "u-1", namespace: "prod", attempt: 1 },
      hostname: "web-0",
      dnsConfig: { servers: ["10.0.0.1"], searches: ["svc.local"], options: ["ndots:5"] },
      portMappings: [
        { containerPort: 80, hostPort: 8080 },
        { protocol: "UDP", containerPort: 53 },
      ],
      labels: { app: "web" },
      annotations: { note: 'quotes " and ünïcode' },
      linux: {
        sysctls: { "net.ipv4.ip_forward": "0", "kernel.shm_rmid_forced": "" },
        securityContext: {
          namespaceOptions: { ipc: "NODE", pid: "CONTAINER" },
          runAsUser: { value: "0" },
          supplementalGroups: ["5"],
          seccomp: { profileType: "RuntimeDefault" },
        },
        overhead: { cpuShares: "512" },
        // What cgroups of version 1 call no limit: more than a double holds.
        resources: { memoryLimitInBytes: "9223372036854771712", cpuQuota: "-1" },
      },
    });
    const { sandboxConfig } = await containerSent(gateway, id);
    assert.deepEqual(sandboxConfig, recalled(manner, config));
  });

  test(`a container is in its pod's namespaces unless it says otherwise, on ${manner}`, async (t) => {
    const gateway = await liveGateway(t, manner);
    const onNode = { network: "NODE", pid: "NODE", ipc: "NODE" };
    const securityContext = { namespaceOptions: onNode };
    const { id } = await podSent(gateway, { metadata: { name: "web" }, linux: { securityContext } });
    const silent = await containerSent(gateway, id, { linux: { resources: { cpuShares: "2" } } });
    assert.deepEqual(valueAt(silent.config, "linux"), { resources: { cpuShares: "2" }, securityContext });
    const own = { namespaceOptions: { pid: "CONTAINER" } };
    const other = { metadata: { name: "other" }, linux: { securityContext: own } };
    const loud = await containerSent(gateway, id, other);
    assert.deepEqual(valueAt(loud.config, "linux.securityContext"), own);
  });

  test(`a sandboxConfig beside a container's config counts, and what it leaves out is recalled, on ${manner}`, async (t) => {
    const gateway = await liveGateway(t, manner);
    const { id, config } = await podSent(gateway, {
      metadata: { name: "web", attempt: 2 },
      hostname: "web-0",
      labels: { app: "web" },
      linux: { sysctls: { "net.ipv4.ip_forward": "0" } },
    });
    const logDirectory = join(gateway.dataDir, "other");
    const own = { metadata: { name: "web" }, hostname: "other", logDirectory };
    const { sandboxConfig } = await containerSent(gateway, id, { sandboxConfig: own });
    assert.equal(valueAt(sandboxConfig, "hostname"), "other");
    assert.equal(valueAt(sandboxConfig, "logDirectory"), logDirectory);
    assert.deepEqual(valueAt(sandboxConfig, "metadata"), valueAt(config, "metadata"));
    // A container would leave its pod's cgroup without it.
    const cgroupParent = valueAt(config, "linux.cgroupParent");
    const sysctls = { "net.ipv4.ip_forward": "0" };
    const linux = valueAt(sandboxConfig, "linux") as object;
    assert.deepEqual({ ...linux, securityContext: {} }, { cgroupParent, sysctls, securityContext: {} });
    assert.equal(valueAt(sandboxConfig, "labels.app"), "web");
    assert.ok(existsSync(join(logDirectory, "app")));
    const other = { ...own, linux: { cgroupParent: "/mine" } };
    const moved = await containerSent(gateway, id, { metadata: { name: "b" }, sandboxConfig: other });
    assert.equal(valueAt(moved.sandboxConfig, "linux.cgroupParent"), "/mine");
    assert.deepEqual(valueAt(moved.sandboxConfig, "linux.sysctls"), sysctls);
  });

  test(`linux and what it holds is sent of every pod and container on ${manner}`, async (t) => {
    const gateway = await liveGateway(t, manner);
    const { id, config } = await podSent(gateway, { metadata: { name: "web" } });
    assert.ok(valueAt(config, "linux"));
    const made = gateway.fake.addPod({ name: "elsewhere" });
    for (const pod of [id, made.id]) {
      for (const [name, body] of Object.entries({
        a: {},
        b: { linux: {} },
        c: { linux: { securityContext: { readonlyRootfs: true } } },
        d: { sandboxConfig: { metadata: { name: "web" } } },
      })) {
        const sent = await containerSent(gateway, pod, { metadata: { name }, ...body });
        assert.ok(valueAt(sent.config, "linux.securityContext.namespaceOptions"), `${pod} ${name}`);
        assert.ok(valueAt(sent.sandboxConfig, "linux.securityContext"), `${pod} ${name}`);
      }
    }
  });
}

/** What comes back of a config that was sent: all of it, but for our annotation, and with a runtime's own labels. */
function recalled(manner: MannerName, config: object): object {
  const { annotations, labels, ...rest } = config as {
    annotations: { [name: string]: string };
    labels: { [name: string]: string };
  };
  const { [annotation]: _, ...own } = annotations;
  const added = {
    "io.kubernetes.pod.name": "web",
    "io.kubernetes.pod.namespace": "prod",
    "io.kubernetes.pod.uid": "u-1",
    "io.kubernetes.container.name": "POD",
  };
  return { ...rest, annotations: own, labels: manner === "cri-o" ? { ...labels, ...added } : labels };
}

test("the annotation is written where the runtime forgets the config, and only there", async (t) => {
  for (const manner of mannerNames) {
    const gateway = await liveGateway(t, manner);
    const { config } = await podSent(gateway, {
      metadata: { name: "web", uid: "u" },
      hostname: "h",
      labels: { app: "web" },
      annotations: { [annotation]: '{"hostname":"forged"}' },
    });
    const text = valueAt(config, `annotations`) as { [name: string]: string } | undefined;
    if (mindful.includes(manner)) {
      assert.equal(text, undefined);
      continue;
    }
    // Neither what the status gives back, nor what goes without saying.
    assert.deepEqual(JSON.parse(text?.[annotation] ?? ""), {
      linux: { cgroupParent: "/crest/u" },
      logDirectory: join(gateway.dataDir, "logs", "default_web_u"),
      hostname: "h",
    });
  }
});

test("the annotation is at most 16 KiB: what matters least to a container is left out", async (t) => {
  for (const manner of forgetful) {
    const gateway = await liveGateway(t, manner);
    const portMappings = Array.from({ length: 500 }, (_, i) => ({
      containerPort: 1000 + i,
      hostPort: 2000 + i,
    }));
    const many = await podSent(gateway, { metadata: { name: "many" }, hostname: "h", portMappings });
    const kept = keptIn(many.config);
    assert.deepEqual(Object.keys(kept.members), ["linux", "logDirectory", "hostname"]);
    const { sandboxConfig } = await containerSent(gateway, many.id);
    assert.equal(valueAt(sandboxConfig, "hostname"), "h");

    const few = await podSent(gateway, {
      metadata: { name: "few" },
      portMappings: portMappings.slice(0, 200).map((mapping) => ({ ...mapping, protocol: "UDP" })),
    });
    const whole = keptIn(few.config);
    assert.equal((whole.members.portMappings as object[]).length, 200);
    assert.ok(whole.bytes < 16 * 1024);

    const large = Object.fromEntries(Array.from({ length: 5 }, (_, i) => [`net.${i}`, "ü".repeat(1800)]));
    const huge = await podSent(gateway, { metadata: { name: "huge" }, linux: { sysctls: large } });
    assert.deepEqual(Object.keys(keptIn(huge.config).members), ["logDirectory"]);
  }
});

function keptIn(config: object): {
  readonly members: { readonly [name: string]: unknown };
  readonly bytes: number;
} {
  const annotations = valueAt(config, "annotations") as { readonly [name: string]: string };
  const text = annotations[annotation] ?? "";
  return { members: JSON.parse(text), bytes: Buffer.byteLength(text) };
}

test("an annotation that does not read is passed over, and so is what is unknown in one", async (t) => {
  for (const manner of forgetful) {
    const gateway = await liveGateway(t, manner);
    const texts = ["", "{", "[]", "null", '"x"', '{"linux":5}', '{"hostname":{"a":1}}'];
    for (const [index, text] of texts.entries()) {
      const pod = gateway.fake.addPod({
        name: `p${index}`,
        uid: "u",
        annotations: { [annotation]: text, a: "b" },
      });
      const { sandboxConfig } = await containerSent(gateway, pod.id);
      assert.deepEqual(valueAt(sandboxConfig, "annotations"), { a: "b" });
      assert.equal(valueAt(sandboxConfig, "metadata.name"), `p${index}`);
    }
    const newer = '{"hostname":"h","inventedLater":{"x":[1]},"linux":{"alsoLater":true,"cgroupParent":"/c"}}';
    const forged = `{"metadata":{"name":"other"},${newer.slice(1)}`;
    for (const text of [newer, forged]) {
      const pod = gateway.fake.addPod({ annotations: { [annotation]: text } });
      const { sandboxConfig } = await containerSent(gateway, pod.id);
      assert.equal(valueAt(sandboxConfig, "hostname"), "h");
      assert.equal(valueAt(sandboxConfig, "linux.cgroupParent"), "/c");
      assert.equal(valueAt(sandboxConfig, "metadata.name"), pod.config.metadata?.name);
    }
  }
});

test("a pod that was made elsewhere is recalled from its status", async (t) => {
  for (const manner of forgetful) {
    const gateway = await liveGateway(t, manner);
    const options = { network: "NODE", pid: "CONTAINER" };
    const pod = gateway.fake.addPod({
      name: "kube",
      uid: "u",
      labels: { app: "kube" },
      annotations: { note: "x" },
      config: { linux: { securityContext: { namespaceOptions: options } }, hostname: "lost" },
    });
    const { sandboxConfig } = await containerSent(gateway, pod.id);
    assert.deepEqual(valueAt(sandboxConfig, "linux.securityContext.namespaceOptions"), options);
    assert.deepEqual(valueAt(sandboxConfig, "annotations"), { note: "x" });
    assert.equal(valueAt(sandboxConfig, "labels.app"), "kube");
    assert.equal(valueAt(sandboxConfig, "hostname"), undefined);
  }
});

test("what a newer containerd keeps of the config is dropped where this CRI cannot say it", async (t) => {
  for (const manner of mindful) {
    const gateway = await liveGateway(t, manner);
    const { id } = await podSent(gateway, { metadata: { name: "web", uid: "u" }, hostname: "h" });
    gateway.fake.on("RuntimeService/PodSandboxStatus", async (_request, call) => {
      const reply = (await call.next()) as { info?: { info: string } };
      if (!reply.info) return reply;
      const info = JSON.parse(reply.info.info) as { config: { linux: object } };
      const config = {
        ...info.config,
        invented_later: { deep: [1, 2] },
        linux: { ...info.config.linux, also_later: true },
        port_mappings: [{ protocol: 2, container_port: 80, later: "x" }],
      };
      return { ...reply, info: { info: JSON.stringify({ ...info, config }) } };
    });
    const { sandboxConfig } = await containerSent(gateway, id);
    assert.equal(valueAt(sandboxConfig, "hostname"), "h");
    assert.deepEqual(valueAt(sandboxConfig, "portMappings"), [{ protocol: "SCTP", containerPort: 80 }]);
    assert.deepEqual(valueAt(sandboxConfig, "linux"), { cgroupParent: "/crest/u", securityContext: {} });
  }
});

test("verbose info that does not read falls back to the status", async (t) => {
  const gateway = await liveGateway(t, "containerd-2.1");
  const pod = gateway.fake.addPod({ name: "web", uid: "u", labels: { app: "web" } });
  for (const [index, info] of ["{", "null", "{}", '{"config":5}', '{"config":{"metadata":null}}'].entries()) {
    gateway.fake.on(
      "RuntimeService/PodSandboxStatus",
      async (_request, call) => ({ ...(await call.next()), info: { info } }),
      { once: true },
    );
    const { sandboxConfig } = await containerSent(gateway, pod.id, { metadata: { name: `app-${index}` } });
    assert.equal(valueAt(sandboxConfig, "metadata.name"), "web", info);
    assert.deepEqual(valueAt(sandboxConfig, "labels"), { app: "web" });
  }
});

test("resources for Windows alone would change nothing, and are refused", async (t) => {
  for (const manner of mannerNames) {
    const { ask, fake } = await liveGateway(t, manner);
    const { id } = fake.addContainer();
    const answer = await ask(`PATCH /v1/containers/${id}/resources`, { windows: { cpuShares: "1" } });
    assert.equal(answer.status, 400, answer.text);
    assert.equal(answer.at("errors.0.pointer"), "/linux");
    assert.deepEqual(fake.callsOf("RuntimeService/UpdateContainerResources"), []);
  }
});

test("a create reads the status of its pod once, on every runtime", async (t) => {
  for (const manner of ["containerd-1.6", "containerd-2.1", "cri-o", "cri-dockerd"] as const) {
    const gateway = await liveGateway(t, manner);
    const pod = gateway.fake.addPod({ labels: { "crest/managed": "true" } });
    const body = { metadata: { name: "app" }, image: "busybox:1.36" };
    const created = await gateway.ask(`POST /v1/pods/${pod.id}/containers`, body);
    assert.equal(created.status, 201, created.text);
    assert.equal(gateway.fake.callsOf("RuntimeService/PodSandboxStatus").length, 1, manner);
  }
});

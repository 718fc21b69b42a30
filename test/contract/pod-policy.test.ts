/** What `run` permits without `host`: safe values are filled in, and the known ways to the node are refused. */
import assert from "node:assert/strict";
import { chmodSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { createPodPolicy } from "../../src/access/policy/pod-policy.ts";
import { createApp } from "../../src/app.ts";
import { connect } from "../../src/cri/channel.ts";
import { decodeRequest, encodeCallers } from "../../src/cri/codec.ts";
import type { GatewayError } from "../../src/errors.ts";
import type { Rpc } from "../../src/gen/methods.ts";
import type { Grants } from "../../src/grants.ts";
import { containerEscapes, context, type Places, podEscapes } from "./escapes.ts";
import { type Answer, type LiveGateway, type LiveOptions, liveGateway, token } from "./live-gateway.ts";

const granting = (...host: readonly string[]): Grants => ({
  all: false,
  allow: { run: true, checkpoint: true, ...(host.length > 0 ? { host } : {}) },
  deny: {},
});
const runOnly = granting();

// Not below /tmp: it may be a mount of its own.
const folder = realpathSync(mkdtempSync("/var/tmp/crest-policy-"));
after(() => rmSync(folder, { recursive: true, force: true }));
const data = join(folder, "data");
mkdirSync(join(data, "web"), { recursive: true });

const metadata = { name: "web", uid: "u-web", namespace: "default" };
const container = { metadata: { name: "app" }, image: "busybox:1.36" };

/** The request as it reached the runtime. */
function sent({ fake }: LiveGateway, rpc: Rpc): { readonly [name: string]: unknown } {
  const call = fake.callsOf(rpc).at(-1);
  assert.ok(call, rpc);
  return call.request as { readonly [name: string]: unknown };
}

const at = (value: unknown, path: string): unknown =>
  path
    .split(".")
    .reduce<unknown>(
      (found, key) => (found as { readonly [key: string]: unknown } | undefined)?.[key],
      value,
    );

async function madePod({ ask }: LiveGateway, more: object = {}): Promise<string> {
  const answer = await ask("POST /v1/pods", { metadata, ...more });
  assert.equal(answer.status, 201, answer.text);
  return String(answer.at("podSandboxId"));
}

interface Wrong {
  readonly pointer: string;
  readonly detail: string;
  readonly grant: string;
}

function refusals(answer: Answer): readonly Wrong[] {
  assert.equal(answer.status, 403, answer.text);
  assert.equal(answer.at("code"), "not_capable");
  return answer.at("errors") as readonly Wrong[];
}

const link = join(folder, "link");
symlinkSync(data, link);
symlinkSync("/dev/null", join(folder, "null"));
const places: Places = { folder, data, link };
const pods = podEscapes(places);
const containers = containerEscapes(places);

/** Sends it, and returns the answer and what tells whether it reached the runtime. */
type Send = (config: object) => Promise<Answer>;

async function senders(gateway: LiveGateway): Promise<{ readonly pod: Send; readonly container: Send }> {
  const id = await madePod(gateway, { metadata: { ...metadata, name: "other", uid: "u-other" } });
  let count = 0;
  const named = () => ({ ...container, metadata: { name: `app-${count++}` } });
  return {
    pod: (config) => gateway.ask("POST /v1/pods", { metadata, ...config }),
    container: (config) => gateway.ask(`POST /v1/pods/${id}/containers`, { ...named(), ...config }),
  };
}

for (const [kind, cases, rpc] of [
  ["pod", pods, "RuntimeService/RunPodSandbox"],
  ["container", containers, "RuntimeService/CreateContainer"],
] as const) {
  test(`${kind}: each known way to the node is refused under --allow-run alone, naming its word`, async (t) => {
    const gateway = await liveGateway(t, "containerd-2.1", {
      grants: { ...runOnly, allow: { run: true, pull: true } },
    });
    const send = (await senders(gateway))[kind];
    for (const [what, config, pointer, word] of cases) {
      const before = gateway.fake.callsOf(rpc).length;
      const answer = await send(config);
      const [wrong, ...others] = refusals(answer);
      assert.deepEqual(others, [], what);
      assert.equal(wrong?.pointer, pointer, what);
      const flag = word === "" ? "--allow-host" : `--allow-host=${word}`;
      assert.equal(wrong?.grant, flag, what);
      assert.ok(String(answer.at("detail")).endsWith(`run again with ${flag}`), answer.text);
      assert.deepEqual(answer.at("grants"), ["host"], what);
      assert.equal(gateway.fake.callsOf(rpc).length, before, what);
    }
  });

  test(`${kind}: each word permits just what it names`, () => {
    const policy = createPodPolicy({ level: "baseline", logRoot: "/logs", kept: [] });
    const isRefused = (config: object, word: string): boolean => {
      const own = kind === "pod" ? metadata : container.metadata;
      const { runtimeHandler, ...given } = { metadata: own, ...config } as {
        readonly runtimeHandler?: string;
      };
      const image = kind === "container" && !("image" in config) ? { image: "busybox" } : {};
      const message = { config: { ...given, ...image }, ...(runtimeHandler ? { runtimeHandler } : {}) };
      const request = { ...decodeRequest(rpc, encodeCallers(rpc, message)) };
      try {
        const grants: Grants = { ...runOnly, allow: { run: true, pull: true, host: [word] } };
        policy.apply(rpc, request, { name: "x", grants });
        return false;
      } catch (error) {
        assert.equal((error as GatewayError).code, "not_capable");
        return true;
      }
    };
    const nameOf = (word: string): string | undefined => word.split(":")[0];
    for (const [what, config, , word] of cases) {
      if (word === "") continue;
      assert.equal(isRefused(config, word), false, what);
      for (const [other, theirs, , needed] of cases)
        if (nameOf(needed) !== nameOf(word)) assert.equal(isRefused(theirs, word), true, `${other}: ${word}`);
    }
  });
}

test("all that a request exceeds is named at once, where the caller wrote it", async (t) => {
  const { ask } = await liveGateway(t, "containerd-2.1", { grants: granting("port:8000-8010") });
  const answer = await ask("POST /v1/pods", {
    metadata,
    port_mappings: [
      { container_port: 80, host_port: 8005 },
      { container_port: 81, host_port: 8011 },
    ],
    linux: { security_context: { privileged: true, namespace_options: { network: 2 } } },
    log_directory: "/etc",
  });
  const wrong = refusals(answer);
  assert.deepEqual(
    wrong.map(({ pointer, grant }) => [pointer, grant]),
    [
      ["/log_directory", "--allow-host=logs:/etc"],
      ["/port_mappings/1/host_port", "--allow-host=port:8011"],
      ["/linux/security_context/namespace_options/network", "--allow-host=network"],
      ["/linux/security_context/privileged", "--allow-host=privileged"],
    ],
  );
  assert.match(
    String(answer.at("detail")),
    /, and 3 more in "errors", run again with --allow-host=logs:\/etc,port:8011,network,privileged$/,
  );
});

test("a denial beats the grant and is named, also for what contains what it names", async (t) => {
  const deny = { host: ["port:8080", "cap:NET_ADMIN", `mount:${data}`, "network"] };
  const gateway = await liveGateway(t, "containerd-2.1", { grants: { all: true, allow: {}, deny } });
  const { pod, container } = await senders(gateway);
  const port = (hostPort: number) => ({ portMappings: [{ containerPort: 80, hostPort }] });
  assert.equal((await pod({ ...port(8081), metadata: { ...metadata, uid: "u-2" } })).status, 201);
  const denied = refusals(await pod(port(8080)));
  assert.deepEqual(
    denied.map(({ grant }) => grant),
    ["without --deny-host=port:8080"],
  );
  const mount = (hostPath: string) => ({ mounts: [{ containerPath: "/m", hostPath }] });
  for (const config of [
    mount(data),
    mount(`${data}/web`),
    mount(folder),
    mount("/"),
    context({ capabilities: { addCapabilities: ["ALL"] } }),
    context({ privileged: true }),
  ])
    refusals(await container(config));
  assert.equal((await container(mount("/srv"))).status, 201);
});

test("safe values are filled in, and what is already safe is kept", async (t) => {
  const gateway = await liveGateway(t, "containerd-2.1", { grants: runOnly });
  const id = await madePod(gateway);
  const pod = sent(gateway, "RuntimeService/RunPodSandbox");
  // Its profile is the default of the enum, RuntimeDefault, which the fake leaves out.
  const seccomp = {};
  assert.deepEqual(at(pod, "config.linux.securityContext.seccomp"), seccomp);
  assert.equal(at(pod, "config.linux.securityContext.namespaceOptions.pid"), "CONTAINER");
  const answer = await gateway.ask(`POST /v1/pods/${id}/containers`, {
    ...container,
    linux: {
      resources: { memoryLimitInBytes: "1000000" },
      securityContext: {
        capabilities: { addCapabilities: ["NET_BIND_SERVICE"], dropCapabilities: ["MKNOD"] },
        maskedPaths: ["/proc/kcore", "/proc/mine"],
        runAsUser: { value: "1000" },
      },
    },
  });
  assert.equal(answer.status, 201, answer.text);
  const { config } = sent(gateway, "RuntimeService/CreateContainer");
  const security = at(config, "linux.securityContext");
  const labels = at(config, "labels") as { readonly [name: string]: string };
  assert.equal(labels["containerd.io/restart.status"], "");
  assert.deepEqual(at(security, "seccomp"), seccomp);
  assert.equal(at(security, "noNewPrivs"), true);
  assert.deepEqual(at(security, "capabilities.addCapabilities"), ["NET_BIND_SERVICE"]);
  assert.deepEqual(at(security, "capabilities.dropCapabilities"), ["MKNOD", "NET_RAW"]);
  const masked = at(security, "maskedPaths") as readonly string[];
  assert.deepEqual(masked.slice(0, 2), ["/proc/kcore", "/proc/mine"]);
  assert.equal(new Set(masked).size, masked.length);
  for (const path of ["/proc/acpi", "/proc/keys", "/sys/firmware"]) assert.ok(masked.includes(path), path);
  assert.ok((at(security, "readonlyPaths") as readonly string[]).includes("/proc/sys"));
  assert.equal(at(security, "runAsUser.value"), "1000");
  assert.equal(at(config, "linux.resources.memoryLimitInBytes"), "1000000");
});

test("who has all of host sends requests as they are", async (t) => {
  const gateway = await liveGateway(t, "containerd-2.1");
  const id = await madePod(gateway);
  await gateway.ask(`POST /v1/pods/${id}/containers`, container);
  const { config } = sent(gateway, "RuntimeService/CreateContainer");
  assert.equal(at(config, "linux.securityContext.seccomp"), undefined);
  assert.ok(!at(config, "linux.securityContext.noNewPrivs"));
});

test("a word leaves out just what would be filled in against it", async (t) => {
  const words = ["unconfined", "escalation", "unmasked", "cap:NET_RAW"];
  for (const word of words) {
    await t.test(word, async (t) => {
      const gateway = await liveGateway(t, "containerd-2.1", { grants: granting(word) });
      const id = await madePod(gateway);
      await gateway.ask(`POST /v1/pods/${id}/containers`, container);
      const security = at(sent(gateway, "RuntimeService/CreateContainer"), "config.linux.securityContext");
      assert.deepEqual(
        [
          at(security, "seccomp") === undefined,
          at(security, "noNewPrivs") !== true,
          ((at(security, "maskedPaths") ?? []) as readonly string[]).length === 0,
          !((at(security, "capabilities.dropCapabilities") ?? []) as readonly string[]).includes("NET_RAW"),
        ],
        words.map((one) => one === word),
      );
    });
  }
});

test("a mount is of the real path, and of none that others or containers could exchange", async (t) => {
  const outside = join(data, "outside");
  symlinkSync("/etc", outside);
  const mount = (hostPath: string, readonly = false) => ({
    mounts: [{ containerPath: "/m", hostPath, readonly }],
  });
  const options = (...words: readonly string[]): LiveOptions => ({ grants: granting(...words) });

  await t.test("read-only also below", async (t) => {
    const gateway = await liveGateway(t, "containerd-2.1", options(`mount:${link}:ro`));
    const { container } = await senders(gateway);
    for (const [path, real] of [
      [data, data],
      [link, data],
      [`${link}/web`, `${data}/web`],
    ] as const) {
      assert.equal((await container(mount(path, true))).status, 201, path);
      assert.equal(at(sent(gateway, "RuntimeService/CreateContainer"), "config.mounts.0.hostPath"), real);
    }
    for (const path of [outside, folder, `${data}x`, "/etc"]) refusals(await container(mount(path, true)));
    refusals(await container(mount(data)));
  });

  await t.test("writable only as named", async (t) => {
    const gateway = await liveGateway(t, "containerd-2.1", options(`mount:${data}`, `mount:${folder}:ro`));
    const { container } = await senders(gateway);
    assert.equal((await container(mount(data))).status, 201);
    assert.equal((await container(mount(data, true))).status, 201);
    const [wrong] = refusals(await container(mount(`${data}/web`, true)));
    assert.match(
      String(wrong?.detail),
      /which containers may write to, so that it could be replaced by a link/,
    );
    refusals(await container(mount(`${data}/web`)));
    refusals(await container(mount(outside)));
  });

  await t.test("not where others may write", async (t) => {
    const shared = join(folder, "shared");
    mkdirSync(join(shared, "x"), { recursive: true });
    chmodSync(shared, 0o777);
    const gateway = await liveGateway(t, "containerd-2.1", options(`mount:${shared}/x`));
    const { container } = await senders(gateway);
    const [wrong] = refusals(await container(mount(`${shared}/x`)));
    assert.match(String(wrong?.detail), /is not safe from others/);
  });

  await t.test("never the gateway's own files, whatever is granted", async (t) => {
    const gateway = await liveGateway(
      t,
      "containerd-2.1",
      options("mount:/", "mount:/:ro", `mount:${tmpdir()}`),
    );
    const { container } = await senders(gateway);
    for (const path of [
      gateway.dataDir,
      join(gateway.dataDir, "logs"),
      "/",
      tmpdir(),
      "/proc",
      "/run/containerd",
    ])
      for (const readonly of [true, false]) refusals(await container(mount(path, readonly)));
  });
});

test("images are mounted only under the pull grant", async (t) => {
  const mount = (image: string) => ({ mounts: [{ containerPath: "/m", image }] });
  const grants: Grants = { ...runOnly, allow: { run: true, pull: ["docker.io/library"] } };
  const gateway = await liveGateway(t, "containerd-2.1", { grants });
  const { container } = await senders(gateway);
  assert.notEqual((await container(mount("busybox:1.36"))).status, 403);
  for (const [image, flag] of [
    ["quay.io/team/app:1", "--allow-pull=quay.io/team/app"],
    ["sha256:0123456789ab", "--allow-pull"],
  ] as const) {
    const answer = await container(mount(image));
    assert.deepEqual(
      refusals(answer).map(({ pointer, grant }) => [pointer, grant]),
      [["/mounts/0/image", flag]],
    );
    assert.deepEqual(answer.at("grants"), ["pull"]);
  }
});

test("a pod's config of one's own needs all of host", async (t) => {
  for (const host of [[], ["network", "privileged"]]) {
    const gateway = await liveGateway(t, "containerd-2.1", { grants: granting(...host) });
    const id = await madePod(gateway);
    const sandboxConfig = { metadata, logDirectory: "/etc" };
    const answer = await gateway.ask(`POST /v1/pods/${id}/containers`, { ...container, sandboxConfig });
    assert.equal(answer.status, 403, answer.text);
    assert.deepEqual(answer.at("grants"), ["host"]);
    assert.match(
      String(answer.at("detail")),
      /^Requires host access for "sandboxConfig", run again with --allow-host, and with --allow-unmanaged if/,
    );
  }
});

test("nothing is made on the node for a request that is refused", async (t) => {
  const gateway = await liveGateway(t, "containerd-2.1", { grants: runOnly });
  const target = join(folder, "never");
  refusals(await gateway.ask("POST /v1/pods", { metadata, logDirectory: target }));
  assert.throws(() => realpathSync(target), /ENOENT/);
});

test("values that equal Crest's own are taken", async (t) => {
  const gateway = await liveGateway(t, "containerd-2.1", { grants: runOnly });
  const logDirectory = join(gateway.dataDir, "logs", "default_web_u-web");
  const id = await madePod(gateway, { logDirectory, linux: { cgroupParent: "/crest/u_web" } });
  const answer = await gateway.ask(`POST /v1/pods/${id}/containers`, { ...container, logPath: "app/0.log" });
  assert.equal(answer.status, 201, answer.text);
});

test("updates, checkpoints and restores are held to the same policy", async (t) => {
  const gateway = await liveGateway(t, "containerd-2.1", { grants: runOnly });
  const { ask } = gateway;
  const pod = await madePod(gateway);
  const made = await ask(`POST /v1/pods/${pod}/containers`, container);
  const id = String(made.at("containerId"));
  const words = async (target: string, body: object) =>
    refusals(await ask(target, body)).map(({ pointer, grant }) => `${pointer} ${grant}`);
  const archive = join(data, "web.tar");
  writeFileSync(archive, "");
  assert.deepEqual(
    await words(`PATCH /v1/containers/${id}/resources`, {
      linux: { oomScoreAdj: -5, unified: { "a.b": "1" } },
      annotations: { "io.containerd.x": "1" },
    }),
    [
      "/linux/oomScoreAdj --allow-host=oom",
      "/linux/unified --allow-host=cgroup",
      "/annotations/io.containerd.x --allow-host=annotation:io.containerd.x",
    ],
  );
  assert.deepEqual(await words(`PATCH /v1/pods/${pod}/resources`, { resources: { oomScoreAdj: -5 } }), [
    "/resources/oomScoreAdj --allow-host=oom",
  ]);
  assert.deepEqual(await words(`POST /v1/containers/${id}/checkpoint`, { location: "/etc/cron.d/x" }), [
    "/location --allow-host=checkpoint:/etc/cron.d/x",
  ]);
  assert.deepEqual(
    await words(`POST /v1/pods/${pod}/checkpoint`, { outputPath: data, options: { a: "b" } }),
    [`/outputPath --allow-host=checkpoint:${data}`, "/options --allow-host"],
  );
  assert.deepEqual(
    await words("POST /v1/pods/restore", {
      checkpointPath: archive,
      config: { metadata, linux: { securityContext: { privileged: true } } },
      containerConfigs: [{ ...container, linux: { securityContext: { privileged: true } } }],
    }),
    [
      `/checkpointPath --allow-host=checkpoint:${archive}`,
      "/config/linux/securityContext/privileged --allow-host=privileged",
      "/containerConfigs/0/linux/securityContext/privileged --allow-host=privileged",
    ],
  );
});

test("a container in a pod with more rights than its creator's is refused", async (t) => {
  const mighty = await liveGateway(t, "containerd-2.1");
  const id = await madePod(mighty, {
    ...context({ namespaceOptions: { network: "NODE" } }),
    portMappings: [{ containerPort: 80, hostPort: 8080 }],
  });
  const runtime = connect({ runtimeEndpoint: mighty.fake.socket });
  const app = createApp({
    config: {
      listen: { host: "127.0.0.1", port: 0 },
      dataDir: mighty.dataDir,
      acceptHost: ["127.0.0.1"],
      grants: runOnly,
    },
    ...{ runtime, token, log: () => undefined },
  });
  t.after(() => runtime.close());
  t.after(() => app.close());
  const answer = await app.server.inject({
    method: "POST",
    url: `/v1/pods/${id}/containers`,
    headers: { authorization: `Bearer ${token}`, host: "127.0.0.1" },
    payload: container,
  });
  assert.equal(answer.statusCode, 403, answer.body);
  const errors: readonly Wrong[] = answer.json().errors;
  assert.deepEqual(
    errors.map(({ pointer, grant }) => `${pointer} ${grant}`),
    [
      "/linux/securityContext/namespaceOptions/network --allow-host=network",
      "/sandboxConfig/portMappings/0/hostPort --allow-host=port:8080",
      "/sandboxConfig/linux/securityContext/namespaceOptions/network --allow-host=network",
    ],
  );
  assert.equal(mighty.fake.callsOf("RuntimeService/CreateContainer").length, 0);
});

test("a link that is swapped during requests leads the runtime nowhere else", async (t) => {
  const gateway = await liveGateway(t, "containerd-2.1", { grants: granting(`mount:${data}:ro`) });
  const { container } = await senders(gateway);
  const swapped = join(folder, "swapped");
  const config = { mounts: [{ containerPath: "/m", hostPath: swapped, readonly: true }] };
  const swap = (target: string): void => {
    rmSync(swapped, { force: true });
    symlinkSync(target, swapped);
  };
  let isAnswered = false;
  const pending = Promise.all(Array.from({ length: 40 }, () => container(config))).finally(() => {
    isAnswered = true;
  });
  for (let round = 0; !isAnswered; round++) {
    swap(round % 2 === 0 ? data : "/etc");
    await nextTurn();
  }
  for (const { status } of await pending) assert.ok([201, 403].includes(status), String(status));
  // The runtime also gets no path in which something could still be swapped.
  gateway.fake.on("RuntimeService/CreateContainer", (_, call) => {
    swap("/etc");
    return call.next();
  });
  swap(data);
  assert.equal((await container(config)).status, 201);
  for (const { request } of gateway.fake.callsOf("RuntimeService/CreateContainer"))
    assert.equal(at(request, "config.mounts.0.hostPath"), data);
});

test("on the node's network, sysctls of the network are the node's", async (t) => {
  const gateway = await liveGateway(t, "containerd-2.1", { grants: granting("network") });
  const { pod } = await senders(gateway);
  const sysctls = { "net.ipv4.tcp_syncookies": "0", "kernel.shm_rmid_forced": "1" };
  const own = { linux: { sysctls } };
  assert.equal((await pod(own)).status, 201);
  const securityContext = { namespaceOptions: { network: "NODE" } };
  const answer = await pod({ linux: { sysctls, securityContext }, metadata: { ...metadata, uid: "u-3" } });
  assert.deepEqual(
    refusals(answer).map(({ pointer }) => pointer),
    ["/linux/sysctls/net.ipv4.tcp_syncookies"],
  );
});

test("what a config leaves open on purpose is made safe all the same", async (t) => {
  const gateway = await liveGateway(t, "containerd-2.1", { grants: runOnly });
  const { container } = await senders(gateway);
  const open = {
    noNewPrivs: false,
    maskedPaths: [],
    readonlyPaths: [],
    capabilities: { dropCapabilities: [] },
  };
  const labels = { "containerd.io/restart.status": "" };
  assert.deepEqual(
    refusals(await container({ ...context(open), labels })).map(({ pointer }) => pointer),
    ["/labels/containerd.io~1restart.status"],
  );
  assert.equal((await container(context(open))).status, 201);
  const security = at(sent(gateway, "RuntimeService/CreateContainer"), "config.linux.securityContext");
  assert.equal(at(security, "noNewPrivs"), true);
  assert.ok((at(security, "maskedPaths") as readonly string[]).includes("/proc/kcore"));
  assert.ok((at(security, "readonlyPaths") as readonly string[]).includes("/proc/sys"));
  assert.deepEqual(at(security, "capabilities.dropCapabilities"), ["NET_RAW"]);
});

test("pulls reach no handler, annotation or pod that a pod could not ask for", async (t) => {
  const grants: Grants = { ...runOnly, allow: { run: true, pull: true } };
  const { ask } = await liveGateway(t, "containerd-2.1", { grants });
  const words = async (body: object) =>
    refusals(await ask("POST /v1/images/pull", body)).map(({ pointer, grant }) => `${pointer} ${grant}`);
  const image = "busybox:1.36";
  assert.deepEqual(await words({ image: { image, annotations: { "io.containerd.x": "1" } } }), [
    "/image/annotations/io.containerd.x --allow-host=annotation:io.containerd.x",
  ]);
  assert.deepEqual(await words({ image: { image, runtimeHandler: "kata" } }), [
    "/image/runtimeHandler --allow-host=runtime:kata",
  ]);
  assert.deepEqual(await words({ image, sandboxConfig: { metadata, annotations: { "run.oci.x": "1" } } }), [
    "/sandboxConfig/annotations/run.oci.x --allow-host=annotation:run.oci.x",
  ]);
});

test("an image that is a checkpoint needs all of host, and the runtime is not asked for it", async (t) => {
  const grants: Grants = granting("checkpoint:/", "privileged");
  const gateway = await liveGateway(t, "cri-o", { grants });
  const { container } = await senders(gateway);
  const spec = { annotations: { "io.kubernetes.cri-o.annotations.checkpoint.name": "app" } };
  const status = { image: { id: "a".repeat(64), repoTags: ["quay.io/team/frozen:1"], spec } };
  gateway.fake.on("ImageService/ImageStatus", status);
  const [wrong, ...others] = refusals(await container({ image: "quay.io/team/frozen:1" }));
  assert.deepEqual([wrong?.pointer, wrong?.grant, others], ["/image", "--allow-host", []]);
  assert.match(
    String(wrong?.detail),
    /^restores a container, because the image quay\.io\/team\/frozen:1 is a ch/,
  );
  assert.equal(gateway.fake.callsOf("RuntimeService/CreateContainer").length, 0);
});

test("a body full of what exceeds the level is refused in a bounded answer", async (t) => {
  const gateway = await liveGateway(t, "containerd-2.1", { grants: runOnly });
  const { container } = await senders(gateway);
  const addCapabilities = Array.from({ length: 60_000 }, () => "SYS_ADMIN");
  const answer = await container(context({ capabilities: { addCapabilities } }));
  assert.equal(answer.status, 403);
  assert.equal((answer.at("errors") as readonly Wrong[]).length, 100);
  assert.match(String(answer.at("detail")), /, and 59999 more, the first 100 in "errors", run again with/);
});

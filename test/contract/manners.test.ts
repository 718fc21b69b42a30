/** Where runtimes differ and callers shall not notice: images, ids, times, refusals, and runtimes that go away. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { status } from "@grpc/grpc-js";
import { eventually } from "../support/eventually.ts";
import {
  type FakeRuntime,
  GrpcFault,
  type MannerName,
  mannerNames,
  type RpcName,
} from "../support/fake-runtime.ts";
import { type LiveGateway, liveGateway } from "./live-gateway.ts";

/** What `image` is called on every runtime, whichever names it writes in full. */
const hex = /^(?:sha256:)?([0-9a-f]{64})$/;

for (const manner of mannerNames) {
  test(`an image is removed by any of its names, and all of them are told, on ${manner}`, async (t) => {
    const { ask, fake } = await liveGateway(t, manner);
    const names = ["busybox:1.36", "docker.io/library/busybox:1.36", "docker.io%2Flibrary%2Fbusybox:1.36"];
    for (const name of names) {
      const image = fake.addImage({ tags: ["busybox:1.36", "busybox:stable"] });
      const dry = await ask(`DELETE /v1/images/${name}?dryRun`);
      assert.equal(dry.status, 200, dry.text);
      assert.equal(dry.at("dryRun"), true);
      assert.ok(fake.images.has(image.digits));
      const removed = await ask(`DELETE /v1/images/${name}`);
      assert.equal(removed.status, 200, removed.text);
      assert.deepEqual((removed.at("repoTags") as string[]).length, 2);
      assert.equal(hex.exec(String(removed.at("id")))?.[1], image.digits);
      assert.ok(!fake.images.has(image.digits), "it is gone");
      const [call] = fake.callsOf("ImageService/RemoveImage").slice(-1);
      assert.match(String((call?.request.image as { image?: string })?.image), hex);
    }
  });

  test(`an image is found by its id in every form on ${manner}`, async (t) => {
    const { ask, fake } = await liveGateway(t, manner);
    const { digits } = fake.addImage({ tags: ["quay.io/team/app:1"] });
    const short = digits.slice(0, 12);
    for (const id of [digits, `sha256:${digits}`, short, `sha256:${short}`]) {
      const shown = await ask(`GET /v1/images/${id}`);
      assert.equal(shown.status, 200, shown.text);
      assert.equal(hex.exec(String(shown.at("image.id")))?.[1], digits);
      const removed = await ask(`DELETE /v1/images/${id}?dryRun`);
      assert.equal(removed.status, 200, removed.text);
      const listed = await ask(`GET /v1/images?image=${id}`);
      assert.equal((listed.at("images") as object[]).length, 1);
    }
    await ask(`DELETE /v1/images/${digits}`);
    assert.ok(!fake.images.has(digits));
  });

  test(`every id and every reference that answers show finds its image on ${manner}`, async (t) => {
    const { ask, fake } = await liveGateway(t, manner);
    const { id } = fake.addContainer();
    const pulled = await ask("POST /v1/images/pull", { image: "alpine:3.20" });
    const status = await ask(`GET /v1/containers/${id}`);
    const [container] = (await ask("GET /v1/containers")).at("containers") as { [name: string]: string }[];
    const images = (await ask("GET /v1/images")).at("images") as {
      readonly [name: string]: string | string[];
    }[];
    const shown = [
      pulled.at("imageRef"),
      status.at("status.imageRef"),
      status.at("status.imageId") || undefined,
      container?.imageRef,
      container?.imageId || undefined,
      ...images.flatMap(({ id, repoTags, repoDigests }) => [id, repoTags, repoDigests].flat()),
    ].filter((reference) => reference !== undefined);
    assert.ok(shown.length >= 12, shown.join());
    const pod = fake.addPod();
    for (const [index, reference] of shown.entries()) {
      const found = await ask(`GET /v1/images/${encodeURIComponent(String(reference))}`);
      assert.equal(found.status, 200, `${reference}: ${found.text}`);
      const dryRun = await ask(`DELETE /v1/images/${encodeURIComponent(String(reference))}?dryRun`);
      assert.notEqual(dryRun.status, 404, `${reference}: ${dryRun.text}`);
      const body = { metadata: { name: `a-${index}` }, image: String(reference), command: ["serve"] };
      const created = await ask(`POST /v1/pods/${pod.id}/containers`, body);
      assert.equal(created.status, 201, `${reference}: ${created.text}`);
    }
  });

  test(`an image that is mounted is asked for as one that is run, on ${manner}`, async (t) => {
    const { ask, fake } = await liveGateway(t, manner);
    const { digits } = fake.addImage({ tags: ["quay.io/team/data:1"] });
    const id = manner === "cri-o" ? digits : `sha256:${digits}`;
    const pod = fake.addPod();
    const mounts = [
      { containerPath: "/a", image: "quay.io/team/data:1" },
      { containerPath: "/b", image: `sha256:${digits}` },
      { containerPath: "/c", image: { image: digits, userSpecifiedImage: "mine" } },
      { containerPath: "/d", hostPath: "/srv" },
    ];
    const body = { metadata: { name: "a" }, image: "busybox:1.36", mounts };
    const created = await ask(`POST /v1/pods/${pod.id}/containers`, body);
    // It would ignore the image.
    if (manner.startsWith("containerd-1")) return assert.equal(created.status, 501, created.text);
    assert.equal(created.status, 201, created.text);
    const [call] = fake.callsOf("RuntimeService/CreateContainer");
    const sent = configOf(call?.request ?? {}).mounts?.map(({ image }) => image);
    const name = manner === "cri-o" ? "quay.io/team/data:1" : `sha256:${digits}`;
    assert.deepEqual(sent, [
      { image: "quay.io/team/data:1", userSpecifiedImage: "quay.io/team/data:1" },
      { image: id, userSpecifiedImage: name },
      { image: id, userSpecifiedImage: "mine" },
      undefined,
    ]);
  });

  test(`a pull takes a sandboxConfig of any content, and a pod or a container does not, on ${manner}`, async (t) => {
    const { ask, fake } = await liveGateway(t, manner);
    for (const sandboxConfig of [
      {},
      { metadata: {} },
      { metadata: { namespace: "a" } },
      { annotations: { a: "b" }, hostname: "h".repeat(65), portMappings: [{ hostPort: -1 }] },
      { linux: { securityContext: { runAsGroup: { value: "5" } } } },
    ]) {
      const pulled = await ask("POST /v1/images/pull", { image: "alpine:3.20", sandboxConfig });
      assert.equal(pulled.status, 200, pulled.text);
      const sent = fake.callsOf("ImageService/PullImage").at(-1)?.request.sandboxConfig;
      assert.deepEqual(sent, sandboxConfig);
      const run = await ask("POST /v1/pods", sandboxConfig);
      assert.equal(run.status, 400, run.text);
      const body = { metadata: { name: "a" }, image: "busybox:1.36", sandboxConfig };
      const created = await ask(`POST /v1/pods/${fake.addPod().id}/containers`, body);
      assert.equal(created.status, 400, created.text);
    }
    const unknown = await ask("POST /v1/images/pull", { image: "alpine:3.20", sandboxConfig: { meta: 1 } });
    assert.equal(unknown.status, 400, "what no message has is refused all the same");
    assert.deepEqual(fake.callsOf("RuntimeService/RunPodSandbox"), []);
    assert.deepEqual(fake.callsOf("RuntimeService/CreateContainer"), []);
    assert.deepEqual(fake.crashes, []);
  });

  test(`the filter of images chooses on ${manner}`, async (t) => {
    const { ask, fake } = await liveGateway(t, manner);
    fake.addImage({ tags: ["quay.io/team/app:1"] });
    for (const [asked, count] of [
      ["busybox:1.36", 1],
      ["docker.io/library/busybox:1.36", 1],
      ["quay.io/team/app:1", 1],
      ["quay.io/team/absent:1", 0],
    ] as const) {
      const answer = await ask(`GET /v1/images?image=${asked}`);
      assert.equal((answer.at("images") as object[]).length, count, `${asked}: ${answer.text}`);
    }
  });

  test(`a time that has not come yet is 0 on ${manner}`, async (t) => {
    const { ask, fake } = await liveGateway(t, manner);
    const shown = async (state: "created" | "running" | "exited") => {
      const { id } = fake.addContainer({ state, annotations: { note: "(\u00a8\u0080" } });
      const answer = await ask(`GET /v1/containers/${id}`);
      assert.equal(answer.at("status.annotations.note"), "(\u00a8\u0080");
      return { startedAt: answer.at("status.startedAt"), finishedAt: answer.at("status.finishedAt") };
    };
    assert.deepEqual(await shown("created"), { startedAt: "0", finishedAt: "0" });
    const running = await shown("running");
    assert.match(String(running.startedAt), /^[1-9]\d{18}$/);
    assert.equal(running.finishedAt, "0");
    const exited = await shown("exited");
    assert.match(String(exited.finishedAt), /^[1-9]\d{18}$/);
  });

  test(`images are asked for as the caller wrote them on ${manner}`, async (t) => {
    const { ask, fake } = await liveGateway(t, manner);
    const pod = fake.addPod();
    await ask("POST /v1/images/pull", { image: "alpine:3.20" });
    await ask(`POST /v1/pods/${pod.id}/containers`, { metadata: { name: "a" }, image: "busybox:1.36" });
    const asked = { image: "busybox:1.36", userSpecifiedImage: "mine" };
    await ask(`POST /v1/pods/${pod.id}/containers`, { metadata: { name: "b" }, image: asked });
    const [pulled] = fake.callsOf("ImageService/PullImage");
    assert.deepEqual(pulled?.request.image, { image: "alpine:3.20", userSpecifiedImage: "alpine:3.20" });
    const created = fake.callsOf("RuntimeService/CreateContainer").map((call) => configOf(call.request));
    assert.deepEqual(
      created.map(({ image }) => image),
      [{ image: "busybox:1.36", userSpecifiedImage: "busybox:1.36" }, asked],
    );
    assert.equal(fake.containers.size, 2);
  });
}

interface SentConfig {
  readonly image?: object;
  readonly mounts?: readonly { readonly image?: object }[];
}

function configOf(request: object): SentConfig {
  return (request as { readonly config?: SentConfig }).config ?? {};
}

test("a read goes on over a restart of the runtime", async (t) => {
  const reads: readonly (readonly [string, RpcName])[] = [
    ["GET /v1/pods", "RuntimeService/ListPodSandbox"],
    ["GET /v1/version", "RuntimeService/Version"],
    ["GET /v1/images", "ImageService/ListImages"],
  ];
  for (const manner of mannerNames) {
    const { fake, ask } = await liveGateway(t, manner, { recoveryMs: 20 });
    for (const [target, rpc] of reads) {
      restartUnder(fake, rpc);
      const answer = await ask(target);
      assert.equal(answer.status, 200, `${manner}, ${target}: ${answer.text}`);
      assert.equal(fake.callsOf(rpc).length, 2);
    }
  }
});

/** The next call of an RPC is not answered: the runtime goes down under it, and comes back at once. */
function restartUnder(fake: FakeRuntime, rpc: RpcName): void {
  fake.on(
    rpc,
    async () => {
      await fake.stop();
      await fake.start();
      return {};
    },
    { once: true },
  );
}

test("a mutation is not sent twice over a restart", async (t) => {
  const { fake, ask } = await liveGateway(t, "containerd-2.1", { recoveryMs: 20 });
  restartUnder(fake, "RuntimeService/RunPodSandbox");
  const answer = await ask("POST /v1/pods", { metadata: { name: "web" } });
  assert.equal(answer.status, 504, answer.text);
  assert.equal(answer.at("code"), "outcome_unknown");
  assert.equal(fake.callsOf("RuntimeService/RunPodSandbox").length, 1);
  // What may be done twice is.
  const { id } = fake.addContainer();
  await fake.up();
  restartUnder(fake, "RuntimeService/StopContainer");
  const stopped = await ask(`POST /v1/containers/${id}/stop?timeout=0`);
  assert.equal(stopped.status, 204, stopped.text);
  assert.equal(fake.callsOf("RuntimeService/StopContainer").length, 2);
});

test("what was removed when the runtime went is not missed when it is asked again", async (t) => {
  for (const manner of mannerNames) {
    const { fake, ask } = await liveGateway(t, manner, { recoveryMs: 20 });
    for (const [rpc, target] of [
      ["RuntimeService/StopContainer", () => `POST /v1/containers/${fake.addContainer().id}/stop?timeout=0`],
      ["RuntimeService/RemoveContainer", () => `DELETE /v1/containers/${fake.addContainer().id}`],
      ["RuntimeService/StopPodSandbox", () => `POST /v1/pods/${fake.addPod().id}/stop`],
      ["RuntimeService/RemovePodSandbox", () => `DELETE /v1/pods/${fake.addPod().id}`],
    ] as const) {
      await fake.up();
      fake.on(
        rpc,
        async (_request, call) => {
          await call.next();
          await fake.stop();
          await fake.start();
          return {};
        },
        { once: true },
      );
      const answer = await ask(target());
      assert.equal(answer.status, 204, `${manner}, ${rpc}: ${answer.text}`);
    }
  }
});

test("while the runtime is down everything is 503, and all is well when it is back", async (t) => {
  for (const manner of mannerNames) {
    const { fake, ask, logged } = await liveGateway(t, manner);
    const { id } = fake.addContainer();
    assert.equal((await ask("GET /v1/version")).status, 200);
    await fake.stop();
    const requests: readonly (readonly [string, object?])[] = [
      ["GET /v1/version"],
      ["GET /v1/containers"],
      [`GET /v1/containers/${id}`],
      [`POST /v1/containers/${id}/stop`],
      [`DELETE /v1/containers/${id}`],
      [`POST /v1/containers/${id}/exec`, { cmd: ["true"] }],
      ["POST /v1/pods", { metadata: { name: "web" } }],
      ["POST /v1/images/pull", { image: "busybox:1.36" }],
      ["DELETE /v1/images/busybox:1.36"],
    ];
    const answers = requests.map(async ([target, body]) => {
      const answer = await ask(target, body);
      assert.equal(answer.status, 503, `${manner}, ${target}: ${answer.text}`);
      assert.equal(answer.at("code"), "runtime_unavailable");
      assert.equal(answer.at("retryable"), true);
      assert.equal(answer.headers["retry-after"], "1");
    });
    await Promise.all(answers);
    await fake.start();
    await answersAgain(ask);
    assert.equal((await ask(`POST /v1/containers/${id}/exec`, { cmd: ["true"] })).status, 200);
    assert.ok(logged.every(({ level }) => level === "warn"));
  }
});

async function answersAgain(ask: LiveGateway["ask"]): Promise<void> {
  await eventually(async () => (await ask("GET /v1/version")).status === 200);
}

test("a reply that is no protobuf is the runtime's failure, not the gateway's", async (t) => {
  const { fake, ask, logged } = await liveGateway(t);
  const { id } = fake.addContainer({ state: "running" });
  for (const [rpc, target, body] of [
    ["RuntimeService/Version", "GET /v1/version"],
    ["RuntimeService/ListContainers", "GET /v1/containers"],
    ["RuntimeService/ContainerStats", `GET /v1/containers/${id}/stats`],
    ["RuntimeService/ExecSync", `POST /v1/containers/${id}/exec`, { cmd: ["ls"] }],
  ] as const) {
    fake.on(rpc, Buffer.from("0a05616263", "hex"), { once: true });
    const answer = await ask(target, body);
    assert.equal(answer.status, 502, answer.text);
    assert.equal(answer.at("code"), "runtime_error");
    assert.match(String(answer.at("detail")), /^Cannot read the runtime's reply: /);
  }
  assert.ok(logged.every(({ level }) => level === "warn"));
});

test("a runtime that is another one behind a restart is known by its new name", async (t) => {
  const { fake, ask } = await liveGateway(t, "containerd-2.1", { recoveryMs: 20 });
  const detail = async (): Promise<string> => String((await ask("GET /v1/metrics/descriptors")).at("detail"));
  assert.match(await detail(), /by containerd 2\.1\.9: /);
  await fake.restart();
  fake.on("RuntimeService/Version", { version: "0.1.0", runtimeName: "containerd", runtimeVersion: "2.3.0" });
  await answersAgain(ask);
  assert.match(await detail(), /by containerd 2\.3\.0: /);
});

test("a stop that the runtime reports as failed though the container has stopped is done", async (t) => {
  const { fake, ask } = await liveGateway(t, "containerd-1.6");
  const { id } = fake.addContainer();
  fake.on("RuntimeService/StopContainer", async (_request, call) => {
    await call.next();
    throw new GrpcFault(status.UNKNOWN, `failed to stop container "${id}": ttrpc: closed: unknown`);
  });
  assert.equal((await ask(`POST /v1/containers/${id}/stop`)).status, 204);
});

test("containerd 1.6, which dies of reading the stats of two pods at once, is asked for one after the other", async (t) => {
  const { fake, ask } = await liveGateway(t, "containerd-1.6");
  const config = { linux: { cgroupParent: "/crest" } };
  for (const state of ["ready", "ready", "ready", "not ready"] as const) fake.addPod({ config, state });
  let [now, most] = [0, 0];
  fake.on("RuntimeService/PodSandboxStats", async (_request, call) => {
    most = Math.max(most, ++now);
    const answer = await call.next();
    await new Promise(setImmediate);
    now--;
    return answer;
  });
  const [list] = await Promise.all([
    ask("GET /v1/stats/pods"),
    ask("GET /v1/stats/pods?limit=2"),
    ...[...fake.pods.keys()].map((id) => ask(`GET /v1/pods/${id}/stats`)),
  ]);
  assert.equal(list?.status, 200, list?.text);
  assert.equal((JSON.parse(list?.text ?? "") as { stats: unknown[] }).stats.length, 3);
  assert.equal(most, 1);
});

test("what is not implemented names the RPC, the runtime and its version", async (t) => {
  const cases: readonly (readonly [MannerName, string, string])[] = [
    [
      "containerd-1.6",
      "GET /v1/runtime/config",
      "RuntimeConfig is not implemented by containerd 1.6.20~ds1: ",
    ],
    [
      "containerd-2.1",
      "GET /v1/metrics/pods",
      "ListPodSandboxMetrics is not implemented by containerd 2.1.9: ",
    ],
    [
      "containerd-1.7",
      "GET /v1/metrics/descriptors",
      "ListMetricDescriptors is not implemented by containerd 1.7.24~ds1: ",
    ],
    ["cri-dockerd", "GET /v1/stats/pods", "ListPodSandboxStats is not implemented by docker 28.5.2: "],
  ];
  for (const [manner, target, beginning] of cases) {
    const gateway = await liveGateway(t, manner);
    const answers = [await gateway.ask(target), await gateway.ask(target, undefined, { accept: "*/*" })];
    for (const answer of answers) {
      assert.equal(answer.status, 501);
      assert.equal(answer.at("grpcCode"), "UNIMPLEMENTED");
      assert.ok(String(answer.at("detail")).startsWith(beginning), answer.text);
      assert.match(String(answer.at("detail")), /: (unknown method|method) \w+/);
    }
    assert.equal(gateway.fake.callsOf("RuntimeService/Version").length, 1, "asked once");
  }
});

test("a pod is looked up once to be removed by its id, and twice by a prefix, which may be a name", async (t) => {
  const { fake, ask } = await liveGateway(t);
  // The first removal asks which runtime it is.
  assert.equal((await ask(`DELETE /v1/pods/${fake.addPod().id}`)).status, 204);
  for (const digits of [64, 12]) {
    const { id } = fake.addPod();
    fake.calls.length = 0;
    assert.equal((await ask(`DELETE /v1/pods/${id.slice(0, digits)}`)).status, 204);
    assert.deepEqual(
      fake.calls.map(({ rpc }) => rpc),
      [
        "RuntimeService/ListPodSandbox",
        ...(digits === 64 ? [] : ["RuntimeService/ListPodSandbox"]),
        "RuntimeService/RemovePodSandbox",
        // And once afterwards, whether it has gone.
        "RuntimeService/PodSandboxStatus",
      ],
    );
  }
});

/** Pods and containers that cannot be made. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type MannerName, mannerNames } from "../support/fake-runtime.ts";
import { liveGateway } from "./live-gateway.ts";
import {
  app,
  create,
  imageNotFound,
  inTurn,
  invalid,
  made,
  nameReserved,
  notFound,
  notImplemented,
  podIn,
  podNotReady,
  removePod,
  runPod,
  testEverywhere,
  web,
} from "./situations.ts";

testEverywhere("creating", [
  { situation: "run a pod twice", run: inTurn(runPod(web), runPod(web)), ...nameReserved },
  {
    situation: "run a pod whose namesake is stopped",
    run: podIn("not ready", ({ ask }, { config }) => ask("POST /v1/pods", { metadata: config.metadata })),
    ...nameReserved,
  },
  {
    situation: "run a pod again with another attempt",
    run: inTurn(runPod(web), runPod({ metadata: { ...web.metadata, attempt: 1 } })),
    ...made,
  },
  {
    situation: "run a pod again after its removal",
    run: inTurn(
      runPod(web),
      async (gateway) => removePod(gateway, [...gateway.fake.pods.values()][0]),
      runPod(web),
    ),
    ...made,
  },
  {
    situation: "create a container twice",
    run: podIn("ready", (gateway, pod) =>
      inTurn(
        () => create(app)(gateway, pod),
        () => create(app)(gateway, pod),
      )(gateway),
    ),
    ...nameReserved,
  },
  {
    situation: "create a container whose namesake runs",
    run: podIn("ready", (gateway, pod) => {
      gateway.fake.addContainer({ pod, name: "app" });
      return create(app)(gateway, pod);
    }),
    ...nameReserved,
  },
  {
    situation: "create a container again with another attempt",
    run: podIn("ready", (gateway, pod) =>
      inTurn(
        () => create(app)(gateway, pod),
        () => create({ ...app, metadata: { name: "app", attempt: 1 } })(gateway, pod),
      )(gateway),
    ),
    ...made,
  },
  {
    situation: "create a container of an image that is not there",
    run: podIn("ready", create({ ...app, image: "docker.io/library/absent:1" })),
    ...imageNotFound,
  },
  { situation: "create a container in a stopped pod", run: podIn("not ready", create(app)), ...podNotReady },
  { situation: "create a container in a pod that is not there", run: create(app), ...notFound },
  {
    situation: "create a container without an image",
    run: podIn("ready", create({ metadata: { name: "app" } })),
    ...invalid,
  },
  {
    situation: "create a container without a name",
    run: podIn("ready", create({ image: "busybox:1.36" })),
    ...invalid,
  },
  {
    situation: "create a container whose log leaves the pod's folder",
    run: podIn("ready", create({ ...app, logPath: "../../x.log" })),
    ...invalid,
  },
  { situation: "run a pod without a name", run: runPod({ metadata: { uid: "u-1" } }), ...invalid },
  {
    situation: "run a pod with an unknown handler",
    run: runPod({ ...web, runtimeHandler: "nope" }),
    status: 400,
    code: "unknown_handler",
  },
  {
    situation: "run a pod with a hostname that is too long",
    run: runPod({ ...web, hostname: "h".repeat(65) }),
    ...invalid,
  },
  {
    situation: "run a pod with a relative log directory",
    run: runPod({ ...web, logDirectory: "logs" }),
    ...invalid,
  },
  {
    situation: "run a pod with a label that is too long",
    run: runPod({ ...web, labels: { a: "x".repeat(4096) } }),
    ...invalid,
  },
  {
    situation: "run a pod with a label without a key",
    run: runPod({ ...web, labels: { "": "x" } }),
    ...invalid,
    except: { "cri-o": made, "cri-dockerd": made },
  },
  {
    situation: "run a pod with a sysctl of the node",
    run: runPod({ ...web, linux: { sysctls: { "vm.swappiness": "1" } } }),
    ...invalid,
    except: { "cri-o": made },
  },
  {
    situation: "run a pod with a name that makes no name of a container",
    run: runPod({ metadata: { name: "a b" } }),
    ...made,
    except: { "cri-dockerd": invalid },
  },
  {
    situation: "run a pod with a name that cannot be found again",
    run: runPod({ metadata: { name: "a_b" } }),
    ...made,
    except: { "cri-dockerd": invalid },
  },
  {
    situation: "run a pod with a namespace that cannot be found again",
    run: runPod({ metadata: { name: "a", namespace: "b_c" } }),
    ...made,
    except: { "cri-dockerd": invalid },
  },
  {
    situation: "run a pod with a name beyond ASCII",
    run: runPod({ metadata: { name: "zürich" } }),
    ...made,
    except: { "cri-o": invalid, "cri-dockerd": invalid },
  },
  {
    situation: "restore a pod",
    run: ({ ask }) => ask("POST /v1/pods/restore", { checkpointPath: "/tmp/never", config: web }),
    ...notImplemented,
  },
]);

test("the runtime's own text stands in the problem", async (t) => {
  const texts: { readonly [manner in MannerName]: RegExp } = {
    "containerd-1.6": /is reserved for "[0-9a-f]{64}"/,
    "containerd-1.7": /is reserved for "[0-9a-f]{64}"/,
    "containerd-2.1": /is reserved for "[0-9a-f]{64}"/,
    "cri-o": /pod "[0-9a-f]{64}" has this name/,
    "cri-dockerd": /pod "[0-9a-f]{64}" has this name/,
  };
  for (const manner of mannerNames) {
    const gateway = await liveGateway(t, manner);
    const answer = await inTurn(runPod(web), runPod(web))(gateway);
    assert.match(String(answer.at("detail")), texts[manner]);
  }
});

test("a name is taken for one of two callers who ask at the same time", async (t) => {
  for (const manner of mannerNames) {
    const { ask } = await liveGateway(t, manner);
    const answers = await Promise.all([ask("POST /v1/pods", web), ask("POST /v1/pods", web)]);
    const statuses = answers.map(({ status }) => status).sort();
    assert.deepEqual(statuses, [201, 409], manner);
  }
});

test("an answer about a reserved name costs other runtimes nothing", async (t) => {
  for (const manner of mannerNames.filter((name) => name !== "cri-o")) {
    const { ask, fake } = await liveGateway(t, manner);
    assert.equal((await ask("POST /v1/pods", web)).status, 201);
    assert.equal(fake.callsOf("RuntimeService/PodSandboxStatus").length, 0, manner);
  }
});

/** Names where an id is expected: which one is meant, on every kind of route, and for whom. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { WebSocket } from "ws";
import type { Grants } from "../../src/grants.ts";
import { mannerNames } from "../support/fake-runtime.ts";
import { liveGateway, token } from "./live-gateway.ts";
import { keepLog } from "./scope-world.ts";

const managed = { "crest/managed": "true" };
const demoWeb = {
  namespace: "demo",
  name: "web",
  labels: managed,
  config: { linux: { cgroupParent: "/c" } },
};

for (const manner of mannerNames) {
  test(`a name stands for the id on ${manner}, however many parts it has`, async (t) => {
    const { fake, ask } = await liveGateway(t, manner);
    const pod = fake.addPod(demoWeb);
    const container = fake.addContainer({ pod, name: "main", state: "running" });
    for (const name of ["web", "demo%2Fweb"]) {
      assert.equal((await ask(`GET /v1/pods/${name}`)).at("status.id"), pod.id, name);
      assert.equal((await ask(`GET /v1/containers?pod=${name}`)).at("containers.0.id"), container.id);
    }
    for (const name of ["main", "web%2Fmain", "demo%2Fweb%2Fmain"]) {
      assert.equal((await ask(`GET /v1/containers/${name}`)).at("status.id"), container.id, name);
      assert.equal((await ask(`GET /v1/containers/${name}/wait?timeout=0`)).at("exited"), false, name);
      const exec = await ask(`POST /v1/containers/${name}/exec`, { cmd: ["true"] });
      assert.equal(exec.status, 200, exec.text);
    }
    assert.equal((await ask("POST /v1/containers/web%2Fmain/stop?timeout=0")).status, 204);
    assert.equal(container.state, "CONTAINER_EXITED");
    const made = await ask("POST /v1/pods/demo%2Fweb/containers", {
      metadata: { name: "side" },
      image: fake.addImage({ tags: ["tiny:1"] }).repoTags[0],
    });
    assert.equal(made.status, 201, made.text);
    assert.equal((await ask("DELETE /v1/containers/main")).status, 204);
    assert.equal((await ask("POST /v1/pods/web/stop")).status, 204);
    assert.equal((await ask("DELETE /v1/pods/demo%2Fweb")).status, 204);
    assert.equal(fake.pods.size, 0);
  });
}

test("a full id costs no more calls than before, and a name one or two lists", async (t) => {
  const { fake, ask } = await liveGateway(t);
  const pod = fake.addPod(demoWeb);
  const container = fake.addContainer({ pod, name: "main" });
  const rpcsOf = async (target: string): Promise<readonly string[]> => {
    const before = fake.calls.length;
    assert.equal((await ask(target)).status, 200);
    return fake.calls.slice(before).map(({ rpc }) => rpc.replace("RuntimeService/", ""));
  };
  assert.deepEqual(await rpcsOf(`GET /v1/pods/${pod.id}`), ["PodSandboxStatus"]);
  assert.deepEqual(await rpcsOf(`GET /v1/containers/${container.id}`), ["ContainerStatus"]);
  assert.deepEqual(await rpcsOf(`GET /v1/containers/${container.id.slice(0, 12)}`), [
    "ListContainers",
    "ContainerStatus",
  ]);
  assert.deepEqual(await rpcsOf("GET /v1/containers/main"), ["ListContainers", "ContainerStatus"]);
  assert.deepEqual(await rpcsOf("GET /v1/containers/web%2Fmain"), [
    "ListContainers",
    "ListPodSandbox",
    "ContainerStatus",
  ]);
  // Names of pods never change, so they are remembered.
  assert.deepEqual(await rpcsOf("GET /v1/containers/web%2Fmain"), ["ListContainers", "ContainerStatus"]);
});

test("an ambiguous name is 409 with all that it may mean, their names and states", async (t) => {
  const { fake, ask } = await liveGateway(t);
  const one = fake.addContainer({ pod: fake.addPod(demoWeb), name: "main", state: "running" });
  const two = fake.addContainer({
    pod: fake.addPod({ ...demoWeb, name: "db" }),
    name: "main",
    state: "exited",
  });
  const answer = await ask("POST /v1/containers/main/stop");
  assert.deepEqual([answer.status, answer.at("code")], [409, "ambiguous_id"], answer.text);
  assert.equal(
    answer.at("detail"),
    'Ambiguous container "main": 2 containers have this name (demo/db/main, demo/web/main), use NAMESPACE/POD/CONTAINER or an id',
  );
  const expected = [
    { id: one.id, namespace: "demo", pod: "web", container: "main", attempt: 0, state: "CONTAINER_RUNNING" },
    { id: two.id, namespace: "demo", pod: "db", container: "main", attempt: 0, state: "CONTAINER_EXITED" },
  ].sort((a, b) => (a.id < b.id ? -1 : 1));
  assert.deepEqual(answer.at("matches"), expected);
  assert.deepEqual(
    answer.at("candidates"),
    expected.map(({ id }) => id),
  );
  assert.equal((await ask("GET /v1/containers/db%2Fmain")).at("status.id"), two.id);
  const filtered = await ask("GET /v1/containers?id=main");
  assert.equal(filtered.at("code"), "ambiguous_id");
});

test("under one name the living attempt is meant, or else the newest; a removal must name one", async (t) => {
  const { fake, ask } = await liveGateway(t);
  const pod = fake.addPod(demoWeb);
  const attempts = [0, 1, 2].map((attempt) =>
    fake.addContainer({
      pod,
      name: "main",
      attempt,
      state: "exited",
      // The clock went backwards, but attempts are counted.
      createdAtNanos: BigInt(1_700_000_100 - attempt) * 1_000_000_000n,
    }),
  );
  const [first, second, third] = attempts.map(({ id }) => id);
  assert.equal((await ask("GET /v1/containers/main")).at("status.id"), third);
  const refused = await ask("DELETE /v1/containers/main");
  assert.deepEqual([refused.status, refused.at("code")], [409, "ambiguous_id"]);
  assert.match(String(refused.at("detail")), /3 containers have this name, use an id$/);
  assert.equal(fake.containers.size, 3);

  const living = fake.addContainer({ pod, name: "main", attempt: 3, state: "running" });
  assert.equal((await ask("GET /v1/containers/demo%2Fweb%2Fmain")).at("status.id"), living.id);
  assert.equal((await ask("POST /v1/containers/main/stop?timeout=0")).status, 204);
  assert.equal(living.state, "CONTAINER_EXITED");
  for (const id of [first, second, third])
    assert.equal((await ask(`DELETE /v1/containers/${id}`)).status, 204);
  assert.equal((await ask("DELETE /v1/containers/main")).status, 204);

  // A pod that was run again under its name.
  const again = fake.addPod({ ...demoWeb, uid: "u-2" });
  assert.equal((await ask("GET /v1/pods/web")).at("code"), "ambiguous_id");
  assert.equal((await ask(`POST /v1/pods/${pod.id}/stop`)).status, 204);
  assert.equal((await ask("GET /v1/pods/web")).at("status.id"), again.id);
  assert.equal((await ask("DELETE /v1/pods/web")).at("code"), "ambiguous_id");
});

test("ids come first: what begins one is that for a read, and ambiguous for a change if it is also a name", async (t) => {
  const { fake, ask } = await liveGateway(t);
  const pod = fake.addPod(demoWeb);
  const byId = fake.addContainer({ pod, id: "db".padEnd(64, "1"), name: "x", state: "running" });
  const byName = fake.addContainer({ pod, id: "e".repeat(64), name: "db", state: "running" });
  assert.equal((await ask("GET /v1/containers/db")).at("status.id"), byId.id);
  for (const target of ["POST /v1/containers/db/stop?timeout=0", "DELETE /v1/containers/db"]) {
    const answer = await ask(target);
    assert.equal(answer.at("code"), "ambiguous_id", answer.text);
    assert.match(String(answer.at("detail")), /it begins the id of a container and is also a name/);
    assert.deepEqual(answer.at("candidates"), [byId.id, byName.id]);
  }
  assert.equal((await ask("POST /v1/containers/web%2Fdb/stop?timeout=0")).status, 204);
  assert.deepEqual([byId.state, byName.state], ["CONTAINER_RUNNING", "CONTAINER_EXITED"]);
  assert.equal((await ask("GET /v1/containers/d")).at("status.id"), byId.id);
  // Nothing begins so: it is the name.
  const cafe = fake.addContainer({ pod, id: "f".repeat(64), name: "cafe" });
  assert.equal((await ask("DELETE /v1/containers/cafe")).status, 204);
  assert.ok(!fake.containers.has(cafe.id));
});

test("a name with a slash in it passes for no other", async (t) => {
  const { fake, ask } = await liveGateway(t);
  const pod = fake.addPod({ ...demoWeb, name: "evil" });
  fake.addContainer({ pod, name: "demo/web/main" });
  fake.addContainer({ pod: fake.addPod({ ...demoWeb, name: "demo/web" }), name: "main" });
  for (const text of [
    "demo/web/main",
    "evil/demo/web/main",
    "/main",
    "demo//main",
    "/",
    "main/",
    "a/b/c/d",
  ]) {
    const answer = await ask(`GET /v1/containers/${encodeURIComponent(text)}`);
    assert.equal(answer.status, 404, `${text}: ${answer.text}`);
  }
});

test("what is not found says what was probably meant", async (t) => {
  const { fake, ask } = await liveGateway(t);
  const pod = fake.addPod(demoWeb);
  const container = fake.addContainer({ pod, name: "main" });
  for (const [target, hint, id] of [
    ["GET /v1/containers/mian", 'Cannot find container "mian": did you mean "main"?', container.id],
    [
      "GET /v1/containers/demo%2Fweb%2Fmein",
      'Cannot find container "demo/web/mein": did you mean "demo/web/main"?',
      container.id,
    ],
    ["DELETE /v1/pods/wep", 'Cannot find pod "wep": did you mean "web"?', pod.id],
    [
      "GET /v1/pods/web%2Fmain",
      `Cannot find pod "web/main": this is the name of container ${container.id}`,
      container.id,
    ],
    ["GET /v1/containers/web", `Cannot find container "web": this is the name of pod ${pod.id}`, pod.id],
  ] as const) {
    const answer = await ask(target);
    assert.deepEqual([answer.status, answer.at("detail")], [404, hint]);
    assert.deepEqual(answer.at("candidates"), [id]);
  }
  const plain = await ask("GET /v1/pods/something-else");
  assert.match(String(plain.at("detail")), /the runtime has no pod with this id or name$/);
});

test("a name means what the caller sees, and managed pods are told from others by it", async (t) => {
  const grants: Grants = { all: true, allow: {}, deny: { read: ["secret/*"], exec: ["secret/*"] } };
  const { fake, ask } = await liveGateway(t, "containerd-2.1", { grants: { ...grants } });
  const seen = fake.addContainer({ pod: fake.addPod(demoWeb), name: "main", state: "running" });
  const hidden = fake.addPod({ ...demoWeb, namespace: "secret" });
  fake.addContainer({ pod: hidden, name: "main", state: "running" });
  assert.equal((await ask("GET /v1/containers/main")).at("status.id"), seen.id);
  assert.equal((await ask("GET /v1/pods/web")).at("status.id"), seen.podId);
  assert.equal((await ask("POST /v1/containers/main/exec", { cmd: ["true"] })).status, 200);
  for (const target of ["GET /v1/pods/secret%2Fweb", "GET /v1/containers/secret%2Fweb%2Fmain"]) {
    const answer = await ask(target);
    assert.equal(answer.status, 404);
    assert.doesNotMatch(answer.text.replace(/"instance":"[^"]*"/, ""), new RegExp(hidden.id));
  }

  const managing = await liveGateway(t, "containerd-2.1", {
    grants: { all: false, allow: { read: true, stop: true }, deny: {} },
  });
  managing.fake.addPod({ name: "kube", namespace: "kube-system" });
  const refused = await managing.ask("POST /v1/pods/kube/stop");
  assert.deepEqual([refused.status, refused.at("code")], [403, "not_capable"], refused.text);
});

test("sessions, kept logs and the request log take names", async (t) => {
  const { fake, ask, dataDir, requests, port } = await liveGateway(t);
  const pod = fake.addPod(demoWeb);
  const container = fake.addContainer({ pod, name: "main", state: "running" });
  const socket = new WebSocket(
    `ws://127.0.0.1:${port}/v1/containers/demo%2Fweb%2Fmain/exec?command=true`,
    ["v5.channel.k8s.io"],
    { headers: { authorization: `Bearer ${token}` } },
  );
  // The fake has no streaming server, so the session ends after the RPC.
  await new Promise<void>((resolve) => {
    socket.once("close", () => resolve());
    socket.once("error", () => undefined);
  });
  assert.deepEqual(
    fake.callsOf("RuntimeService/Exec").map(({ request }) => request.containerId),
    [container.id],
  );
  assert.equal(requests.find(({ route }) => route?.endsWith("/exec"))?.target, `containers/${container.id}`);

  const owner = {
    ...{
      namespace: "demo",
      pod: "gone",
      name: "app",
      podSandboxId: "b".repeat(64),
      labels: {},
      podLabels: {},
    },
  };
  keepLog(dataDir, "gone/0.log", { ...owner, id: "a".repeat(64), attempt: 0 }, "first");
  keepLog(dataDir, "gone/1.log", { ...owner, id: "c".repeat(64), attempt: 1 }, "second");
  for (const name of ["app", "gone%2Fapp", "demo%2Fgone%2Fapp"])
    assert.match((await ask(`GET /v1/containers/${name}/logs`)).text, /second/, name);
  assert.match((await ask("GET /v1/pods/demo%2Fgone/logs")).text, /first/);
  assert.equal((await ask("GET /v1/containers/gone%2Fapp")).status, 404);
  assert.equal((await ask("GET /v1/containers/gone%2Fapq/logs")).status, 404);
});

test("long texts and odd characters are refused without harm", async (t) => {
  const { fake, ask } = await liveGateway(t);
  fake.addContainer({ pod: fake.addPod(demoWeb), name: "main" });
  for (const text of ["a".repeat(900), "/".repeat(300), "%00", "..%2F..", "é".repeat(100)]) {
    const answer = await ask(`GET /v1/containers/${text.includes("%") ? text : encodeURIComponent(text)}`);
    assert.ok([400, 404].includes(answer.status), `${text.slice(0, 20)}: ${answer.text}`);
  }
  const long = await ask(`GET /v1/containers?pod=${"x".repeat(8000)}`);
  assert.equal(long.status, 400);
  assert.equal((await ask(`GET /v1/containers?pod=${"%2F".repeat(2500)}`)).status, 400);
});

/** Events of the node, in front of fakes of every runtime. */
import assert from "node:assert/strict";
import { request } from "node:http";
import { type TestContext, test } from "node:test";
import { checkAnswer } from "../support/document.ts";
import { eventually } from "../support/eventually.ts";
import { failing, GrpcFault, type MannerName, mannerNames } from "../support/fake-runtime.ts";
import { type LiveGateway, type LiveOptions, liveGateway, token } from "./live-gateway.ts";

interface Item {
  readonly type: string;
  readonly id?: string;
  readonly pod?: string;
  readonly container?: string;
  readonly containerId?: string;
  readonly [name: string]: unknown;
}

interface Watch {
  readonly items: Item[];
  readonly ended: Promise<void>;
  /** Waits for an item of this type. */
  seen(type: string, count?: number): Promise<Item>;
  leave(): void;
}

/** Follows events as NDJSON; every line is held against the document. */
async function watch(
  t: Pick<TestContext, "after">,
  { port }: LiveGateway,
  query = "",
  headers: { readonly [name: string]: string } = {},
): Promise<Watch> {
  const path = `/v1/events?watch=true${query}`;
  const items: Item[] = [];
  const sent = request({
    host: "127.0.0.1",
    port,
    path,
    headers: { authorization: `Bearer ${token}`, accept: "application/x-ndjson", ...headers },
  });
  sent.end();
  t.after(() => sent.destroy());
  let rest = "";
  const ended = new Promise<void>((resolve, reject) => {
    sent.on("error", reject);
    sent.on("response", (response) => {
      response.setEncoding("utf8");
      response.on("data", (text: string) => {
        const lines = (rest + text).split("\n");
        rest = lines.pop() ?? "";
        for (const line of lines) {
          // The end of the gateway, when the test has ended.
          if (line.startsWith('{"error":')) continue;
          checkAnswer("GET", path, { status: 200, headers: response.headers, text: `${line}\n` });
          items.push(JSON.parse(line) as Item);
        }
      });
      response.on("end", resolve);
      response.on("error", reject);
    });
  });
  ended.catch(() => undefined);
  const seen = (type: string, count = 1): Promise<Item> =>
    eventually(() => items.filter((item) => item.type === type)[count - 1], { timeoutMs: 15_000 });
  await seen("bookmark");
  return { items, ended, seen, leave: () => sent.destroy() };
}

const fast: LiveOptions = { events: { listEveryMs: 50 } };
/** The lists come so seldom that what is seen comes from events. */
const seldom: LiveOptions = { events: { listEveryMs: 60_000 } };

/** One life, with a pause after each step for runtimes whose events are the difference of lists. */
async function live(gateway: LiveGateway, { items }: Watch): Promise<string> {
  const { ask, fake } = gateway;
  const step = async (target: string, type: string, body?: unknown): Promise<string> => {
    const answer = await ask(target, body);
    assert.ok(answer.status < 300, answer.text);
    await eventually(() => items.some((item) => item.type === type && item.snapshot === undefined), {
      timeoutMs: 10_000,
    });
    return answer.text;
  };
  const pod = (
    JSON.parse(
      await step("POST /v1/pods", "pod.ready", { metadata: { name: "web" }, labels: { app: "web" } }),
    ) as { podSandboxId: string }
  ).podSandboxId;
  const { containerId: id } = JSON.parse(
    await step(`POST /v1/pods/${pod}/containers`, "container.created", {
      metadata: { name: "c" },
      image: "busybox:1.36",
      command: ["serve"],
    }),
  ) as { containerId: string };
  await step(`POST /v1/containers/${id}/start`, "container.started");
  await fake.exitContainer(id, 3);
  await eventually(() => items.some(({ type }) => type === "container.exited"), { timeoutMs: 10_000 });
  await step(`DELETE /v1/containers/${id}`, "container.removed");
  await step(`POST /v1/pods/${pod}/stop`, "pod.stopped");
  await step(`DELETE /v1/pods/${pod}`, "pod.removed");
  await step("POST /v1/images/pull", "image.pulled", { image: "alpine:3.20" });
  await step("DELETE /v1/images/alpine:3.20", "image.removed");
  return id;
}

const life = [
  "pod.created",
  "pod.ready",
  "container.created",
  "container.started",
  "container.exited",
  "container.removed",
  "pod.stopped",
  "pod.removed",
  "image.pulled",
  "image.removed",
];

const sourceOf: { readonly [M in MannerName]: string } = {
  "containerd-1.6": "containerd",
  "containerd-1.7": "containerd",
  "containerd-2.1": "containerd",
  "cri-o": "cri",
  "cri-dockerd": "lists",
};

for (const manner of mannerNames) {
  test(`a life gives the same events on ${manner}, from ${sourceOf[manner]}`, async (t) => {
    const gateway = await liveGateway(t, manner, sourceOf[manner] === "containerd" ? seldom : fast);
    const watched = await watch(t, gateway);
    const id = await live(gateway, watched);
    const events = watched.items.filter((item) => item.id !== undefined && item.type !== "bookmark");
    assert.deepEqual(
      events.map(({ type }) => type),
      life,
    );
    const exit = events.find(({ type }) => type === "container.exited");
    assert.deepEqual(
      [exit?.exitCode, exit?.reason, exit?.pod, exit?.container, exit?.containerId],
      [3, "Error", "web", "c", id],
    );
    assert.deepEqual(exit?.labels, { ...(exit?.labels as object), app: "web" });
    const [boot] = String(events[0]?.id).split(".");
    assert.deepEqual(
      events.map((event) => event.id),
      events.map((_, index) => `${boot}.${index + 1}`),
    );
    const capabilities = await gateway.ask("GET /v1/runtime/capabilities");
    assert.equal(capabilities.at("events"), sourceOf[manner]);
    // Never on containerd, where its readers block the runtime or steal from each other.
    const used = gateway.fake.callsOf("RuntimeService/GetContainerEvents").length;
    assert.equal(used > 0, manner === "cri-o");
    assert.deepEqual(gateway.logged, []);
  });
}

test("without pod events, CRI-O's events are the difference of lists", async (t) => {
  const gateway = await liveGateway(t, "cri-o", fast);
  gateway.fake.on("RuntimeService/GetContainerEvents", failing(12, "unimplemented"));
  const watched = await watch(t, gateway);
  await live(gateway, watched);
  assert.deepEqual(
    watched.items.filter((item) => item.id !== undefined && item.type !== "bookmark").map(({ type }) => type),
    life,
  );
  assert.equal((await gateway.ask("GET /v1/runtime/capabilities")).at("events"), "lists");
});

test("JSON is a snapshot with the id to go on from, or what has happened since", async (t) => {
  const gateway = await liveGateway(t, "containerd-2.1", seldom);
  const { ask, fake } = gateway;
  const running = fake.addContainer({ state: "running" });
  const ended = fake.addContainer({ state: "exited" });
  const first = await ask("GET /v1/events");
  assert.equal(first.status, 200, first.text);
  const items = first.at("items") as Item[];
  assert.ok(items.every(({ snapshot, id }) => snapshot === true && id === undefined));
  const typeOf = (id: string) => items.find(({ containerId }) => containerId === id)?.type;
  assert.deepEqual(
    [typeOf(running.id), typeOf(ended.id), items.filter(({ type }) => type === "pod.ready").length],
    ["container.started", "container.exited", fake.pods.size],
  );
  await fake.exitContainer(running.id, 0);
  const since = String(first.at("lastEventId"));
  const next = await eventually(async () => {
    const answer = await ask(`GET /v1/events?since=${since}`);
    return (answer.at("items") as Item[]).length > 0 && answer;
  });
  assert.deepEqual(
    (next.at("items") as Item[]).map(({ type, containerId }) => [type, containerId]),
    [["container.exited", running.id]],
  );
  const last = await ask(`GET /v1/events?since=${next.at("lastEventId")}`);
  assert.deepEqual([last.at("items"), last.at("lastEventId")], [[], next.at("lastEventId")]);
  const byTime = await ask("GET /v1/events?since=1h");
  assert.deepEqual(
    (byTime.at("items") as Item[]).map(({ type }) => type),
    ["resync", "container.exited"],
  );
});

test("an id that is not known any longer gives resync and a snapshot", async (t) => {
  const gateway = await liveGateway(t, "containerd-2.1", seldom);
  gateway.fake.addContainer({ state: "running" });
  for (const headers of [{}, { "last-event-id": "00000000.7" }] as const) {
    const query = "last-event-id" in headers ? "" : "&since=00000000.7";
    const { items } = await watch(t, gateway, query, headers);
    assert.deepEqual(
      items.map(({ type }) => type),
      ["resync", "pod.ready", "container.started", "bookmark"],
    );
  }
});

test("server-sent events have ids, and a reader that comes back continues behind the last", async (t) => {
  const gateway = await liveGateway(t, "containerd-2.1", seldom);
  const { ask, fake } = gateway;
  const one = fake.addContainer({ state: "running" });
  const two = fake.addContainer({ state: "running" });
  const watched = await watch(t, gateway);
  await fake.exitContainer(one.id, 1);
  const exit = await watched.seen("container.exited");
  watched.leave();
  await fake.exitContainer(two.id, 2);
  const sse = { accept: "text/event-stream", "last-event-id": String(exit.id) };
  const answer = await eventually(async () => {
    const found = await ask("GET /v1/events", undefined, sse);
    return found.text.includes("container.exited") && found;
  });
  const [, seq] = String(exit.id).split(".");
  const id = `${String(exit.id).split(".")[0]}.${Number(seq) + 1}`;
  assert.ok(answer.text.startsWith(`id: ${id}\ndata: {"id":"${id}","type":"container.exited"`), answer.text);
});

test("filters select by type, namespace, pod, container and labels", async (t) => {
  const gateway = await liveGateway(t, "containerd-2.1", seldom);
  const { ask, fake } = gateway;
  const pod = fake.addPod({ name: "web", namespace: "shop", labels: { app: "web" } });
  const inside = fake.addContainer({ pod, name: "server", state: "running" });
  fake.addContainer({ state: "running" });
  const ids = async (query: string): Promise<unknown[]> => {
    const answer = await ask(`GET /v1/events?${query}`);
    assert.equal(answer.status, 200, answer.text);
    return (answer.at("items") as Item[]).map((item) => item.containerId ?? item.podSandboxId).sort();
  };
  const both = [pod.id, inside.id].sort();
  assert.deepEqual(await ids("namespace=shop"), both);
  assert.deepEqual(await ids("pod=web"), both);
  assert.deepEqual(await ids(`pod=${pod.id.slice(0, 12)}`), both);
  assert.deepEqual(await ids("labelSelector=app=web"), both);
  assert.deepEqual(await ids("labelSelector=app%20in%20(web,api)&type=container"), [inside.id]);
  assert.deepEqual(await ids("container=server"), [inside.id]);
  assert.deepEqual(await ids("namespace=shop&type=pod.ready,container.exited"), [pod.id]);
  assert.deepEqual(await ids("type=image"), []);
});

test("bad parameters are refused with what would be right", async (t) => {
  const { ask } = await liveGateway(t, "containerd-2.1", seldom);
  for (const [query, parameter, detail] of [
    [
      "type=pod.exploded",
      "type",
      /"pod\.exploded" is no type of event: use some of pod, container, image, pod\.created/,
    ],
    [
      "since=yesterday",
      "since",
      /^must be the id of an event, a time such as .*, or a duration .*, got "yesterday"$/,
    ],
    ["since=2026-13-45T00:00:00Z", "since", /got "2026-13-45/],
    ["watch=true", "watch", /Accept: application\/x-ndjson or text\/event-stream/],
    ["labelSelector=a==b==c", "labelSelector", /position/],
    ["watch=maybe", "watch", /./],
  ] as const) {
    const answer = await ask(`GET /v1/events?${query}`);
    assert.equal(answer.status, 400, `${query}: ${answer.text}`);
    assert.equal(answer.at("errors.0.parameter"), parameter);
    assert.match(String(answer.at("errors.0.detail")), detail);
  }
});

test("a runtime that is away when the first reader comes is a problem, and the next reader tries again", async (t) => {
  const gateway = await liveGateway(t, "containerd-2.1", { ...seldom, deadlineMs: 300 });
  await gateway.fake.stop();
  assert.equal((await gateway.ask("GET /v1/events")).status, 503);
  await gateway.fake.start();
  await eventually(async () => (await gateway.ask("GET /v1/events")).status === 200);
});

test("a restart of the runtime gives resync, what happened meanwhile, a snapshot and a bookmark", async (t) => {
  for (const manner of ["containerd-2.1", "cri-o"] as const) {
    const gateway = await liveGateway(t, manner, { ...seldom, recoveryMs: 200 });
    const { fake } = gateway;
    const { id } = fake.addContainer({ state: "running" });
    const watched = await watch(t, gateway);
    const back = fake.restart();
    await fake.exitContainer(id, 7);
    await back;
    await watched.seen("bookmark", 2);
    const after = watched.items.slice(watched.items.findIndex(({ type }) => type === "resync"));
    assert.deepEqual(
      after.map(({ type, snapshot }) => (snapshot ? `(${type})` : type)),
      ["resync", "container.exited", "(pod.ready)", "(container.exited)", "bookmark"],
    );
    assert.deepEqual([after[1]?.exitCode, after[3]?.exitCode], [7, 7]);
    assert.notEqual(
      String(after[1]?.id).split(".")[0],
      String(watched.items.find((i) => i.type === "bookmark")?.id).split(".")[0],
    );
    // It goes on: with the new connection.
    fake.addPod({ name: "later" });
    const other = fake.addContainer({ state: "running" });
    await fake.exitContainer(other.id, 1);
    watched.leave();
  }
});

test("out of memory is told before the exit, and is its reason whatever its code is", async (t) => {
  const gateway = await liveGateway(t, "containerd-2.1", seldom);
  const { id } = gateway.fake.addContainer({ state: "running" });
  const watched = await watch(t, gateway);
  await gateway.fake.exitContainer(id, 5, { reason: "OOMKilled" });
  const exit = await watched.seen("container.exited");
  assert.deepEqual([exit.exitCode, exit.reason, exit.oom, exit.signal], [5, "OOMKilled", true, undefined]);
  assert.ok(watched.items.findIndex(({ type }) => type === "container.oom") < watched.items.indexOf(exit));
});

test("an exit that CRI explains later is amended, and the code of the event wins", async (t) => {
  const gateway = await liveGateway(t, "containerd-2.1", seldom);
  const { fake } = gateway;
  const { id } = fake.addContainer({ state: "running" });
  const watched = await watch(t, gateway);
  // CRI says for a while that it runs, then something else than the event.
  let asked = 0;
  fake.on("RuntimeService/ContainerStatus", async (_, call) => {
    const { status, ...rest } = (await call.next()) as { status: object };
    asked++;
    return asked < 3
      ? { ...rest, status: { ...status, state: "CONTAINER_RUNNING", exitCode: 0 } }
      : { ...rest, status: { ...status, exitCode: 137, reason: "OOMKilled" } };
  });
  await fake.exitContainer(id, 137);
  const amended = await watched.seen("container.exited", 2);
  const first = await watched.seen("container.exited");
  assert.deepEqual([first.exitCode, first.signal, first.reason], [137, "SIGKILL", "Error"]);
  assert.deepEqual([amended.exitCode, amended.reason, amended.amends], [137, "OOMKilled", first.id]);

  const other = fake.addContainer({ state: "running" });
  fake.on("RuntimeService/ContainerStatus", async (_, call) => {
    const { status } = (await call.next()) as { status: object };
    return { status: { ...status, exitCode: 255, reason: "Unknown" } };
  });
  const again = await watch(t, gateway, `&container=${other.id}`);
  fake.containerdEvents.publish("/containers/create", { id: other.id });
  await again.seen("container.started");
  fake.containerdEvents.publish("/tasks/exit", { containerId: other.id, id: other.id, exitStatus: 42 });
  assert.equal((await again.seen("container.exited")).exitCode, 42);
});

test("commands in a container are events of their own, and other namespaces' are none", async (t) => {
  const gateway = await liveGateway(t, "containerd-2.1", seldom);
  const { fake } = gateway;
  const { id } = fake.addContainer({ state: "running" });
  const watched = await watch(t, gateway);
  fake.containerdEvents.publish("/tasks/exit", { containerId: id, id, exitStatus: 9 }, "moby");
  fake.containerdEvents.publish("/tasks/exec-started", { containerId: id, execId: "probe", pid: 9 });
  fake.containerdEvents.publish("/tasks/exit", { containerId: id, id: "probe", exitStatus: 1 });
  const end = await watched.seen("container.exec", 2);
  assert.deepEqual([end.execId, end.exitCode], ["probe", 1]);
  assert.ok(!watched.items.some(({ type }) => type === "container.exited"));
});

test("a start that fails gives an exit, though the runtime has no event for it", async (t) => {
  const gateway = await liveGateway(t, "containerd-2.1", seldom);
  const { ask, fake } = gateway;
  const { id } = fake.addContainer({ state: "created" });
  const watched = await watch(t, gateway);
  fake.on("RuntimeService/StartContainer", () => {
    throw new GrpcFault(2, "failed to create containerd task: no such file or directory");
  });
  fake.on("RuntimeService/ListContainers", async (_, call) => {
    const { containers, ...rest } = (await call.next()) as { containers: object[] };
    return { ...rest, containers: containers.map((one) => ({ ...one, state: "CONTAINER_EXITED" })) };
  });
  fake.on("RuntimeService/ContainerStatus", async (_, call) => {
    const { status } = (await call.next()) as { status: object };
    const failed = {
      state: "CONTAINER_EXITED",
      exitCode: 128,
      reason: "StartError",
      message: "no such file",
    };
    return { status: { ...status, ...failed } };
  });
  assert.ok((await ask(`POST /v1/containers/${id}/start`)).status >= 400);
  const exit = await watched.seen("container.exited");
  assert.deepEqual([exit.exitCode, exit.reason, exit.message], [128, "StartError", "no such file"]);
  assert.ok(!watched.items.some(({ type }) => type === "container.started"));
});

test("wait follows the events where there are any, and asks for the status only now and then", async (t) => {
  const gateway = await liveGateway(t, "containerd-2.1", seldom);
  const { ask, fake } = gateway;
  const { id } = fake.addContainer({ state: "running" });
  const waiting = ask(`GET /v1/containers/${id}/wait?timeout=30`);
  await eventually(() => fake.containerdEvents.subscribers === 1);
  await fake.exitContainer(id, 4);
  const answer = await waiting;
  assert.deepEqual([answer.at("exited"), answer.at("exitCode")], [true, 4]);
});

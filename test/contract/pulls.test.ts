/** Pulls as resources, on every runtime: several callers, progress, cancelling, and who may see what. */
import assert from "node:assert/strict";
import { request } from "node:http";
import { test } from "node:test";
import { status } from "@grpc/grpc-js";
import type { AnswerOf, PullItem } from "../../src/routes/answers.ts";
import { createCriClient } from "../support/cri-client.ts";
import { eventually } from "../support/eventually.ts";
import {
  type FakeRuntime,
  GrpcFault,
  hanging,
  type MannerName,
  mannerNames,
} from "../support/fake-runtime.ts";
import { type Answer, type LiveGateway, liveGateway, token } from "./live-gateway.ts";

type Pull = AnswerOf<"getPull">;

const target = "POST /v1/images/pull";
const pullsOf = async ({ ask }: LiveGateway): Promise<readonly Pull[]> =>
  (await ask("GET /v1/pulls")).at("pulls") as readonly Pull[];

/** Sends a pull whose client can leave. */
function startPull({ port }: LiveGateway, body: object, query = "", accept = "application/json") {
  const authorization = `Bearer ${token}`;
  const headers = { authorization, accept, "content-type": "application/json" };
  const path = `/v1/images/pull${query}`;
  const sent = request({ port, host: "127.0.0.1", method: "POST", path, headers, agent: false });
  let text = "";
  let type = "";
  const ended = new Promise<void>((resolve) => sent.once("close", resolve));
  sent.on("error", () => undefined);
  sent.on("response", (response) => {
    type = response.headers["content-type"] ?? "";
    response.setEncoding("utf8").on("data", (part: string) => {
      text += part;
    });
    response.on("error", () => undefined);
  });
  sent.end(JSON.stringify(body));
  return {
    ended,
    leave: () => sent.destroy(),
    text: () => text,
    type: () => type,
    items: () =>
      text
        .split("\n")
        .slice(0, -1)
        .map((line) => JSON.parse(line) as PullItem),
  };
}

/** Pulls wait until the test lets them go on. */
function holdPulls(fake: FakeRuntime): () => void {
  let release = (): void => undefined;
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  fake.on("ImageService/PullImage", async (_request, call) => {
    await held;
    return call.next();
  });
  return () => release();
}

const callers = async (gateway: LiveGateway): Promise<number | undefined> =>
  (await pullsOf(gateway))[0]?.callers;
const busybox = { image: "busybox:1.36" };

/** Offers an image, or offers it anew. Pulls of it last until the answer is called. */
function offerSlowly(fake: FakeRuntime, tag: string): () => void {
  let arrive = (): void => undefined;
  const arrival = new Promise<void>((resolve) => {
    arrive = resolve;
  });
  fake.addRemoteImage({ tags: [tag], arrival });
  return () => arrive();
}

const large = "quay.io/team/large:1";
const pullsAtRuntime = ({ fake }: LiveGateway): number => fake.callsOf("ImageService/PullImage").length;

for (const manner of mannerNames) {
  test(`two callers share one pull on ${manner}: the first leaves, the second gets its image`, async (t) => {
    const gateway = await liveGateway(t, manner);
    for (let round = 0; round < 20; round++) {
      gateway.fake.calls.length = 0;
      const arrive = offerSlowly(gateway.fake, large);
      const first = startPull(gateway, { image: large });
      await eventually(async () => (await callers(gateway)) === 1 && pullsAtRuntime(gateway) === 1);
      const second = gateway.ask(target, { image: large });
      await eventually(async () => (await callers(gateway)) === 2);
      first.leave();
      await eventually(async () => (await callers(gateway)) === 1);
      arrive();
      const answer = await second;
      assert.equal(answer.status, 200, answer.text);
      assert.equal(pullsAtRuntime(gateway), 1);
    }
  });
}

test("a pull that CRI-O merged with another client's is repeated when that client leaves", async (t) => {
  const gateway = await liveGateway(t, "cri-o");
  const { fake } = gateway;
  const arrive = offerSlowly(fake, large);
  const other = createCriClient(fake.socket);
  t.after(() => other.close());
  /** Another client pulls, and leaves when it is told to. */
  async function pullElsewhere(): Promise<() => void> {
    const leaving = new AbortController();
    const before = pullsAtRuntime(gateway);
    const request = { image: { image: large } };
    other.call("ImageService/PullImage", request, { signal: leaving.signal }).catch(() => undefined);
    await eventually(() => pullsAtRuntime(gateway) === before + 1);
    return () => leaving.abort();
  }
  const leaveFirst = await pullElsewhere();
  const interrupted = gateway.ask(target, { image: large });
  const repeated = startPull(gateway, { image: large }, "", "application/x-ndjson");
  await eventually(async () => (await callers(gateway)) === 2 && pullsAtRuntime(gateway) === 2);
  leaveFirst();
  // Nobody else pulls meanwhile, so that the repeated pull is the first.
  await eventually(() => pullsAtRuntime(gateway) === 3);
  const leaveJoined = await pullElsewhere();
  leaveJoined();
  arrive();
  const answer = await interrupted;
  assert.equal(answer.status, 200, answer.text);
  await repeated.ended;
  assert.deepEqual(repeated.items().at(-1)?.result, { imageRef: answer.at("imageRef") });
  assert.equal(pullsAtRuntime(gateway), 4);
});

test("a short name is another pull than its full one only on CRI-O", async (t) => {
  for (const manner of mannerNames) {
    const gateway = await liveGateway(t, manner);
    const release = holdPulls(gateway.fake);
    const sent = [
      gateway.ask(target, busybox),
      gateway.ask(target, { image: "docker.io/library/busybox:1.36" }),
    ];
    const expected = manner === "cri-o" ? 2 : 1;
    await eventually(async () => (await pullsOf(gateway)).reduce((sum, pull) => sum + pull.callers, 0) === 2);
    assert.equal((await pullsOf(gateway)).length, expected, manner);
    release();
    for (const answer of await Promise.all(sent)) assert.equal(answer.status, 200, answer.text);
  }
});

/** What the runtimes say of a pull that another one's end interrupted. */
const interruptions: readonly (readonly [MannerName, GrpcFault])[] = [
  [
    "containerd-1.6",
    new GrpcFault(
      status.NOT_FOUND,
      'failed to pull and unpack image "docker.io/library/busybox:1.36": failed to prepare extraction snapshot "extract-1-a sha256:ab": parent snapshot sha256:cd does not exist: not found',
    ),
  ],
  ["cri-o", new GrpcFault(status.CANCELLED, "reading blob sha256:ab: context canceled")],
];

for (const [manner, fault] of interruptions) {
  test(`a pull that another one interrupted is repeated once on ${manner}`, async (t) => {
    const gateway = await liveGateway(t, manner);
    let calls = 0;
    gateway.fake.on("ImageService/PullImage", (_request, call) => {
      calls++;
      if (calls === 1) throw fault;
      return call.next();
    });
    const answer = await gateway.ask(target, busybox);
    assert.deepEqual([answer.status, calls], [200, 2], answer.text);
    gateway.fake.on("ImageService/PullImage", () => {
      calls++;
      throw fault;
    });
    const failed = await gateway.ask(target, busybox);
    assert.deepEqual(
      [failed.status, failed.at("code"), failed.at("retryable"), calls],
      [502, "pull_interrupted", true, 4],
      failed.text,
    );
  });
}

test("the last caller that leaves cancels the pull, unless it is detached", async (t) => {
  const gateway = await liveGateway(t);
  holdPulls(gateway.fake);
  const leaving = startPull(gateway, busybox);
  await eventually(async () => (await callers(gateway)) === 1);
  leaving.leave();
  await eventually(async () => (await pullsOf(gateway))[0]?.phase === "cancelled");
  await eventually(() => gateway.fake.callsOf("ImageService/PullImage")[0]?.cancelled === true);
  const release = holdPulls(gateway.fake);
  const detached = startPull(gateway, busybox, "?detach=true", "application/x-ndjson");
  await eventually(async () => (await callers(gateway)) === 1);
  detached.leave();
  await eventually(async () => (await callers(gateway)) === 0);
  const [pull] = await pullsOf(gateway);
  assert.deepEqual([pull?.phase, pull?.detached], ["pulling", true]);
  release();
  await eventually(async () => (await pullsOf(gateway))[0]?.phase === "done");
});

test("a cancelled pull is 409 for all who wait, in every form, and stays listed", async (t) => {
  const gateway = await liveGateway(t, "cri-o");
  holdPulls(gateway.fake);
  const waiting: Promise<Answer> = gateway.ask(target, busybox);
  const lines = startPull(gateway, busybox, "", "application/x-ndjson");
  const events = startPull(gateway, busybox, "", "text/event-stream");
  await eventually(() => lines.text() !== "" && events.text() !== "");
  const [{ id = "" } = {}] = await pullsOf(gateway);
  const cancelled = await gateway.ask(`DELETE /v1/pulls/${id}`);
  assert.deepEqual([cancelled.status, cancelled.at("phase")], [200, "cancelled"]);
  const answer = await waiting;
  assert.deepEqual([answer.status, answer.at("code")], [409, "pull_cancelled"]);
  await Promise.all([lines.ended, events.ended]);
  assert.equal(lines.items().at(-1)?.error?.code, "pull_cancelled");
  assert.match(events.text(), /\n\nevent: error\ndata: \{.*"code":"pull_cancelled".*\}\n\n$/);
  const shown = await gateway.ask(`GET /v1/pulls/${id}`);
  assert.deepEqual([shown.at("phase"), shown.at("error.code")], ["cancelled", "pull_cancelled"]);
  assert.equal((await gateway.ask(`DELETE /v1/pulls/${id}`)).text, shown.text);
  assert.equal((await gateway.ask("GET /v1/pulls/no-such-pull")).status, 404);
});

test("progress without containerd's services is the phase and the time, and then the result", async (t) => {
  for (const manner of ["cri-o", "cri-dockerd", "containerd-1.7"] as const) {
    const gateway = await liveGateway(t, manner);
    const release = holdPulls(gateway.fake);
    const lines = startPull(gateway, busybox, "", "application/x-ndjson");
    await eventually(() => lines.items().length >= 2);
    release();
    await lines.ended;
    assert.equal(lines.type(), "application/x-ndjson");
    const items = lines.items();
    for (const { progress } of items.slice(0, -2)) {
      const { elapsedMs = -1, ...rest } = progress ?? {};
      assert.ok(elapsedMs >= 0);
      const { id, startedAt, ...shown } = rest as Partial<Pull>;
      assert.ok(id && startedAt);
      assert.deepEqual(shown, { ...busybox, phase: "pulling", callers: 1, detached: false });
    }
    assert.equal(items.at(-2)?.progress?.phase, "done");
    const answer = await gateway.ask(target, busybox);
    assert.deepEqual(items.at(-1), { result: { imageRef: answer.at("imageRef") } });
  }
});

test("a pull that fails at once is a problem with its status, whatever form was asked for", async (t) => {
  const gateway = await liveGateway(t);
  for (const accept of ["application/json", "application/x-ndjson", "text/event-stream"]) {
    const answer = await gateway.ask(target, { image: "quay.io/team/absent:1" }, { accept });
    assert.deepEqual([answer.status, answer.at("code")], [404, "image_not_found"], accept);
  }
  const sessions = await gateway.ask("GET /readyz?verbose");
  assert.match(sessions.text, /^sessions 0$/m);
});

test("a pull that fails later is the last item, without the secrets of the request", async (t) => {
  const gateway = await liveGateway(t);
  const auth = { username: "reader", password: "open sesame" };
  let fail = (): void => undefined;
  gateway.fake.on("ImageService/PullImage", async () => {
    await new Promise<void>((resolve) => {
      fail = resolve;
    });
    throw new GrpcFault(status.UNKNOWN, 'cannot parse "open sesame" or cmVhZGVyOm9wZW4gc2VzYW1l');
  });
  const lines = startPull(gateway, { ...busybox, auth }, "", "application/x-ndjson");
  await eventually(() => lines.text() !== "");
  fail();
  await lines.ended;
  const { error } = lines.items().at(-1) ?? {};
  assert.deepEqual([error?.code, error?.grpcCode], ["runtime_error", "UNKNOWN"]);
  const list = await gateway.ask("GET /v1/pulls");
  assert.equal(list.at("pulls.0.phase"), "failed");
  assert.equal(list.at("pulls.0.error.code"), "runtime_error");
  const { id } = (await pullsOf(gateway))[0] ?? {};
  const shown = await gateway.ask(`GET /v1/pulls/${id}`);
  const logged = JSON.stringify(
    gateway.logged.map(({ message, error: thrown }) => [message, String(thrown)]),
  );
  for (const text of [lines.text(), list.text, shown.text, logged])
    assert.doesNotMatch(text, /sesame|cmVhZGVy|"reader"/);
});

test("other credentials are another pull", async (t) => {
  const gateway = await liveGateway(t);
  const release = holdPulls(gateway.fake);
  const bodies = [
    busybox,
    { ...busybox, auth: { username: "reader", password: "open sesame" } },
    { ...busybox, auth: { username: "reader", password: "another" } },
    { ...busybox, auth: { auth: Buffer.from("reader:another").toString("base64") } },
  ];
  const sent = bodies.map((body) => gateway.ask(target, body));
  await eventually(async () => (await pullsOf(gateway)).reduce((sum, pull) => sum + pull.callers, 0) === 4);
  // The last two say the same in two ways.
  assert.deepEqual((await pullsOf(gateway)).map((pull) => pull.callers).sort(), [1, 1, 2]);
  release();
  await Promise.all(sent);
});

test("a caller sees and cancels only pulls of what it may pull itself", async (t) => {
  const narrowed = await liveGateway(t, "containerd-2.1", {
    grants: { all: false, allow: { pull: ["docker.io/library"] }, deny: {} },
  });
  await narrowed.ask(target, busybox);
  const pulls = await pullsOf(narrowed);
  assert.deepEqual(
    pulls.map(({ image }) => image),
    ["docker.io/library/busybox:1.36"],
  );
  assert.equal((await narrowed.ask(`GET /v1/pulls/${pulls[0]?.id}`)).status, 200);
  const refused = await narrowed.ask(target, { image: "quay.io/team/app:1" });
  assert.equal(refused.status, 403);
});

test("a gateway that stops tells followers so, cancels their pull, and a detached one too", async (t) => {
  const gateway = await liveGateway(t);
  gateway.fake.on("ImageService/PullImage", hanging());
  const lines = startPull(gateway, busybox, "", "application/x-ndjson");
  const detached = startPull(gateway, { image: "alpine:3.20" }, "?detach=true", "application/x-ndjson");
  await eventually(() => lines.text() !== "" && detached.text() !== "");
  detached.leave();
  await gateway.app.close(1000);
  await lines.ended;
  assert.equal(lines.items().at(-1)?.error?.code, "shutting_down");
  await eventually(() => gateway.fake.callsOf("ImageService/PullImage").every(({ cancelled }) => cancelled));
});

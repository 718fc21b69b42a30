/** Readers of large answers, which are slow, leave in the middle, or are told of a failure when it is too late. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { connect as connectTo } from "node:net";
import { test } from "node:test";
import { eventually } from "../support/eventually.ts";
import type { FakeRuntime } from "../support/fake-runtime.ts";
import { rawRequest } from "../support/raw-request.ts";
import { createGateway } from "./table-gateway.ts";
import { canonicalResponse, responseBytes } from "./table-messages.ts";
import { limited, listen, openGateway, parseResponse, requestOf, turn } from "./table-sockets.ts";

const shards = 8;

/** Containers with two kilobytes each of which no two are alike. */
function addLargeContainers(fake: FakeRuntime, count: number): void {
  const pods = Array.from({ length: 20 }, () => fake.addPod());
  for (let number = 0; number < count; number++) {
    const pod = pods[number % pods.length] ?? fake.addPod();
    const text = createHash("sha512").update(`${number}`).digest("hex").repeat(16);
    fake.addContainer({
      pod,
      state: "created",
      labels: { shard: String(number % shards) },
      annotations: { text },
    });
  }
}

test(
  "slow readers of large lists get every byte right, whatever else is answered meanwhile",
  limited,
  async (t) => {
    const { gateway, fake } = await openGateway(t);
    const { path, app } = await listen(gateway);
    addLargeContainers(fake, 400);
    const reply = responseBytes("RuntimeService/ListContainers", {
      ...(await fake.perform("RuntimeService/ListContainers")),
    });
    fake.on("RuntimeService/ListContainers", reply);

    const targets: string[] = [];
    for (let number = 0; number < shards; number++) {
      const some = Array.from({ length: 6 }, (_, step) => (number + step) % shards).join(",");
      targets.push(`/v1/containers?labelSelector=shard+in+(${some})`, `/v1/containers?limit=${300 + number}`);
    }
    const sum = (body: Buffer | string): string => createHash("sha256").update(body).digest("hex");
    const expected = new Map<string, string>();
    for (const target of targets) expected.set(target, sum((await app.ask(`GET ${target}`)).bytes));
    // What they are held against is itself right.
    const all = canonicalResponse("RuntimeService/ListContainers", reply).containers as { id: string }[];
    const whole = (await app.ask("GET /v1/containers")).json<{ containers: { id: string }[] }>().containers;
    const byId = (a: { id: string }, b: { id: string }): number => (a.id < b.id ? -1 : 1);
    assert.deepEqual([...whole].sort(byId), all.sort(byId));

    // Each list has several readers; of some lists one reader leaves in the middle.
    const wanted = targets.flatMap((target, index) =>
      index % 3 === 0 ? [target, target, target] : [target],
    );
    const sockets = await Promise.all(
      wanted.map(async (target, index) => {
        const socket = connectTo(path);
        socket.write(requestOf(target));
        await new Promise((resolve) => socket.once("readable", resolve));
        return { socket, target, leaves: index % 7 === 0 };
      }),
    );
    /** Other answers, of other sizes, through the same buffers. */
    let asked = 0;
    const answerOthers = async (): Promise<void> => {
      const target = targets[asked++ % targets.length] ?? "";
      const answer = await app.ask(`GET ${target}`);
      assert.equal(sum(answer.bytes), expected.get(target));
    };
    for (let count = 0; count < 12; count++) await answerOthers();
    let read = 0;
    let stayed = 0;
    await Promise.all(
      sockets.map(async ({ socket, target, leaves }) => {
        const chunks: Buffer[] = [];
        for await (const chunk of socket) {
          chunks.push(chunk as Buffer);
          read++;
          if (leaves && chunks.length === 4) break;
          for (let count = 0; count < chunks.length % 4; count++) await turn();
          if (read % 30 === 0) await answerOthers();
        }
        socket.destroy();
        if (leaves) return;
        const { status, body } = parseResponse(Buffer.concat(chunks));
        assert.equal(status, 200);
        assert.ok(body.length > 500_000, "larger than what sockets buffer");
        assert.equal(sum(body), expected.get(target), target);
        stayed++;
      }),
    );
    assert.ok(stayed > 15);
    assert.ok(asked > 12, "others were answered while they read");
  },
);

test(
  "lines that end in a failure of the runtime are cut off, so that nobody takes them for all",
  limited,
  async (t) => {
    const gateway = await createGateway("cri-o");
    t.after(() => gateway.close());
    const { path } = await listen(gateway);
    const { fake } = gateway;
    addLargeContainers(fake, 50);
    fake.on("RuntimeService/StreamContainers", async function* (_request, call) {
      yield* call.nextAll();
      throw new Error("the disk is on fire");
    });
    const answer = await rawRequest(path, requestOf("/v1/containers", "application/x-ndjson"));
    const text = answer.toString("latin1");
    assert.match(text, /^HTTP\/1\.1 200 /);
    assert.match(text, /transfer-encoding: chunked/i);
    assert.ok(text.includes('"shard":"7"'));
    assert.ok(!text.endsWith("0\r\n\r\n"), "the last chunk says that all has come");
    assert.ok(!text.includes("on fire"));
  },
);

test("a stream of lines is given up when its reader leaves", limited, async (t) => {
  const gateway = await createGateway("cri-o");
  t.after(() => gateway.close());
  const { path, app } = await listen(gateway);
  const { fake } = gateway;
  addLargeContainers(fake, 50);
  fake.on("RuntimeService/StreamContainers", async function* (_request, call) {
    while (!call.signal.aborted) yield* call.nextAll();
  });
  const socket = connectTo(path);
  socket.write(requestOf("/v1/containers", "application/x-ndjson"));
  await new Promise((resolve) => socket.once("readable", resolve));
  const call = fake.callsOf("RuntimeService/StreamContainers")[0];
  assert.equal(call?.cancelled, false);
  socket.destroy();
  await eventually(() => call?.cancelled);
  assert.equal((await app.ask("GET /v1/containers")).status, 200);
});

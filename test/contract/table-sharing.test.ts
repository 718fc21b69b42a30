/** Calls that many readers share: who sees what, and who ends what. On a fake runtime whose answers take their time. */
import assert from "node:assert/strict";
import type { Socket } from "node:net";
import { type TestContext, test } from "node:test";
import { createSingleflight, type Share, type Shared } from "../../src/api/singleflight.ts";
import { connect, type Runtime } from "../../src/cri/channel.ts";
import { decodeReply, encodeRequest } from "../../src/cri/codec.ts";
import { eventually } from "../support/eventually.ts";
import { createFakeRuntime, type FakeRuntime, hanging, held, type RpcName } from "../support/fake-runtime.ts";
import { managed } from "./table-cases.ts";
import { begin, leave, limited, listen, openGateway, readAll, turn } from "./table-sockets.ts";

/** Answers with the state of the moment of asking, and later: what a busy runtime does. */
function answerLate(fake: FakeRuntime, rpc: RpcName): void {
  fake.on(rpc, async (_request, call) => {
    const answer = await call.next();
    for (let count = 0; count < 8; count++) await turn();
    return answer;
  });
}

const readers = 32;

/** Many readers that each create a container and then list: how often one missed its own. */
async function countMissed(fake: FakeRuntime, runtime: Runtime, share: Share): Promise<number> {
  const rpc = "RuntimeService/ListContainers";
  const request = encodeRequest(rpc, {});
  const pod = fake.addPod();
  let missed = 0;
  const reader = async (number: number): Promise<void> => {
    for (let round = 0; round < 6; round++) {
      const { id } = fake.addContainer({ pod, name: `${number}-${round}`, state: "created" });
      const options = { key: "the list", deadlineMs: 30_000, onCancel: () => undefined };
      const shared = await share(options, async (onCancel) => {
        const reply = await runtime.call(rpc, request, { onCancel });
        const ids = new Set(decodeReply(rpc, reply).containers.map((container) => container.id));
        return { value: ids, release: () => undefined };
      });
      if (!shared.value.has(id)) missed++;
      shared.release();
      // Readers get out of step.
      for (let count = 0; count < number % 5; count++) await turn();
    }
  };
  await Promise.all(Array.from({ length: readers }, (_, number) => reader(number)));
  return missed;
}

/** What sharing must not be: who comes while a call is under way gets that call's answer. */
function createInFlightSharing(): Share {
  const flights = new Map<string, Promise<Shared<unknown>>>();
  return <T>({ key }: Parameters<Share>[0], produce: (onCancel: () => void) => Promise<Shared<T>>) => {
    const flying = flights.get(key) as Promise<Shared<T>> | undefined;
    if (flying) return flying;
    const flight = produce(() => undefined).finally(() => flights.delete(key));
    flights.set(key, flight);
    return flight;
  };
}

async function bareRuntime(t: TestContext): Promise<{ fake: FakeRuntime; runtime: Runtime }> {
  const fake = await createFakeRuntime({ manner: "containerd-2.1" });
  const runtime = connect({ runtimeEndpoint: fake.socket });
  t.after(async () => {
    runtime.close();
    await fake.close();
  });
  answerLate(fake, "RuntimeService/ListContainers");
  return { fake, runtime };
}

test("who creates and then lists, among 32 readers, never misses what was created", async (t) => {
  const { fake, runtime } = await bareRuntime(t);
  assert.equal(await countMissed(fake, runtime, createSingleflight()), 0);
  const calls = fake.callsOf("RuntimeService/ListContainers").length;
  assert.ok(calls < (readers * 6) / 2, `calls are shared: ${calls} for ${readers * 6} readings`);
});

test("the same readers do miss it when calls under way are joined", async (t) => {
  const { fake, runtime } = await bareRuntime(t);
  assert.ok((await countMissed(fake, runtime, createInFlightSharing())) > 0);
});

test("over HTTP too: what was created is listed, what was changed is shown", limited, async (t) => {
  const { fake, app } = await openGateway(t);
  answerLate(fake, "RuntimeService/ListContainers");
  answerLate(fake, "RuntimeService/ContainerStatus");
  const pod = fake.addPod({ labels: managed });
  /** Somebody else looks all the time, so that a call is always under way; settles when `work` does. */
  const whileOthersLook = async (target: string, work: () => Promise<void>): Promise<void> => {
    let done = false;
    const look = async (): Promise<void> => {
      while (!done) assert.equal((await app.ask(target)).status, 200);
    };
    const looking = [look(), look()];
    await work().finally(() => {
      done = true;
    });
    await Promise.all(looking);
  };
  let listed = 0;
  const caller = async (number: number): Promise<void> => {
    for (let round = 0; round < 2; round++) {
      for (let count = 0; count < number; count++) await turn();
      const body = { metadata: { name: `c-${number}-${round}` }, image: "busybox:1.36" };
      const created = await app.ask(`POST /v1/pods/${pod.id}/containers`, { json: body });
      assert.equal(created.status, 201, created.text);
      const { containerId } = created.json<{ containerId: string }>();
      listed++;
      assert.ok((await app.ask("GET /v1/containers")).text.includes(containerId), "it is not in the list");
      const path = `/v1/containers/${containerId}`;
      if (number % 4 !== 0) continue;
      await whileOthersLook(`GET ${path}`, async () => {
        assert.equal((await app.ask(`POST ${path}/start`)).status, 204);
        const { status } = (await app.ask(`GET ${path}`)).json<{ status: { state: string } }>();
        assert.equal(status.state, "CONTAINER_RUNNING");
      });
    }
  };
  await whileOthersLook("GET /v1/containers", async () => {
    await Promise.all(Array.from({ length: readers }, (_, number) => caller(number)));
  });
  const lists = fake.callsOf("RuntimeService/ListContainers").length;
  assert.ok(lists < listed * 2, `calls are shared: ${lists} for at least ${listed} readings`);
});

test("a reader that leaves cancels nobody else, the last one cancels the call", limited, async (t) => {
  const { gateway, fake } = await openGateway(t);
  const { path, app } = await listen(gateway);
  for (const target of ["/v1/containers", "/v1/version", "/v1/stats/pods"]) {
    await t.test(target, async () => {
      const rpcs: { [target: string]: RpcName } = {
        "/v1/containers": "RuntimeService/ListContainers",
        "/v1/version": "RuntimeService/Version",
        "/v1/stats/pods": "RuntimeService/ListPodSandboxStats",
      };
      const rpc = rpcs[target] ?? "RuntimeService/Version";
      fake.calls.length = 0;
      const gate = held();
      const stop = fake.on(rpc, gate.answer);
      const alone = await begin(path, target, app);
      await gate.arrived;
      const leaver = await begin(path, target, app);
      const stayer = await begin(path, target, app);
      const other = await begin(path, target, app);
      assert.equal(fake.callsOf(rpc).length, 1, "the others wait for the next call");

      // The only reader of a call goes: the call is given up, and the next begins for those who wait.
      alone.destroy();
      await eventually(() => fake.callsOf(rpc)[0]?.cancelled && fake.callsOf(rpc).length === 2);
      await leave(leaver, app);
      await leave(await begin(path, target, app), app);
      gate.release();
      for (const reader of [stayer, other]) {
        const { status, body } = await readAll(reader);
        assert.equal(status, 200, body.toString());
      }
      assert.deepEqual(
        fake.callsOf(rpc).map(({ cancelled }) => cancelled),
        [true, false],
      );
      stop();
    });
  }
});

test(
  "when all readers of a call have left it is cancelled, also those who came after it had begun",
  limited,
  async (t) => {
    const { gateway, fake } = await openGateway(t);
    const { path, app } = await listen(gateway);
    const rpc = "RuntimeService/ListContainers";
    fake.on(rpc, hanging());
    const first = await begin(path, "/v1/containers", app);
    await eventually(() => fake.callsOf(rpc).length === 1);
    const waiting = [await begin(path, "/v1/containers", app), await begin(path, "/v1/containers", app)];
    first.destroy();
    await eventually(() => fake.callsOf(rpc).length === 2);
    assert.equal(fake.callsOf(rpc)[0]?.cancelled, true);
    const [one, two] = waiting as [Socket, Socket];
    one.destroy();
    two.destroy();
    await eventually(() => fake.callsOf(rpc)[1]?.cancelled);
    const closed = await begin(path, "/v1/pods", app);
    assert.equal((await readAll(closed)).status, 200);
    assert.equal(fake.callsOf(rpc).length, 2, "nobody asked again");
  },
);

test("a reader that leaves while its id is looked up asks for nothing any more", limited, async (t) => {
  const { gateway, fake } = await openGateway(t);
  const { path, app } = await listen(gateway);
  const { id } = fake.addContainer({ pod: fake.addPod({ labels: managed }) });
  const rpcs = { get: "RuntimeService/ContainerStatus", post: "RuntimeService/StopContainer" } as const;
  for (const rpc of Object.values(rpcs)) fake.on(rpc, hanging());
  for (const [target, rpc] of [
    [`GET /v1/containers/${id.slice(0, 10)}`, rpcs.get],
    [`POST /v1/containers/${id.slice(0, 10)}/stop`, rpcs.post],
  ] as const) {
    const gate = held();
    const stop = fake.on("RuntimeService/ListContainers", gate.answer);
    const leaver = await begin(path, target, app);
    await gate.arrived;
    await leave(leaver, app);
    gate.release();
    stop();
    // Whoever asks afterwards is answered, when what was before is over.
    assert.equal((await app.ask("GET /v1/containers")).status, 200);
    await eventually(() => fake.callsOf(rpc).every(({ cancelled }) => cancelled), { timeoutMs: 2000 });
  }
});

test("a failure is told to every reader of its call, and to nobody later", async (t) => {
  const { fake, app } = await openGateway(t);
  const gate = held();
  let failures = 0;
  fake.on("RuntimeService/Version", async (request, call) => {
    await gate.answer(request, call);
    failures++;
    throw new Error(`failure ${failures}`);
  });
  const asked = Array.from({ length: 6 }, () => app.ask("GET /v1/version"));
  await gate.arrived;
  await turn();
  gate.release();
  const texts = (await Promise.all(asked)).map((answer) => {
    assert.equal(answer.status, 502, answer.text);
    return /failure \d/.exec(answer.text)?.[0];
  });
  assert.deepEqual(texts, ["failure 1", ...Array(5).fill("failure 2")]);
  assert.match((await app.ask("GET /v1/version")).text, /failure 3/);
});

/** The client's streams over connections that are cut, slow readers, and callers that leave at any stage. */
import assert from "node:assert/strict";
import { appendFile } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { type TestContext, test } from "node:test";
import { type Client, CrestError, createClient, type Reconnection } from "../../src/client/index.ts";
import { cuttingProxy } from "../support/cutting-proxy.ts";
import { eventually, untilStill } from "../support/eventually.ts";
import { freePort } from "../support/free-port.ts";
import { withLog } from "./container-log.ts";
import { type LiveGateway, liveGateway, token } from "./live-gateway.ts";

const manner = "containerd-2.1";

/** A gateway, and a client of it over a proxy that cuts connections. */
async function cutClient(t: TestContext) {
  const gateway = await liveGateway(t, manner);
  const proxy = await cuttingProxy(t, gateway.port);
  return { gateway, proxy, client: createClient({ server: proxy.address, token }) };
}

/** Nothing of the test may fail where nobody looks. */
const unhandled: unknown[] = [];
process.on("unhandledRejection", (error) => unhandled.push(error));
test.afterEach(() => assert.deepEqual(unhandled, []));

const many = Array.from({ length: 10_000 }, (_, index) => `line ${index}`);

test("10,000 lines come once and in order over connections that are cut in the middle of lines", async (t) => {
  const { gateway, proxy, client } = await cutClient(t);
  const { container } = await withLog(gateway, manner, many);
  proxy.cutAfterBytes = 301_001;
  const texts: string[] = [];
  const reconnections: Reconnection[] = [];
  const options = { onReconnect: (one: Reconnection) => reconnections.push(one) };
  for await (const { text } of client.getContainerLogs({ containerId: container.id }, options))
    texts.push(text);
  assert.deepEqual(texts, many);
  assert.ok(reconnections.length > 2);
  for (const { error, attempt } of reconnections)
    assert.deepEqual([error.code, attempt], ["connection_lost", 1]);
  assert.equal(proxy.connections, reconnections.length + 1);
});

test("limitBytes counts the lines of all connections", async (t) => {
  const { gateway, proxy, client } = await cutClient(t);
  const { container } = await withLog(gateway, manner, many);
  proxy.cutAfterBytes = 30_000;
  const texts: string[] = [];
  const query = { containerId: container.id, limitBytes: 9000 };
  for await (const { text } of client.getContainerLogs(query)) texts.push(text);
  const size = texts.reduce((sum, text) => sum + text.length + 1, 0);
  assert.ok(size <= 9000 && size > 8980, String(size));
  assert.ok(proxy.connections > 1);
});

test("a follower goes on after a cut with what was written meanwhile, and leaving closes the connection", async (t) => {
  const { gateway, proxy, client } = await cutClient(t);
  const { container, path } = await withLog(gateway, manner, ["one"], { container: { state: "running" } });
  const write = (text: string) => appendFile(path, `${new Date().toISOString()} stdout F ${text}\n`);
  const texts: string[] = [];
  const since = "1h";
  await write("two");
  for await (const { text } of client.getContainerLogs({ containerId: container.id, follow: true, since })) {
    texts.push(text);
    if (texts.length === 1) {
      proxy.cut();
      await write("three");
    }
    if (texts.length === 2) break;
  }
  assert.deepEqual(texts, ["two", "three"]);
  await eventually(() => proxy.open === 0);
});

test("a caller whose loop throws leaves no connection", async (t) => {
  const { proxy, client } = await cutClient(t);
  const mistake = new Error("a mistake in the loop");
  await assert.rejects(
    async () => {
      for await (const _ of client.listEvents({ watch: true })) throw mistake;
    },
    (error) => error === mistake,
  );
  await eventually(() => proxy.open === 0);
});

test("an iterator that is returned while it waits for an item ends", async (t) => {
  const { gateway, proxy, client } = await cutClient(t);
  const { container } = await withLog(gateway, manner, [], { container: { state: "running" } });
  const lines = client.getContainerLogs({ containerId: container.id, follow: true })[Symbol.asyncIterator]();
  const next = lines.next();
  await eventually(() => proxy.open === 1);
  await lines.return?.();
  assert.deepEqual(await next, { done: true, value: undefined });
  await eventually(() => proxy.open === 0);
});

test("events go on after the last id without a new snapshot", async (t) => {
  const { gateway, proxy, client } = await cutClient(t);
  gateway.fake.addPod({ name: "first" });
  const types: string[] = [];
  for await (const { type, pod } of client.listEvents({ watch: true, type: "pod" })) {
    types.push(`${type} ${pod ?? ""}`.trim());
    if (types.length === 2) {
      proxy.cut();
      await gateway.ask("POST /v1/pods", { metadata: { name: "second" } });
    }
    if (type === "pod.created") break;
  }
  const [snapshot, ...rest] = types;
  assert.match(snapshot ?? "", /^pod\.\w+ first$/);
  assert.deepEqual(rest[0], "bookmark");
  assert.equal(rest.filter((type) => type.includes("first") || type === "resync").length, 0);
  assert.equal(rest.at(-1), "pod.created second");
});

test("a wait goes on over a cut, tells each state once, and its answer is the exit", async (t) => {
  const { gateway, proxy, client } = await cutClient(t);
  const { id } = gateway.fake.addContainer({ state: "running" });
  const stop = () => gateway.ask(`POST /v1/containers/${id}/stop?timeout=0`);
  const states: string[] = [];
  for await (const { state } of client.waitContainer({ containerId: id })) {
    states.push(state);
    if (states.length > 1) break;
    proxy.cut();
    void eventually(() => proxy.connections === 2).then(stop);
  }
  assert.deepEqual(states, ["CONTAINER_RUNNING", "CONTAINER_EXITED"]);
  const answer = await client.waitContainer({ containerId: id }).answer();
  assert.deepEqual([answer.exited, answer.exitCode], [true, 137]);
});

test("a pull is joined again after a cut, and ends with its result", async (t) => {
  const { gateway, proxy, client } = await cutClient(t);
  let arrive = (): void => undefined;
  const arrival = new Promise<void>((resolve) => {
    arrive = resolve;
  });
  gateway.fake.addRemoteImage({ tags: ["quay.io/team/large:1"], arrival });
  const ids = new Set<string>();
  let imageRef: string | undefined;
  const body = { image: { image: "quay.io/team/large:1" } };
  for await (const { progress, result } of client.pullImage({ body, detach: true })) {
    imageRef = result?.imageRef;
    if (progress === undefined) continue;
    if (ids.size === 0) proxy.cut();
    ids.add(progress.id);
    if (proxy.connections > 1) arrive();
  }
  assert.equal(ids.size, 1);
  assert.ok(imageRef);
  assert.deepEqual(await client.pullImage({ body }).answer(), { imageRef });
  await assert.rejects(client.pullImage({ body: { image: { image: "quay.io/team/none:1" } } }).answer(), {
    code: "image_not_found",
  });
});

test("usage goes on after a cut, and ends when its container has ended", async (t) => {
  const { gateway, proxy, client } = await cutClient(t);
  const { id } = gateway.fake.addContainer({ state: "running" });
  let count = 0;
  for await (const reading of client.watchOneContainerStats({ containerId: id, interval: "1s" })) {
    assert.equal(reading.id, id);
    count++;
    if (count === 1) proxy.cut();
    if (count === 2) {
      await gateway.ask(`POST /v1/containers/${id}/stop?timeout=0`);
      proxy.cut();
    }
  }
  assert.ok(count >= 2);
});

test("a slow reader slows down the connection, and fills no memory", async (t) => {
  const { gateway, proxy, client } = await cutClient(t);
  const texts = Array.from({ length: 60 }, (_, index) => `${index} ${"x".repeat(500_000)}`);
  const { container } = await withLog(gateway, manner, texts);
  let count = 0;
  for await (const { text } of client.getContainerLogs({ containerId: container.id })) {
    assert.equal(text, texts[count]);
    count++;
    if (count > 1) continue;
    await untilStill(() => proxy.bytes);
    assert.ok(proxy.bytes < 15_000_000, String(proxy.bytes));
  }
  assert.equal(count, texts.length);
});

/** Where a call can be when it is aborted, and what brings it there. */
const stages: {
  readonly [stage: string]: (
    t: TestContext,
    abort: () => void,
  ) => Promise<{ client: Client; signal?: AbortSignal; gateway?: LiveGateway }>;
} = {
  async "before it begins"(t, abort) {
    const { client } = await cutClient(t);
    abort();
    return { client };
  },
  async "while the token is renewed"(t, abort) {
    const { port } = await liveGateway(t, manner);
    const renew = async (): Promise<string> => {
      abort();
      return token;
    };
    return { client: createClient({ server: `http://127.0.0.1:${port}`, token: renew }) };
  },
  async "while nobody answers"(t, abort) {
    const silent = createServer(() => abort());
    await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
    t.after(() => silent.close());
    const { port } = silent.address() as AddressInfo;
    return { client: createClient({ server: `http://127.0.0.1:${port}`, token }) };
  },
  async "while it waits for an item"(t, abort) {
    const { client, proxy } = await cutClient(t);
    void eventually(() => proxy.bytes > 0).then(() => setImmediate(abort));
    return { client };
  },
};

for (const [stage, reach] of Object.entries(stages)) {
  test(`a stream that is aborted ${stage} fails with the signal's reason`, async (t) => {
    const controller = new AbortController();
    const reason = new Error("enough");
    const { client } = await reach(t, () => controller.abort(reason));
    await assert.rejects(
      async () => {
        for await (const _ of client.listEvents({ watch: true }, { signal: controller.signal }));
      },
      (error) => error === reason,
    );
  });
}

test("a stream that is aborted while it waits to reconnect fails with the signal's reason", async (t) => {
  const { client, proxy } = await cutClient(t);
  const controller = new AbortController();
  const reason = new Error("enough");
  const onReconnect = ({ attempt }: Reconnection): void => {
    if (attempt === 1) setImmediate(() => controller.abort(reason));
  };
  await assert.rejects(
    async () => {
      for await (const { type } of client.listEvents(
        { watch: true },
        { signal: controller.signal, onReconnect },
      ))
        if (type === "bookmark") proxy.cut();
    },
    (error) => error === reason,
  );
});

test("a single answer that is aborted fails with the signal's reason", async (t) => {
  const { gateway, client } = await cutClient(t);
  const { id } = gateway.fake.addContainer({ state: "running" });
  const signal = AbortSignal.timeout(50);
  await assert.rejects(
    client.getContainer({ containerId: id }, { signal: AbortSignal.abort("gone") }),
    (error) => {
      assert.equal(error, "gone");
      return true;
    },
  );
  await assert.rejects(client.waitContainer({ containerId: id }, { signal }).answer(), {
    name: "TimeoutError",
  });
});

test("without reconnect, a cut connection fails with connection_lost", async (t) => {
  const { client, proxy } = await cutClient(t);
  await assert.rejects(
    async () => {
      for await (const { type } of client.listEvents({ watch: true }, { reconnect: false }))
        if (type === "bookmark") proxy.cut();
    },
    { name: "CrestError", code: "connection_lost", retryable: true },
  );
});

test("a gateway that stays away fails the stream after giveUpAfterMs, with what was tried", async (t) => {
  const { gateway, client } = await cutClient(t);
  const attempts: number[] = [];
  const options = { giveUpAfterMs: 300, onReconnect: ({ attempt }: Reconnection) => attempts.push(attempt) };
  await assert.rejects(async () => {
    for await (const { type } of client.listEvents({ watch: true }, options))
      if (type === "bookmark") await gateway.app.close();
  }, CrestError);
  assert.deepEqual(attempts.slice(0, 2), [1, 2]);
});

test("a stream of any kind does not look complete when the gateway stops", async (t) => {
  const { gateway, client } = await cutClient(t);
  const { container } = await withLog(gateway, manner, ["one"], { container: { state: "running" } });
  const containerId = container.id;
  const once = { reconnect: false };
  const streams: readonly AsyncIterable<object>[] = [
    client.getContainerLogs({ containerId, follow: true }, once),
    client.listLogs({ follow: true }, once),
    client.listEvents({ watch: true }, once),
    client.watchContainerStats({}, once),
    client.waitContainer({ containerId }, once),
  ];
  let begun = 0;
  const read = async (stream: AsyncIterable<object>): Promise<void> => {
    let isFirst = true;
    for await (const _ of stream) {
      if (isFirst) begun++;
      isFirst = false;
    }
  };
  const ends = streams.map((stream) =>
    assert.rejects(read(stream), { code: /^(shutting_down|connection_lost)$/ }),
  );
  await eventually(() => begun === streams.length);
  await gateway.app.close();
  await Promise.all(ends);
});

test("the first connection is not tried again, and says what cannot be reached", async () => {
  const server = `http://127.0.0.1:${await freePort()}`;
  const client = createClient({ server, token });
  const failure = {
    code: "connection_failed",
    message: new RegExp(`^Cannot reach ${server}: .*ECONNREFUSED`),
  };
  await assert.rejects(client.listEvents()[Symbol.asyncIterator]().next(), failure);
  await assert.rejects(client.getVersion(), failure);
});

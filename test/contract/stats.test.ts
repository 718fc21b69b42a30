/** Usage, as JSON and as lines: CPU rates that runtimes leave out, and times that were never set. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type FakeRuntime, mannerNames, type RpcName } from "../support/fake-runtime.ts";
import { type LiveGateway, liveGateway, valueAt } from "./live-gateway.ts";

const ndjson = { accept: "application/x-ndjson" };
const goZeroTime = "-6795364578871345152";

/** The items of a list, in either form. */
async function itemsOf(
  { ask }: LiveGateway,
  path: string,
  form: "JSON" | "lines",
): Promise<readonly unknown[]> {
  const answer = await ask(`GET ${path}`, undefined, form === "lines" ? ndjson : {});
  assert.equal(answer.status, 200, answer.text);
  if (form === "lines")
    return answer.text
      .split("\n")
      .filter(Boolean)
      .map((line) => JSON.parse(line) as unknown);
  const [items] = Object.values(JSON.parse(answer.text) as { readonly [name: string]: readonly unknown[] });
  return items ?? [];
}

/** Readings of one container or pod, a second and half a second of CPU time apart; the rates are the runtime's. */
function readings(fake: FakeRuntime, rpc: RpcName, said: readonly (string | undefined)[]): void {
  let second = 0;
  fake.on(rpc, () => {
    const value = said[second];
    second++;
    const cpu = {
      timestamp: String(1_700_000_000_000_000_000n + BigInt(second) * 1_000_000_000n),
      usageCoreNanoSeconds: { value: String(second * 500_000_000) },
      ...(value === undefined ? {} : { usageNanoCores: { value } }),
    };
    const attributes = { id: "a".repeat(64), metadata: { name: "a" } };
    const ofPod = { attributes, linux: { cpu } };
    const ofContainer = { attributes, cpu };
    switch (rpc) {
      case "RuntimeService/ListContainerStats":
        return { stats: [ofContainer] };
      case "RuntimeService/StreamContainerStats":
        return [{ containerStats: [ofContainer] }];
      case "RuntimeService/ListPodSandboxStats":
        return { stats: [ofPod] };
      default:
        return [{ podSandboxStats: [ofPod] }];
    }
  });
}

const lists = [
  { path: "/v1/stats/containers", list: "ListContainerStats", stream: "StreamContainerStats", cpu: "cpu" },
  { path: "/v1/stats/pods", list: "ListPodSandboxStats", stream: "StreamPodSandboxStats", cpu: "linux.cpu" },
] as const;

for (const { path, list, stream, cpu } of lists) {
  for (const form of ["JSON", "lines"] as const) {
    const rpc: RpcName = `RuntimeService/${form === "lines" ? stream : list}`;
    test(`GET ${path} as ${form} has usageNanoCores from the second reading on, and none before`, async (t) => {
      for (const first of ["0", undefined]) {
        const gateway = await liveGateway(t, "cri-o");
        readings(gateway.fake, rpc, [first, "0", undefined, "7"]);
        const rates: unknown[] = [];
        for (let reading = 0; reading < 4; reading++) {
          const [item] = await itemsOf(gateway, path, form);
          rates.push(valueAt(item, `${cpu}.usageNanoCores`));
        }
        const computed = { value: "500000000" };
        assert.deepEqual(rates, [undefined, computed, computed, { value: "7" }]);
      }
    });
  }
}

test("a first reading has no usageNanoCores on any runtime, and a second one has", async (t) => {
  for (const manner of mannerNames) {
    const gateway = await liveGateway(t, manner);
    const { fake } = gateway;
    const pod = fake.addPod({ config: { linux: { cgroupParent: "/crest" } } });
    fake.addContainer({ pod, state: "running" });
    for (const form of ["JSON", "lines"] as const) {
      const [item] = await itemsOf(gateway, "/v1/stats/containers", form);
      if (form === "JSON") assert.equal(valueAt(item, "cpu.usageNanoCores"), undefined, manner);
      assert.ok(valueAt(item, "cpu.usageCoreNanoSeconds"), `${manner} ${form}`);
    }
  }
});

test("a time that was never set is 0 in a list, in lines and in a status", async (t) => {
  const gateway = await liveGateway(t, "cri-dockerd");
  const { fake } = gateway;
  const pod = fake.addPod();
  const container = fake.addContainer({ pod, state: "created" });
  const timeless = [
    ["RuntimeService/ListPodSandbox", "items"],
    ["RuntimeService/ListContainers", "containers"],
  ] as const;
  for (const [rpc, items] of timeless) {
    fake.on(rpc, async (_request, call) => {
      const reply = (await call.next()) as { readonly [name: string]: readonly object[] };
      return { [items]: (reply[items] ?? []).map((item) => ({ ...item, createdAt: goZeroTime })) };
    });
  }
  for (const path of ["/v1/pods", "/v1/containers"]) {
    for (const form of ["JSON", "lines"] as const) {
      const [item] = await itemsOf(gateway, path, form);
      assert.equal(valueAt(item, "createdAt"), "0", `${path} ${form}`);
    }
  }
  fake.on("RuntimeService/PodSandboxStatus", async (_request, call) => {
    const reply = (await call.next()) as { readonly status?: object };
    return { ...reply, status: { ...reply.status, createdAt: goZeroTime } };
  });
  const shown = await gateway.ask(`GET /v1/pods/${pod.id}`);
  assert.equal(shown.at("status.createdAt"), "0");
  const created = await gateway.ask(`GET /v1/containers/${container.id}`);
  assert.equal(created.at("status.startedAt"), "0");
  assert.equal(created.at("status.finishedAt"), "0");
});

/** What GET /v1/runtime/capabilities says of each runtime, and what it does to find out. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { mannerNames, type RpcName, rpcNames } from "../support/fake-runtime.ts";
import { type Answer, liveGateway } from "./live-gateway.ts";

const target = "GET /v1/runtime/capabilities";

interface Row {
  readonly rpc: RpcName;
  readonly support: "answered" | "unimplemented" | "unknown";
}

const rowsOf = (answer: Answer): ReadonlyMap<RpcName, Row["support"]> =>
  new Map((answer.at("rpcs") as Row[]).map(({ rpc, support }) => [rpc, support]));

/** RPCs that read, by their names in CRI; events are taken from other readers. */
const reads = /\/(Version|Status|RuntimeConfig|List\w+|Stream\w+|\w+Status|\w+Stats|ImageFsInfo)$/;

for (const manner of mannerNames) {
  test(`${manner}: capabilities are found by reads alone`, async (t) => {
    const gateway = await liveGateway(t, manner);
    const answer = await gateway.ask(target);
    assert.equal(answer.status, 200);
    const sent = [...new Set(gateway.fake.calls.map(({ rpc }) => rpc))];
    assert.deepEqual(
      sent.filter((rpc) => !reads.test(rpc)),
      [],
    );
    const rows = rowsOf(answer);
    assert.deepEqual([...rows.keys()].sort(), [...rpcNames].sort());
    assert.equal(rows.get("RuntimeService/RunPodSandbox"), "answered");
    for (const [rpc, support] of rows) {
      // Where it is there, it answers when something happens.
      if (support === "answered" && rpc === "RuntimeService/GetContainerEvents") continue;
      // A request with nothing in it does nothing here; where an RPC is missing, the fake says so to anything.
      const isMissing = await gateway.fake.perform(rpc, {}).then(
        () => false,
        (fault: { readonly code?: number }) => fault.code === 12,
      );
      if (support === "answered") assert.ok(!isMissing, `${rpc} is said to be there`);
      if (support === "unimplemented" && isMissing === false) assert.match(rpc, /ReopenContainerLog$/);
      if (isMissing) assert.equal(support, "unimplemented", rpc);
    }
  });
}

test("an RPC that the runtime says it cannot do is unimplemented from then on", async (t) => {
  for (const [manner, path, body, rpc] of [
    ["cri-dockerd", "logs/reopen", undefined, "RuntimeService/ReopenContainerLog"],
    ["cri-o", "checkpoint", { location: "/var/lib/x.tar" }, "RuntimeService/CheckpointContainer"],
    ["containerd-2.1", "checkpoint", { location: "/var/lib/x.tar" }, "RuntimeService/CheckpointContainer"],
  ] as const) {
    const gateway = await liveGateway(t, manner);
    const { id } = gateway.fake.addContainer({ state: "running" });
    const refused = await gateway.ask(`POST /v1/containers/${id}/${path}`, body);
    assert.equal(refused.status, 501, refused.text);
    assert.equal(rowsOf(await gateway.ask(target)).get(rpc), "unimplemented", manner);
  }
});

test("no quirk claims what no route does", async (t) => {
  const gateway = await liveGateway(t, "cri-dockerd");
  const { text } = await gateway.ask(target);
  assert.doesNotMatch(text, /compares lists/);
});

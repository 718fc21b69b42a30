import assert from "node:assert/strict";
import { test } from "node:test";
import type { Runtime } from "../../../src/cri/channel.ts";
import { compose, type Interceptor, only } from "../../../src/runtimes/compose.ts";

const list = "RuntimeService/ListPodSandbox";
const stop = "RuntimeService/StopContainer";
const empty = Buffer.alloc(0);

function recorder(passed: string[]) {
  const bottom = {
    async call(rpc: string) {
      passed.push(`bottom ${rpc}`);
      return empty;
    },
    async *stream(rpc: string) {
      passed.push(`bottom ${rpc}`);
      yield empty;
    },
  } as unknown as Runtime;
  const layer =
    (name: string): Interceptor =>
    (below) => ({
      ...below,
      call(rpc, request, options) {
        passed.push(name);
        return below.call(rpc, request, options);
      },
      stream(rpc, request, options) {
        passed.push(name);
        return below.stream(rpc, request, options);
      },
    });
  return { bottom, layer };
}

async function passedBy(runtime: Runtime, passed: string[], rpc: typeof list | typeof stop) {
  passed.length = 0;
  await runtime.call(rpc, empty);
  const called = [...passed];
  passed.length = 0;
  for await (const _ of runtime.stream(rpc, empty));
  assert.deepEqual(passed, called, "streams pass the same layers as calls");
  return called;
}

test("only() lets the chosen RPCs through an interceptor, and all others past it", async () => {
  const passed: string[] = [];
  const { bottom, layer } = recorder(passed);
  const runtime = compose(
    bottom,
    layer("inner"),
    only(({ stopsOne }) => stopsOne === true, layer("stops")),
    only((_rule, rpc) => rpc === list, layer("lists")),
  );
  assert.deepEqual(await passedBy(runtime, passed, stop), ["stops", "inner", `bottom ${stop}`]);
  assert.deepEqual(await passedBy(runtime, passed, list), ["lists", "inner", `bottom ${list}`]);
});

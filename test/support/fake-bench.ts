import type { TestContext } from "node:test";
import { type CriClient, createCriClient } from "./cri-client.ts";
import {
  createFakeRuntime,
  type FakeRuntime,
  type FakeRuntimeOptions,
  type MannerName,
} from "./fake-runtime.ts";

/** Starts a fake runtime with a plain client. Both close when the test ends. */
export async function fakeBench(
  t: Pick<TestContext, "after">,
  manner: MannerName = "containerd-2.1",
  options: Omit<FakeRuntimeOptions, "manner"> = {},
): Promise<{ runtime: FakeRuntime; client: CriClient }> {
  const runtime = await createFakeRuntime({ ...options, manner });
  const client = createCriClient(runtime.socket);
  t.after(async () => {
    client.close();
    await runtime.close();
  });
  return { runtime, client };
}

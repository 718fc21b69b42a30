/** A program with a runtime of its own: `createGateway()` with the embedded containerd. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { Worker } from "node:worker_threads";
import { createGateway } from "../../src/index.ts";
import { bodyOf, createApi } from "./support/api.ts";
import { newFolder, removeFolder } from "./support/gateway.ts";
import { reasonToSkip } from "./support/machine.ts";
import { exec, runContainer, runPod } from "./support/pods.ts";
import { marksOf, tracesOf } from "./support/traces.ts";

const skip = await reasonToSkip();
const token = "a-token-for-programs";

test("createGateway() with the embedded runtime runs pods, and close() leaves nothing of them", {
  skip,
}, async (t) => {
  const dataDir = newFolder();
  t.after(() => removeFolder(dataDir));
  const said: string[] = [];
  const log = (message: string): void => void said.push(message);
  const gateway = createGateway({
    runtime: "embedded",
    dataDir,
    listen: "127.0.0.1:0",
    token,
    grants: { all: true },
    logger: { info: log, warn: log, error: log },
  });
  t.after(() => gateway.close());
  const api = createApi(await gateway.listen(), token);
  t.after(() => api.close());
  const pod = await runPod(api);
  const container = await runContainer(api, pod);
  assert.equal((await exec(api, container, "echo out")).stdout, "out\n");
  const marks = marksOf(dataDir, [pod.id, container.id]);
  assert.ok(said.some((text) => text.startsWith(`Crest serves ${gateway.address} in front of containerd `)));
  await gateway.close();
  assert.deepEqual(tracesOf(marks), []);
});

test("the embedded runtime runs in a worker thread, which ends by itself after close()", {
  skip,
}, async (t) => {
  const dataDir = newFolder();
  t.after(() => removeFolder(dataDir));
  const index = new URL(`../../src/index${import.meta.url.slice(-3)}`, import.meta.url).href;
  const worker = new Worker(
    `import { once } from "node:events";
    import { parentPort, workerData } from "node:worker_threads";
    const { createGateway } = await import(workerData.index);
    const gateway = createGateway(workerData.options);
    parentPort.postMessage(await gateway.listen());
    await once(parentPort, "message");
    await gateway.close();
    parentPort.unref();`,
    {
      eval: true,
      workerData: {
        index,
        options: { runtime: "embedded", dataDir, listen: "127.0.0.1:0", token, grants: { all: true } },
      },
    },
  );
  const [address] = (await once(worker, "message")) as [string];
  const api = createApi(address, token);
  bodyOf(await api.get("/v1/pods"));
  api.close();
  worker.postMessage("close");
  const [code] = await once(worker, "exit");
  assert.equal(code, 0);
});

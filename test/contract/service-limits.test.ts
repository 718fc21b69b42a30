/** The limits of the systemd service leave room for as many sessions as a gateway takes by default. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { WebSocket } from "ws";
import { eventually, untilStill } from "../support/eventually.ts";
import { createFakeRuntime } from "../support/fake-runtime.ts";
import { repositoryRoot } from "../support/repository.ts";
import { spawnCrest } from "../support/spawn-crest.ts";
import { createSpdyServer } from "../support/spdy-server.ts";
import { tempDir } from "../support/temp-dir.ts";

const skip = process.platform === "linux" ? false : "needs /proc";
const gibibyte = 1024 ** 3;
const service = readFileSync(join(repositoryRoot(), "deploy", "systemd", "crest.service"), "utf8");
const settingOf = (name: string): string => new RegExp(`^${name}=(.+)$`, "m").exec(service)?.[1] ?? "";

/** Of the default of --max-sessions. */
const [opened, most] = [100, 1000];

test(`${opened} sessions whose clients do not read take less than a tenth of the service's MemoryMax`, {
  skip,
}, async (t) => {
  let written = 0;
  const streams = await createSpdyServer();
  streams.behaviour = async (session) => {
    const stream = await session.stream("stdout");
    await session.stream("error");
    const chunk = Buffer.alloc(32_768, "x");
    while (!session.isClosed) {
      await stream.write(chunk);
      written += chunk.length;
    }
  };
  const fake = await createFakeRuntime({
    manner: "containerd-2.1",
    streamUrl: (one) => streams.streamUrl(one),
  });
  const { id } = fake.addContainer({ state: "running", pod: fake.addPod() });
  const dataDir = await tempDir(t);
  const crest = spawnCrest(
    [
      "serve",
      "--allow-all",
      `--data-dir=${dataDir}`,
      "--listen=127.0.0.1:0",
      `--runtime-endpoint=${fake.socket}`,
    ],
    { ready: /^Crest is ready at http(\S+)$/m },
  );
  const clients: WebSocket[] = [];
  t.after(async () => {
    for (const client of clients) client.terminate();
    await crest.stop();
    await streams.close();
    await fake.close();
  });
  const address = await crest.ready;
  const authorization = `Bearer ${readFileSync(join(dataDir, "token"), "utf8").trim()}`;
  const status = (name: string): number => {
    const text = readFileSync(`/proc/${crest.pid}/status`, "utf8");
    return Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(text)?.[1]);
  };
  const before = status("VmRSS") * 1024;
  let open = 0;
  for (let index = 0; index < opened; index++) {
    const url = `ws${address}/v1/containers/${id}/exec?command=yes&stdout=true`;
    const client = new WebSocket(url, ["v5.channel.k8s.io"], { headers: { authorization } });
    client.once("open", () => {
      client.pause();
      open += 1;
    });
    clients.push(client);
  }
  await eventually(() => open === opened, { timeoutMs: 30_000 });
  await untilStill(() => written);
  const after = status("VmRSS") * 1024;
  const all = before + ((after - before) / opened) * most;
  t.diagnostic(`${(all / gibibyte).toFixed(2)} GiB for ${most} sessions, ${status("Threads")} threads`);
  assert.match(settingOf("MemoryMax"), /^\d+G$/);
  const limit = Number.parseInt(settingOf("MemoryMax"), 10) * gibibyte;
  assert.ok(all < limit, `${all} bytes of ${limit}`);
  assert.ok(status("Threads") * 2 < Number(settingOf("TasksMax")), `${status("Threads")} threads`);
});

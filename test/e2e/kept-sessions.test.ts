/** Kept sessions in real containers: connections are cut, and the commands go on where they were. */
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { type TestContext, test } from "node:test";
import { WebSocket } from "ws";
import { type Client, type CommandSession, createClient } from "../../src/client/index.ts";
import { cuttingProxy } from "../support/cutting-proxy.ts";
import { eventually } from "../support/eventually.ts";
import { runtimeMajor } from "./clients/session.ts";
import { reasonToSkip } from "./support/machine.ts";
import { type Resource, runContainer, runPod, shell } from "./support/pods.ts";
import { useGateway } from "./support/suite.ts";

const skip = await reasonToSkip();
let pod: Resource;
let container: Resource;
const crest = useGateway(skip, {
  async prepare(gateway) {
    pod = await runPod(gateway);
    container = await runContainer(gateway, pod, shell("sleep 3600"));
  },
});

async function connected(t: TestContext) {
  const { address, token } = crest();
  const proxy = await cuttingProxy(t, Number(new URL(address).port));
  const client = createClient({ server: proxy.address, token, WebSocket });
  return { proxy, client, containerId: container.path.split("/").at(-1) ?? "" };
}

/** All output so far, as text. */
function gather({ stdout }: CommandSession): () => string {
  let text = "";
  void (async () => {
    for await (const chunk of stdout) text += Buffer.from(chunk).toString();
  })().catch(() => undefined);
  return () => text;
}

const patient = { timeoutMs: 30_000, intervalMs: 20 };

async function output(client: Client, containerId: string, script: string): Promise<string> {
  const session = await client.exec({ containerId, command: ["sh", "-c", script] });
  const text = gather(session);
  await session.exitCode;
  return text();
}

test("a shell in a terminal goes on after its connection was cut", { skip }, async (t) => {
  const { proxy, client, containerId } = await connected(t);
  const session = await client.exec({
    ...{ containerId, command: ["sh"], stdin: true, tty: true },
    session: "keep",
  });
  const text = gather(session);
  session.resize({ width: 91, height: 27 });
  await session.stdin.write("X=kept; echo began-$X\n");
  await eventually(() => text().includes("began-kept"), patient);
  proxy.cut();
  await session.stdin.write('stty size; echo "<$X>"; exit 5\n');
  assert.equal(await session.exitCode, 5);
  assert.match(text(), /27 91\r\n<kept>/);
});

test("a pipe loses nothing and repeats nothing, however often it is cut", { skip }, async (t) => {
  const { proxy, client, containerId } = await connected(t);
  const session = await client.exec({ containerId, command: ["cat"], stdin: true, session: "keep" });
  const sent = randomBytes(4 * 1024 * 1024);
  const hash = createHash("sha256");
  let got = 0;
  let cuts = 0;
  const reading = (async () => {
    for await (const chunk of session.stdout) {
      hash.update(chunk);
      got += chunk.length;
      if (got > (cuts + 1) * 1024 * 1024) {
        cuts++;
        proxy.cut();
      }
    }
  })();
  for (let at = 0; at < sent.length; at += 65_536) await session.stdin.write(sent.subarray(at, at + 65_536));
  await session.stdin.end();
  await reading;
  assert.equal(await session.exitCode, 0);
  assert.ok(cuts >= 2, String(cuts));
  assert.equal(hash.digest("hex"), createHash("sha256").update(sent).digest("hex"));
});

test("a session that is ended without a client leaves no process", { skip }, async (t) => {
  const { client, containerId } = await connected(t);
  const session = await client.exec({
    containerId,
    command: ["sleep", "4321"],
    stdin: true,
    session: "keep",
  });
  const id = session.kept?.id ?? assert.fail("it is not kept");
  const entry = async () => (await client.listSessions()).sessions.find((one) => one.id === id);
  const running = "ps -o args | grep -c '[s]leep 4321'";
  session.kept?.detach();
  await eventually(async () => (await entry())?.connected === false, patient);
  assert.equal((await output(client, containerId, running)).trim(), "1");
  await client.endSession({ sessionId: id });
  await eventually(async () => (await entry()) === undefined, patient);
  // Older versions never kill the process of a session.
  if ((await runtimeMajor(crest())) < 2) return;
  await eventually(async () => (await output(client, containerId, running)).trim() === "0", patient);
});

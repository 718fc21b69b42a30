/** The examples of the published document, run as one story on the real containerd: a stale one fails. */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { eventually } from "../support/eventually.ts";
import { createStory, examples, onContainerd, type Story } from "../support/examples.ts";
import { type Registry, startRegistry } from "../support/registry.ts";
import { openSession, runtimeMajor, type Session } from "./clients/session.ts";
import { bodyOf } from "./support/api.ts";
import type { Gateway } from "./support/gateway.ts";
import { push, smallImage } from "./support/images.ts";
import { reasonToSkip } from "./support/machine.ts";
import type { ExecAnswer } from "./support/pods.ts";
import { useGateway } from "./support/suite.ts";

const skip = await reasonToSkip({ registry: true });

let registry: Registry;
const crest = useGateway(skip, {
  async prepare() {
    registry = await startRegistry();
    await push(registry, smallImage("nginx"), { name: "library/nginx", tags: ["1.27"] });
  },
});
after(() => registry?.close());

/** What a session does once it stands. */
const sessions: { readonly [id: string]: (session: Session) => Promise<unknown> } = {
  async execContainer(session) {
    assert.equal((await session.status()).status, "Success");
    assert.match(session.text(1), / tmp\n/);
  },
  attachContainer: leave,
  resumeSession: leave,
  async forwardPorts(session) {
    await session.send(0, "GET / HTTP/1.0\r\n\r\n");
    await session.until(/HTTP\/1\.\d 404 /, { on: 0 });
    await session.close();
  },
};

/** Not with 1000, which would end the session. Waits until the gateway knows. */
async function leave(session: Session): Promise<void> {
  await session.close(4000);
  type Kept = { readonly sessions: readonly { readonly connected: boolean }[] };
  await eventually(async () =>
    bodyOf(await crest().get<Kept>("/v1/sessions")).sessions.every((one) => !one.connected),
  );
}

test("each operation that containerd has answers its example as the document says", { skip }, async (t) => {
  const gateway = crest();
  const isNewer = (await runtimeMajor(gateway)) > 1 || /^v?1\.[7-9]/.test(await runtimeVersion());
  const places = {
    "docker.io/library/nginx": `${registry.address}/library/nginx`,
    "/var/lib/crest": gateway.dataDir,
  };
  const reading = new AbortController();
  t.after(() => reading.abort());
  await readEvents(gateway, reading.signal);
  const story = createStory({ places, by: isNewer ? "shape" : "exact" });
  for (const id of onContainerd) {
    await t.test(id, async () => {
      const run = sessions[id];
      await (run === undefined ? ask(story, id) : open(story, id, run));
    });
  }
});

/** Reads events until the signal aborts, so that they are kept. */
async function readEvents({ address, token }: Gateway, signal: AbortSignal): Promise<void> {
  const headers = { authorization: `Bearer ${token}`, accept: "application/x-ndjson" };
  const { body } = await fetch(`${address}/v1/events?watch=true`, { headers, signal });
  void body?.pipeTo(new WritableStream()).catch(() => undefined);
}

async function runtimeVersion(): Promise<string> {
  return (await crest().get<{ readonly runtimeVersion: string }>("/v1/version")).body.runtimeVersion;
}

async function ask(story: Story, id: string): Promise<void> {
  const { method, target, body } = story.request(id);
  // Without it, logs are text.
  const headers = { accept: "application/json" };
  const answer = await crest().send(method, target, { body, headers });
  const wanted = ratesIn(JSON.stringify(examples.get(id)?.answer ?? {}));
  if (ratesIn(answer.text) >= wanted) return story.hold(id, answer);
  // A rate takes two readings.
  const later = await eventually(async () => {
    const again = await crest().send(method, target, { body });
    return ratesIn(again.text) >= wanted && again;
  });
  story.hold(id, later);
}

const ratesIn = (text: string): number => text.split('"usageNanoCores"').length;

/** Whether the example's container has come so far as to listen. */
async function isServing(story: Story): Promise<boolean> {
  const body = { cmd: ["sh", "-c", "netstat -ltn | grep -q :8080"], timeout: "10" };
  const answer = await crest().post<ExecAnswer>(story.request("execSync").target, body);
  return bodyOf(answer).exitCode === 0;
}

async function open(story: Story, id: string, run: (session: Session) => Promise<unknown>): Promise<void> {
  if (id === "forwardPorts") await eventually(() => isServing(story), { timeoutMs: 20_000, intervalMs: 30 });
  const { target } = story.request(id);
  const { subprotocol = "" } = examples.get(id) ?? {};
  const session = await openSession(crest(), target, { subprotocols: [subprotocol] });
  assert.equal(session.socket.protocol, subprotocol);
  await run(session);
}

/** Lists as lines before a runtime that has stopped: how long its silence may last, and who learns of it. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { type IncomingMessage, request } from "node:http";
import { createServer } from "node:net";
import { type TestContext, test } from "node:test";
import { encodeReply } from "../../src/cri/codec.ts";
import type { ListRoute } from "../../src/routes/define.ts";
import { eventually } from "../support/eventually.ts";
import { type Answerer, hanging } from "../support/fake-runtime.ts";
import { type LiveGateway, liveGateway, token } from "./live-gateway.ts";
import { listRoutes } from "./table-cases.ts";

const lines = { accept: "application/x-ndjson" };
const streamContainers = "RuntimeService/StreamContainers";

/** Asks for the containers as lines; settles with the head of the answer, of which nothing is read. */
async function askForLines(t: TestContext, { port }: LiveGateway): Promise<IncomingMessage> {
  const asked = request({
    ...{ host: "127.0.0.1", port, path: "/v1/containers" },
    headers: { ...lines, authorization: `Bearer ${token}` },
  });
  asked.end();
  const [response] = (await once(asked, "response")) as [IncomingMessage];
  response.on("error", () => undefined);
  t.after(() => response.destroy());
  return response;
}

/** How an answer ended, and what had come of it. */
async function ending(response: IncomingMessage): Promise<{ text: string; complete: boolean }> {
  let text = "";
  response.setEncoding("utf8").on("data", (part) => {
    text += part;
  });
  await new Promise((resolve) => response.once("close", resolve));
  return { text, complete: response.complete };
}

test("lines are 504 when the runtime never answers, from the stream and from the list", async (t) => {
  for (const manner of ["cri-o", "containerd-2.1"] as const) {
    const gateway = await liveGateway(t, manner, { listSilenceMs: 200, deadlineMs: 200 });
    for (const { http, rpc, stream } of listRoutes as readonly ListRoute[]) {
      gateway.fake.on(rpc as "RuntimeService/ListContainers", hanging());
      if (manner === "cri-o" && stream) gateway.fake.on(stream as typeof streamContainers, hanging());
      const answer = await gateway.ask(http, undefined, lines);
      // What this runtime does not have at all.
      if (answer.status === 501) continue;
      assert.deepEqual([answer.status, answer.at("code")], [504, "deadline_exceeded"], `${manner} ${http}`);
    }
    const called = gateway.fake.calls.filter(({ rpc }) => /\/(List|Stream)/.test(rpc));
    await eventually(() => called.every(({ cancelled, code }) => cancelled || code !== undefined));
  }
});

test("lines are 504 when the runtime takes connections and says nothing, as when it is stopped", async (t) => {
  const gateway = await liveGateway(t, "cri-o", { listSilenceMs: 200 });
  await gateway.fake.stop();
  const stopped = createServer((socket) => {
    socket.on("error", () => undefined);
    t.after(() => socket.destroy());
  });
  stopped.listen(gateway.fake.socket);
  t.after(() => stopped.close());
  const answer = await gateway.ask("GET /v1/containers", undefined, lines);
  assert.deepEqual([answer.status, answer.at("code")], [504, "deadline_exceeded"]);
});

/** The first message of a stream, and then silence. */
const silentAfterFirst: Answerer = async function* (_request, call) {
  yield await call.next();
  await new Promise((resolve) => call.signal.addEventListener("abort", resolve));
};

test("lines are cut off when the runtime falls silent, so that a client sees it, and it is logged", async (t) => {
  const gateway = await liveGateway(t, "cri-o", { listSilenceMs: 200 });
  const { id } = gateway.fake.addContainer();
  gateway.fake.on(streamContainers, silentAfterFirst);
  const response = await askForLines(t, gateway);
  assert.equal(response.statusCode, 200);
  const { text, complete } = await ending(response);
  assert.match(text, new RegExp(`^\\{"id":"${id}".*\\}\\n$`));
  assert.equal(complete, false, "the answer has no end");
  const [call] = gateway.fake.callsOf(streamContainers);
  await eventually(() => call?.cancelled);
  assert.deepEqual(
    gateway.logged.map(({ level, path, requestId }) => [level, path, requestId]),
    [["warn", "/v1/containers", response.headers["x-request-id"]]],
  );
  assert.match(
    gateway.logged[0]?.message ?? "",
    /StreamContainers failed: the runtime sent nothing for 200 ms/,
  );
});

test("silence before the first line is 504 also when a message without items came first", async (t) => {
  const gateway = await liveGateway(t, "cri-o", { listSilenceMs: 200 });
  gateway.fake.on(streamContainers, silentAfterFirst);
  const answer = await gateway.ask("GET /v1/containers", undefined, lines);
  assert.deepEqual([answer.status, answer.at("code")], [504, "deadline_exceeded"]);
  assert.equal(gateway.logged.length, 1, "it is logged once");
});

test("lines of a runtime that goes away are cut off, too, and logged", async (t) => {
  const gateway = await liveGateway(t, "cri-o");
  gateway.fake.addContainer();
  gateway.fake.on(streamContainers, silentAfterFirst);
  const response = await askForLines(t, gateway);
  await gateway.fake.stop();
  const { text, complete } = await ending(response);
  assert.match(text, /^\{.*\}\n$/);
  assert.equal(complete, false, "the answer has no end");
  assert.equal(gateway.logged.length, 1);
});

test("a client may take as long as it likes to read lines", async (t) => {
  const gateway = await liveGateway(t, "cri-o", { listSilenceMs: 200 });
  gateway.fake.addContainer({ annotations: { notes: "n".repeat(256 * 1024) } });
  const reply = await gateway.fake.perform("RuntimeService/ListContainers");
  const message = encodeReply("RuntimeService/ListContainers", reply as never);
  // More than all buffers on the way hold.
  gateway.fake.on(streamContainers, () => Array<Buffer>(120).fill(message));
  const response = await askForLines(t, gateway);
  // Other lists wait in vain meanwhile: more time passes than the runtime may be silent.
  gateway.fake.on("RuntimeService/StreamPodSandboxes", hanging());
  for (let left = 3; left > 0; left--) {
    assert.equal((await gateway.ask("GET /v1/pods", undefined, lines)).status, 504);
  }
  const { text, complete } = await ending(response);
  assert.equal(complete, true);
  assert.equal(text.trimEnd().split("\n").length, 120);
});

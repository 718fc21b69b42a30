/** Routes that answer a sequence of items: their forms, their pace, and how they end. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { get, type IncomingMessage } from "node:http";
import { test } from "node:test";
import { WebSocket } from "ws";
import { eventually } from "../support/eventually.ts";
import { type LiveGateway, liveGateway, token } from "./live-gateway.ts";

const authorization = `Bearer ${token}`;
const stop = (gateway: LiveGateway, id: string) => gateway.ask(`POST /v1/containers/${id}/stop?timeout=0`);

interface Followed {
  readonly response: IncomingMessage;
  /** What has come. */
  text(): string;
  readonly ended: Promise<void>;
}

/** Opens a stream, and returns once its headers have come. */
async function follow({ port }: LiveGateway, path: string, accept: string): Promise<Followed> {
  const headers = { authorization, accept };
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    get({ port, host: "127.0.0.1", path, headers, agent: false }, resolve).on("error", reject);
  });
  let text = "";
  response.setEncoding("utf8").on("data", (part: string) => {
    text += part;
  });
  response.on("error", () => undefined);
  return { response, text: () => text, ended: new Promise((resolve) => response.once("close", resolve)) };
}

const sessionsOf = async (gateway: LiveGateway): Promise<string | undefined> =>
  /^sessions (\d+)$/m.exec((await gateway.ask("GET /readyz?verbose")).text)?.[1];

const exited = { exited: true, state: "CONTAINER_EXITED", exitCode: 137, reason: "Error", message: "" };

test("NDJSON tells each change of the state in a line of its own, until the exit", async (t) => {
  const gateway = await liveGateway(t);
  const { id } = gateway.fake.addContainer({ state: "created" });
  const { response, text, ended } = await follow(
    gateway,
    `/v1/containers/${id}/wait`,
    "application/x-ndjson",
  );
  assert.equal(response.headers["content-type"], "application/x-ndjson");
  assert.equal(response.headers["x-accel-buffering"], "no");
  await eventually(() => text() === '{"exited":false,"state":"CONTAINER_CREATED"}\n');
  assert.equal(await sessionsOf(gateway), "1");
  await gateway.ask(`POST /v1/containers/${id}/start`);
  await eventually(() => text().endsWith('{"exited":false,"state":"CONTAINER_RUNNING"}\n'));
  await stop(gateway, id);
  await ended;
  const { finishedAt, ...last } = JSON.parse(text().trimEnd().split("\n").at(-1) ?? "");
  assert.match(finishedAt, /^\d+$/);
  assert.deepEqual({ ...last, reason: "Error" }, exited);
  await eventually(async () => (await sessionsOf(gateway)) === "0");
});

test("server-sent events and text have the same items", async (t) => {
  const gateway = await liveGateway(t);
  const { id } = gateway.fake.addContainer({ state: "exited" });
  const path = `/v1/containers/${id}/wait`;
  const json = await gateway.ask(`GET ${path}`);
  const sse = await follow(gateway, path, "text/event-stream");
  const plain = await follow(gateway, path, "text/plain");
  await Promise.all([sse.ended, plain.ended]);
  assert.equal(sse.response.headers["content-type"], "text/event-stream");
  assert.equal(sse.text(), `data: ${json.text}\n`);
  assert.equal(plain.text(), `CONTAINER_EXITED ${json.at("exitCode")}\n`);
});

test("a WebSocket gets the items as messages, and is closed behind the last one", async (t) => {
  const gateway = await liveGateway(t);
  const { id } = gateway.fake.addContainer({ state: "running" });
  const socket = new WebSocket(`ws://127.0.0.1:${gateway.port}/v1/containers/${id}/wait`, {
    headers: { authorization },
  });
  const messages: { readonly state: string }[] = [];
  socket.on("message", (data) => messages.push(JSON.parse(String(data))));
  const closed = new Promise<number>((resolve) => socket.once("close", resolve));
  await eventually(() => messages.length === 1);
  await stop(gateway, id);
  assert.equal(await closed, 1000);
  assert.deepEqual(
    messages.map(({ state }) => state),
    ["CONTAINER_RUNNING", "CONTAINER_EXITED"],
  );
  await eventually(async () => (await sessionsOf(gateway)) === "0");
});

test("a browser offers the token and the subprotocol, and is told which one is spoken", async (t) => {
  const gateway = await liveGateway(t);
  const { id } = gateway.fake.addContainer({ state: "exited" });
  const bearer = `base64url.bearer.authorization.k8s.io.${Buffer.from(token).toString("base64url")}`;
  const open = (...protocols: string[]): WebSocket =>
    new WebSocket(`ws://127.0.0.1:${gateway.port}/v1/containers/${id}/wait`, protocols);
  const socket = open(bearer, "v1.items.crest");
  const [data] = await once(socket, "message");
  assert.equal(JSON.parse(String(data)).state, "CONTAINER_EXITED");
  assert.equal(socket.protocol, "v1.items.crest");
  for (const offered of [[bearer], [bearer, "v5.channel.k8s.io"]]) {
    const refused = open(...offered).on("error", () => undefined);
    const [, response] = await once(refused, "unexpected-response");
    assert.equal(response.statusCode, 400);
    let body = "";
    for await (const part of response.setEncoding("utf8")) body += part;
    assert.match(JSON.parse(body).detail, /this WebSocket supports v1\.items\.crest$/);
    refused.terminate();
  }
});

test("what is known before the first item is a problem, whatever form was asked for", async (t) => {
  const gateway = await liveGateway(t);
  const path = `/v1/containers/${"f".repeat(64)}/wait`;
  for (const accept of ["application/json", "application/x-ndjson", "text/event-stream", "text/plain"]) {
    const { status, headers } = await gateway.ask(`GET ${path}`, undefined, { accept });
    assert.deepEqual([status, headers["content-type"]], [404, "application/problem+json"], accept);
  }
  const socket = new WebSocket(`ws://127.0.0.1:${gateway.port}${path}`, { headers: { authorization } });
  const [, refusal] = await new Promise<readonly [unknown, IncomingMessage]>((resolve) =>
    socket.once("unexpected-response", (...args) => resolve(args)),
  );
  assert.equal(refusal.statusCode, 404);
  socket.on("error", () => undefined).terminate();
  const wrong = await gateway.ask(`GET ${path}`, undefined, { accept: "image/png" });
  assert.equal(wrong.at("code"), "not_acceptable");
  assert.equal(await sessionsOf(gateway), "0");
});

test("what goes wrong in the middle is the last item", async (t) => {
  const gateway = await liveGateway(t);
  const { id } = gateway.fake.addContainer({ state: "running" });
  const forms = ["application/x-ndjson", "text/event-stream"] as const;
  const path = `/v1/containers/${id}/wait`;
  const [lines, events] = await Promise.all(forms.map((accept) => follow(gateway, path, accept)));
  assert.ok(lines && events);
  await eventually(() => lines.text() !== "" && events.text() !== "");
  await gateway.ask(`DELETE /v1/containers/${id}`);
  await Promise.all([lines.ended, events.ended]);
  const { error } = JSON.parse(lines.text().trimEnd().split("\n").at(-1) ?? "");
  assert.deepEqual([error.code, error.status], ["not_found", 404]);
  assert.match(events.text(), /\n\nevent: error\ndata: \{.*"code":"not_found".*\}\n\n$/);
});

test("a reader that leaves ends the source, and its place is free again", async (t) => {
  const gateway = await liveGateway(t);
  const { id } = gateway.fake.addContainer({ state: "running" });
  const { response, text } = await follow(
    gateway,
    `/v1/containers/${id}/wait?timeout=3600`,
    "application/x-ndjson",
  );
  await eventually(() => text() !== "");
  response.destroy();
  await eventually(async () => (await sessionsOf(gateway)) === "0");
  const calls = gateway.fake.callsOf("RuntimeService/ContainerStatus").length;
  await gateway.ask("GET /v1/version");
  assert.equal(gateway.fake.callsOf("RuntimeService/ContainerStatus").length, calls);
  assert.deepEqual(gateway.logged, []);
});

test("a gateway that ends tells its readers so, and does not wait for them", async (t) => {
  const gateway = await liveGateway(t);
  const { id } = gateway.fake.addContainer({ state: "running" });
  const path = `/v1/containers/${id}/wait?timeout=3600`;
  const { text, ended } = await follow(gateway, path, "application/x-ndjson");
  const socket = new WebSocket(`ws://127.0.0.1:${gateway.port}${path}`, { headers: { authorization } });
  const closed = new Promise<number>((resolve) => socket.once("close", resolve));
  await new Promise((resolve) => socket.once("message", resolve));
  await gateway.app.close(60_000);
  await ended;
  const { error } = JSON.parse(text().trimEnd().split("\n").at(-1) ?? "");
  assert.equal(error.code, "shutting_down");
  assert.equal(await closed, 1001);
});

test("HEAD opens no stream", async (t) => {
  const gateway = await liveGateway(t);
  const { id } = gateway.fake.addContainer({ state: "running" });
  const accept = "application/x-ndjson";
  const { status, headers } = await gateway.ask(`HEAD /v1/containers/${id}/wait`, undefined, { accept });
  assert.deepEqual([status, headers["content-type"]], [200, accept]);
  assert.equal(gateway.fake.callsOf("RuntimeService/ContainerStatus").length, 0);
});

/** Runtimes that repeat what they were given: no secret of a request is in an answer or in the log. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { status } from "@grpc/grpc-js";
import { GrpcFault } from "../support/fake-runtime.ts";
import { command } from "../support/spdy-behaviours.ts";
import { sessionGateway } from "../support/spdy-gateway.ts";
import { type LiveGateway, liveGateway } from "./live-gateway.ts";

const canary = "canary-7f3a";
/** With characters that each way of writing a text writes differently. */
const odd = `${canary}"\\\t+/é`;

/** All that was answered and logged, causes and stacks too. */
function said(gateway: LiveGateway, text: string): string {
  const logged = gateway.logged.map(({ error, ...entry }) => {
    const all = error instanceof Error ? [error.message, error.stack, String(error.cause)] : [];
    return JSON.stringify(entry) + all.join("\n");
  });
  return [text, ...logged].join("\n");
}

/** The request as a runtime may write it. */
const writings: readonly ((request: object) => string)[] = [
  (request) => JSON.stringify(request),
  (request) => JSON.stringify(request).replace(/\\u00/g, "\\x"),
  (request) => textsIn(request).join(" "),
  (request) =>
    textsIn(request)
      .map((text) => encodeURIComponent(text))
      .join(" "),
  (request) =>
    textsIn(request)
      .map((text) => Buffer.from(text).toString("base64"))
      .join(" "),
  (request) =>
    textsIn(request)
      .map((text) => Buffer.from(text, "base64").toString())
      .join(" "),
];

function textsIn(value: unknown): string[] {
  if (typeof value === "string") return [value];
  return typeof value === "object" && value !== null ? Object.values(value).flatMap(textsIn) : [];
}

for (const { name, rpc, target, body } of [
  {
    name: "credentials of a registry",
    rpc: "ImageService/PullImage",
    target: () => "POST /v1/images/pull",
    body: {
      image: { image: "r.example/app:1" },
      auth: { username: `u-${odd}`, password: odd, identityToken: `i-${odd}`, registryToken: `r-${odd}` },
    },
  },
  {
    name: "credentials in one word",
    rpc: "ImageService/PullImage",
    target: () => "POST /v1/images/pull",
    body: { image: "r.example/app:1", auth: { auth: Buffer.from(`user:${odd}`).toString("base64") } },
  },
  {
    name: "values of environment variables",
    rpc: "RuntimeService/CreateContainer",
    target: (pod: string) => `POST /v1/pods/${pod}/containers`,
    body: { metadata: { name: "app" }, image: "busybox:1.36", envs: [{ key: "PASSWORD", value: odd }] },
  },
  {
    name: "arguments of a command",
    rpc: "RuntimeService/ExecSync",
    target: (_: string, container: string) => `POST /v1/containers/${container}/exec`,
    body: { cmd: ["sh", "-c", `login ${odd}`] },
  },
] as const) {
  test(`no answer and no log has ${name}`, async (t) => {
    // containerd gets no registry token.
    const gateway = await liveGateway(t, rpc === "ImageService/PullImage" ? "cri-o" : "containerd-2.1");
    const { id, podId } = gateway.fake.addContainer({ state: "running" });
    for (const [index, write] of writings.entries()) {
      let written = "";
      gateway.fake.on(rpc, (request) => {
        // Environment variables are bytes to the fake's reader.
        const text = JSON.stringify(request).replaceAll(Buffer.from(odd).toString("base64"), () =>
          JSON.stringify(odd).slice(1, -1),
        );
        written = write(JSON.parse(text) as object);
        throw new GrpcFault(status.UNKNOWN, `cannot do: ${written}`);
      });
      const answer = await gateway.ask(target(podId, id), body);
      assert.equal(answer.status, 502, answer.text);
      assert.ok(!said(gateway, answer.text).includes(canary), `way ${index}: ${said(gateway, answer.text)}`);
      if (written.includes(canary)) assert.match(String(answer.at("detail")), /cannot do: .*redacted/s);
    }
  });
}

test("what a request also says in the open stays readable, and so does the command that is missing", async (t) => {
  const gateway = await liveGateway(t);
  gateway.fake.on("ImageService/PullImage", () => {
    throw new GrpcFault(status.UNKNOWN, "no basic auth credentials for r.example/library/app:1");
  });
  const pull = { image: "r.example/library/app:1", auth: { username: "library", password: "secret-word" } };
  const refused = await gateway.ask("POST /v1/images/pull", pull);
  assert.match(String(refused.at("detail")), /r\.example\/library\/app:1/);
  const { id } = gateway.fake.addContainer({ state: "running" });
  gateway.fake.on("RuntimeService/ExecSync", () => {
    throw new GrpcFault(status.UNKNOWN, 'exec: "no-such": executable file not found in $PATH');
  });
  const missing = await gateway.ask(`POST /v1/containers/${id}/exec`, { cmd: ["no-such", "argument"] });
  assert.equal(missing.at("code"), "command_not_found");
  assert.match(String(missing.at("detail")), /"no-such"/);
});

test("credentials that a runtime could not read, and texts with a NUL, are refused unseen", async (t) => {
  const gateway = await liveGateway(t);
  const { podId } = gateway.fake.addContainer({ state: "running" });
  const image = "r.example/app:1";
  const create = `POST /v1/pods/${podId}/containers`;
  const container = { metadata: { name: "app" }, image };
  for (const [target, body, pointer] of [
    ["POST /v1/images/pull", { image, auth: { auth: Buffer.from(canary).toString("base64") } }, "/auth/auth"],
    ["POST /v1/images/pull", { image, auth: { auth: `${canary}:x` } }, "/auth/auth"],
    [create, { ...container, envs: [{ key: "A", value: `${canary}\0` }] }, "/envs/0/value"],
    [create, { ...container, labels: { "a\0": "b" } }, "/labels/a\0"],
    [create, { ...container, annotations: { a: "b\0" } }, "/annotations/a"],
    [create, { ...container, args: ["a\0b"] }, "/args/0"],
  ] as const) {
    gateway.fake.calls.length = 0;
    const answer = await gateway.ask(target, body);
    assert.equal(answer.status, 400, answer.text);
    assert.equal(answer.at("errors.0.pointer"), pointer);
    assert.ok(!answer.text.includes(canary));
    assert.deepEqual(gateway.fake.callsOf("ImageService/PullImage"), []);
    assert.deepEqual(gateway.fake.callsOf("RuntimeService/CreateContainer"), []);
  }
});

test("a secret that is no text, with half of a surrogate pair, is refused like any other mistake", async (t) => {
  const gateway = await liveGateway(t);
  const auth = { password: `${canary}\ud83d` };
  const answer = await gateway.ask("POST /v1/images/pull", { image: "r.example/app:1", auth });
  assert.deepEqual([answer.status, answer.at("errors.0.pointer")], [400, "/auth/password"], answer.text);
  assert.ok(!said(gateway, answer.text).includes(canary));
});

test("no session and no log has the arguments of its command, also when the status repeats them", async (t) => {
  const gateway = await sessionGateway(t);
  const path = `${gateway.container}/exec?command=sh&command=-c&command=${encodeURIComponent(odd)}`;
  const message = `cannot start: ["sh" "-c" ${JSON.stringify(odd)}]`;
  gateway.streams.behaviour = command({
    stdout: "begun",
    status: JSON.stringify({ metadata: {}, status: "Failure", reason: "InternalError", message }),
  });
  const session = gateway.open(path);
  await session.opened;
  const { reason } = await session.closed;
  const told = session.frames.map(({ payload }) => payload.toString()).join("\n");
  assert.match(told, /cannot start: .*redacted/);
  assert.ok(
    ![told, reason, JSON.stringify(gateway.requests), JSON.stringify(gateway.logged)]
      .join("\n")
      .includes(canary),
  );
});

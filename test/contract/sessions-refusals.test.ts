/** What never becomes a WebSocket: every refusal is an HTTP problem before the 101, and leaves nothing behind. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { test } from "node:test";
import { status } from "@grpc/grpc-js";
import type { Grants } from "../../src/grants.ts";
import { eventually } from "../support/eventually.ts";
import { failing, hanging, type MannerName, mannerNames } from "../support/fake-runtime.ts";
import { freePort } from "../support/free-port.ts";
import { command } from "../support/spdy-behaviours.ts";
import {
  base64,
  type GatewayOptions,
  type HandshakeOptions,
  handshakeBytes,
  type Refused,
  type SessionGateway,
  sessionGateway,
  token,
  v4,
  v5,
} from "../support/spdy-gateway.ts";

const bearer = "base64url.bearer.authorization.k8s.io.";
const encoded = (text: string): string => bearer + Buffer.from(text).toString("base64url");

/** A refusal with its status and code, and nothing left behind it. */
async function refused(
  gateway: SessionGateway,
  path: string,
  expected: readonly [status: number, code: string],
  options: HandshakeOptions = {},
): Promise<Refused> {
  const answer = await gateway.refusal(path, options);
  assert.deepEqual([answer.status, answer.problem.code], expected, `${path}: ${answer.text}`);
  assert.equal(answer.problem.requestId, answer.headers["x-request-id"]);
  assert.equal(gateway.streams.sessions.filter(({ isClosed }) => !isClosed).length, 0);
  await eventually(async () => (await gateway.count()) === 0);
  return answer;
}

const sessionRpcs = /\/(Exec|Attach|PortForward)$/;
const asked = ({ fake }: SessionGateway): string[] =>
  fake.calls.map(({ rpc }) => rpc).filter((rpc) => rpc !== "RuntimeService/Version");
const askedForSession = (gateway: SessionGateway): string[] =>
  asked(gateway).filter((rpc) => sessionRpcs.test(rpc));

const only = (word: string): Grants => ({
  all: false,
  allow: { [word]: true, read: true, unmanaged: true },
  deny: {},
});

test("without a token, or with a wrong one, nobody comes in", async (t) => {
  const gateway = await sessionGateway(t);
  const path = `${gateway.container}/exec?command=ls`;
  const wrong = 'Bearer error="invalid_token"';
  for (const [scheme, headers] of [
    ["Bearer", { authorization: undefined }],
    [wrong, { authorization: "Bearer wrong" }],
    [wrong, { authorization: undefined, "sec-websocket-protocol": `${v5}, ${encoded("wrong")}` }],
    ["Bearer", { authorization: undefined, "sec-websocket-protocol": `${v5}, ${bearer}%%%` }],
    [wrong, { authorization: "Bearer wrong", "sec-websocket-protocol": `${v5}, ${encoded(token)}` }],
  ] as const) {
    const { problem, headers: answered } = await refused(gateway, path, [401, "unauthenticated"], {
      headers,
    });
    assert.equal(answered["www-authenticate"], scheme);
    assert.equal(problem.grant, undefined);
  }
  assert.deepEqual(asked(gateway), []);
});

test("a token beside which no protocol is offered opens nothing: its client could not use it", async (t) => {
  const gateway = await sessionGateway(t);
  const { problem } = await refused(
    gateway,
    `${gateway.container}/exec?command=ls`,
    [400, "invalid_request"],
    {
      headers: { authorization: undefined, "sec-websocket-protocol": encoded(token) },
    },
  );
  assert.equal(
    problem.detail,
    `The token is not a subprotocol: this WebSocket supports ${v5}, ${v4}, v4.base64.channel.k8s.io, channel.k8s.io, base64.channel.k8s.io`,
  );
  assert.deepEqual(asked(gateway), []);
});

test("a token in a query is none", async (t) => {
  const gateway = await sessionGateway(t);
  await refused(gateway, `${gateway.container}/exec?command=ls&token=${token}`, [401, "unauthenticated"], {
    headers: { authorization: undefined },
  });
});

test("the grant that is missing is named, before anything is asked of the runtime", async (t) => {
  const gateway = await sessionGateway(t, { grants: only("logs") });
  for (const [path, grant] of [
    [`${gateway.container}/exec?command=ls`, "exec"],
    [`${gateway.container}/attach`, "exec"],
    [`${gateway.pod}/portforward?ports=80`, "forward"],
    // Also where the rest of the request is wrong.
    ["/v1/containers/nope/exec", "exec"],
    ["/v1/pods/nope/portforward?ports=0", "forward"],
  ] as const) {
    const { problem } = await refused(gateway, path, [403, "not_capable"]);
    assert.equal(problem.grant, grant);
    assert.match(problem.detail ?? "", new RegExp(`--allow-${grant}`));
  }
  assert.deepEqual(asked(gateway), []);
});

test("a denial beats the grant of all", async (t) => {
  const gateway = await sessionGateway(t, { grants: { all: true, allow: {}, deny: { exec: true } } });
  await refused(gateway, `${gateway.container}/attach`, [403, "not_capable"]);
  assert.deepEqual(asked(gateway), []);
});

test("pods that Crest did not make need a grant of their own", async (t) => {
  const grants: Grants = { all: false, allow: { exec: true, forward: true, read: true }, deny: {} };
  const gateway = await sessionGateway(t, { grants });
  const pod = gateway.fake.addPod();
  const { id } = gateway.fake.addContainer({ state: "running", pod });
  for (const path of [`/v1/containers/${id}/exec?command=ls`, `/v1/pods/${pod.id}/portforward?ports=80`]) {
    const { problem } = await refused(gateway, path, [403, "not_capable"], { subprotocols: [v4] });
    assert.equal(problem.grant, "unmanaged");
  }
  assert.deepEqual(askedForSession(gateway), []);
});

test("another Host or Origin is refused", async (t) => {
  const gateway = await sessionGateway(t);
  const path = `${gateway.container}/exec?command=ls`;
  await refused(gateway, path, [403, "host_not_allowed"], { headers: { host: "evil.example" } });
  await refused(gateway, path, [403, "origin_not_allowed"], { headers: { origin: "https://evil.example" } });
  await refused(gateway, path, [403, "origin_not_allowed"], { headers: { origin: "null" } });
  assert.deepEqual(asked(gateway), []);
});

test("a handshake that is none is refused before anything is asked of the runtime", async (t) => {
  const gateway = await sessionGateway(t);
  for (const path of [
    `${gateway.container}/exec?command=ls`,
    `${gateway.container}/attach`,
    `${gateway.pod}/portforward?ports=80`,
  ]) {
    for (const version of ["12", "8", "", "13, 13", undefined]) {
      const { headers } = await refused(gateway, path, [426, "upgrade_required"], {
        headers: { "sec-websocket-version": version },
      });
      assert.equal(headers["sec-websocket-version"], "13");
    }
    for (const key of ["", "short", "AAAAAAAAAAAAAAAAAAAAAAAA", "AAAAAAAAAAAAAAAAAAAAA===", undefined]) {
      await refused(gateway, path, [400, "invalid_request"], { headers: { "sec-websocket-key": key } });
    }
  }
  assert.deepEqual(asked(gateway), []);
});

test("without an upgrade the answer is 426, whatever the headers promise", async (t) => {
  const gateway = await sessionGateway(t);
  for (const path of [
    `${gateway.container}/exec?command=ls`,
    `${gateway.container}/attach`,
    `${gateway.pod}/portforward?ports=80`,
  ]) {
    for (const headers of [
      { connection: undefined, upgrade: undefined },
      { connection: undefined },
      { connection: "keep-alive" },
      { upgrade: "h2c" },
    ]) {
      const answer = await refused(gateway, path, [426, "upgrade_required"], { headers });
      assert.equal(answer.headers.upgrade, "websocket");
    }
  }
  assert.deepEqual(asked(gateway), []);
});

test("a handshake with HEAD opens nothing", async (t) => {
  const gateway = await sessionGateway(t);
  const { status: code } = await gateway.refusal(`${gateway.container}/exec?command=ls`, { method: "HEAD" });
  assert.equal(code, 405);
  assert.deepEqual(asked(gateway), []);
  assert.equal(await gateway.count(), 0);
});

test("unknown subprotocols only, and what is no list of them, are refused", async (t) => {
  const gateway = await sessionGateway(t);
  const [exec, forward] = [`${gateway.container}/exec?command=ls`, `${gateway.pod}/portforward?ports=80`];
  for (const [path, offered] of [
    [exec, "v3.channel.k8s.io"],
    [exec, `v6.channel.k8s.io, ${encoded("x")}`],
    [forward, "channel.k8s.io"],
    [exec, "V5.CHANNEL.K8S.IO"],
    [forward, v5],
    [forward, "SPDY/3.1+portforward.k8s.io"],
    [forward, `SPDY/3.1+portforward.k8s.io, ${v4}`],
    [exec, `${v5}, ${v5}`],
    [exec, `${v5},,${v4}`],
    [exec, `${v5}; q=1, ${v4}`],
  ] as const) {
    const { problem } = await refused(gateway, path, [400, "invalid_request"], {
      headers: { "sec-websocket-protocol": offered },
    });
    assert.match(
      problem.detail ?? "",
      /Unknown subprotocol .*v4\.channel\.k8s\.io|must be a list of distinct names/,
      offered,
    );
  }
  assert.deepEqual(asked(gateway), []);
});

test("parameters are checked before anything is asked of the runtime", async (t) => {
  const gateway = await sessionGateway(t);
  const [exec, attach, forward] = [
    `${gateway.container}/exec`,
    `${gateway.container}/attach`,
    `${gateway.pod}/portforward`,
  ];
  const many = (count: number): string =>
    Array.from({ length: count }, (_, index) => `ports=${index + 1}`).join("&");
  for (const [path, parameter, subprotocols] of [
    [exec, "command"],
    [`${exec}?stdin=true`, "command"],
    [`${exec}?command=sh&stdin=false&stdout=false&stderr=false`, "stdout"],
    [`${exec}?command=sh&tty=true&stdout=false`, "stdout"],
    [`${exec}?command=sh&tty=yes`, "tty"],
    [`${exec}?command=${"a".repeat(4097)}`, "command"],
    [`${exec}?command=sh&cmd=sh`, "cmd"],
    [`${attach}?stdout=false&stderr=0`, "stdout"],
    [`${attach}?command=sh`, "command"],
    [forward, "ports"],
    [`${forward}?ports=`, "ports", [v4]],
    [`${forward}?ports=0`, "ports"],
    [`${forward}?ports=65536`, "ports"],
    [`${forward}?ports=-1`, "ports"],
    [`${forward}?ports=http`, "ports"],
    [`${forward}?ports=80&ports=0`, "ports"],
    [`${forward}?ports=80&ports=81&raw=true`, "ports"],
    [`${forward}?ports=80&raw=perhaps`, "raw"],
    [`${forward}?${many(101)}`, "ports"],
    [`${forward}?${many(40)}`, "ports", [base64]],
  ] as readonly (readonly [string, string, string[]?])[]) {
    const { problem } = await refused(gateway, path, [400, "invalid_request"], {
      subprotocols: subprotocols ?? (path.startsWith(forward) ? [v4] : [v5]),
    });
    const [error] = problem.errors as { readonly parameter: string }[];
    assert.equal(error?.parameter, parameter, path);
  }
  assert.deepEqual(askedForSession(gateway), []);
});

test("containers and pods that are not there are 404, ambiguous ids 409", async (t) => {
  const gateway = await sessionGateway(t);
  for (const id of ["f".repeat(64), "nope"]) {
    for (const path of [`/v1/containers/${id}/exec?command=ls`, `/v1/containers/${id}/attach`]) {
      await refused(gateway, path, [404, "not_found"]);
    }
    await refused(gateway, `/v1/pods/${id}/portforward?ports=80`, [404, "not_found"], { subprotocols: [v4] });
  }
  for (let left = 40; left > 0; left--) gateway.fake.addContainer({ state: "running" });
  const prefixes = new Map<string, number>();
  for (const id of gateway.fake.containers.keys())
    prefixes.set(id.slice(0, 1), (prefixes.get(id.slice(0, 1)) ?? 0) + 1);
  const [shared] = [...prefixes].find(([, count]) => count > 1) ?? [""];
  const { problem } = await refused(gateway, `/v1/containers/${shared}/attach`, [409, "ambiguous_id"]);
  assert.ok((problem.candidates as string[]).length > 1);
  assert.deepEqual(askedForSession(gateway), []);
});

for (const manner of mannerNames satisfies readonly MannerName[]) {
  test(`${manner}: what does not run is 409, and no session is asked for`, async (t) => {
    const gateway = await sessionGateway(t, { manner });
    const { fake } = gateway;
    for (const state of ["created", "exited"] as const) {
      const { id } = fake.addContainer({ state });
      for (const path of [`/v1/containers/${id}/exec?command=ls`, `/v1/containers/${id}/attach`]) {
        await refused(gateway, path, [409, "not_running"]);
      }
    }
    const pod = fake.addPod({ state: "not ready" });
    await refused(gateway, `/v1/pods/${pod.id}/portforward?ports=80`, [409, "pod_not_ready"], {
      subprotocols: [v4],
    });
    assert.deepEqual(askedForSession(gateway), []);
    assert.deepEqual(gateway.streams.requests, []);
  });
}

test("a runtime that is down is 503, one that does not answer 504, one that fails 502", async (t) => {
  const gateway = await sessionGateway(t, { deadlineMs: 400 });
  const path = `${gateway.container}/exec?command=ls`;
  const restore = gateway.fake.on("RuntimeService/Exec", failing(status.UNKNOWN, "something else"));
  await refused(gateway, path, [502, "runtime_error"]);
  restore();
  const answer = gateway.fake.on("RuntimeService/Exec", hanging());
  await refused(gateway, path, [504, "deadline_exceeded"]);
  answer();
  await gateway.fake.stop();
  await refused(gateway, path, [503, "runtime_unavailable"]);
});

test("a runtime that has no more tokens is 429", async (t) => {
  const gateway = await sessionGateway(t);
  gateway.fake.on(
    "RuntimeService/Exec",
    failing(status.RESOURCE_EXHAUSTED, "maximum number of in flight requests exceeded"),
  );
  await refused(gateway, `${gateway.container}/exec?command=ls`, [429, "runtime_exhausted"]);
});

test("a streaming server that refuses or is not there is 502, and asked once", async (t) => {
  const gateway = await sessionGateway(t);
  const path = `${gateway.container}/exec?command=ls`;
  for (const [code, body] of [
    [403, ""],
    [404, "404 page not found"],
    [500, "oops"],
  ] as const) {
    gateway.streams.refusal = { status: code, body };
    const before = gateway.streams.requests.length;
    const { problem } = await refused(gateway, path, [502, "runtime_error"]);
    assert.match(problem.detail ?? "", new RegExp(`answered ${code}`));
    assert.equal(gateway.streams.requests.length, before + 1);
  }
  const port = await freePort();
  gateway.fake.streamUrl = ({ token: one }) => `http://127.0.0.1:${port}/exec/${one}`;
  await refused(gateway, path, [502, "runtime_error"]);
});

test("a URL of the runtime that points elsewhere is 502, and never dialled", async (t) => {
  const gateway = await sessionGateway(t);
  const { port } = gateway.streams;
  for (const url of [
    `http://169.254.169.254/exec/TOKEN`,
    `http://localhost:${port}/exec/TOKEN`,
    `http://user@127.0.0.1:${port}/exec/TOKEN`,
    `http://127.0.0.1:${port}/metadata/TOKEN/x`,
    `file:///exec/TOKEN`,
    "",
  ]) {
    gateway.fake.streamUrl = () => url;
    const { text } = await refused(gateway, `${gateway.container}/exec?command=ls`, [502, "runtime_error"]);
    assert.ok(!text.includes("TOKEN"), text);
  }
  assert.deepEqual(gateway.streams.requests, []);
});

test("of several ports one that cannot be dialled refuses all, and the others are let go", async (t) => {
  const gateway = await sessionGateway(t);
  const { fake, streams } = gateway;
  fake.streamUrl = (stream) => {
    if (stream.ports[0] === 82) return `http://10.0.0.1:1/portforward/${stream.token}`;
    return streams.streamUrl(stream);
  };
  const path = `${gateway.pod}/portforward?ports=80&ports=81&ports=82`;
  const answer = await gateway.refusal(path, { subprotocols: [v4] });
  assert.equal(answer.status, 502);
  assert.equal(streams.sessions.length, 2);
  await Promise.all(streams.sessions.map(({ closed }) => closed));
  assert.equal(await gateway.count(), 0);
});

test("over the cap the answer is 429, and a session that ends makes room", async (t) => {
  const gateway = await sessionGateway(t, { sessions: { mostSessions: 2 } });
  const path = `${gateway.container}/exec?command=ls&stdin=true`;
  const open = [gateway.open(path), gateway.open(path)];
  await Promise.all(open.map(({ opened }) => opened));
  const { status: code, problem } = await gateway.refusal(path);
  assert.deepEqual([code, problem.code, problem.retryable], [429, "too_many_sessions", true]);
  assert.equal(askedForSession(gateway).length, 2);
  assert.equal(await gateway.count(), 2);
  open[0]?.socket.close();
  await eventually(async () => (await gateway.count()) === 1);
  await gateway.open(path).opened;
});

test("a session that is being prepared when the gateway ends is 503", async (t) => {
  const gateway = await sessionGateway(t);
  gateway.fake.on("RuntimeService/Exec", hanging());
  const answer = gateway.refusal(`${gateway.container}/exec?command=ls`);
  await eventually(() => askedForSession(gateway).length === 1);
  const closed = gateway.app.close();
  const { status: code, problem } = await answer;
  assert.deepEqual([code, problem.code], [503, "shutting_down"]);
  await eventually(() => gateway.fake.callsOf("RuntimeService/Exec")[0]?.cancelled);
  await closed;
});

test("what comes in while the gateway ends is 503, and holds nothing up", async (t) => {
  const gateway = await sessionGateway(t);
  const requests = [
    handshakeBytes(gateway.port, `${gateway.container}/exec?command=ls`),
    `GET /v1/pods HTTP/1.1\r\nHost: 127.0.0.1:${gateway.port}\r\n\r\n`,
  ];
  const begun = requests.map((text) => {
    const socket = connect({ port: gateway.port, host: "127.0.0.1" });
    t.after(() => socket.destroy());
    socket.write(text.slice(0, -2));
    return socket;
  });
  await Promise.all(begun.map((socket) => once(socket, "connect")));
  // By the time of its answer both have been accepted and read.
  await gateway.count();
  const closed = gateway.app.close(2000);
  for (const socket of begun) {
    let text = "";
    socket.setEncoding("utf8").on("data", (chunk: string) => {
      text += chunk;
    });
    socket.write("\r\n");
    await once(socket, "end");
    assert.match(text, /^HTTP\/1\.1 503 /);
    assert.match(text, /\r\nx-request-id: /i);
    assert.match(text, /"code":"shutting_down"/);
  }
  await closed;
});

test("no token of anybody appears in a log or an answer", async (t) => {
  const options: GatewayOptions = { deadlineMs: 400 };
  const gateway = await sessionGateway(t, options);
  const { fake, streams, container, pod } = gateway;
  const told: string[] = [];
  const asks = async (): Promise<void> => {
    for (const path of [
      `${container}/exec?command=ls`,
      `${container}/attach`,
      `${pod}/portforward?ports=80`,
    ]) {
      const answer = await gateway.refusal(path, {
        headers: { authorization: undefined },
        subprotocols: [v4, encoded(token)],
      });
      assert.notEqual(answer.status, 401);
      told.push(JSON.stringify([answer.headers, answer.text]));
    }
  };
  for (const refusal of [
    { status: 404, body: "404 page not found" },
    Buffer.from("nonsense\r\n"),
    Buffer.alloc(0),
  ]) {
    streams.refusal = refusal;
    await asks();
  }
  const port = await freePort();
  const shapes: ((one: string) => string)[] = [
    (one) => `http://127.0.0.1:${port}/exec/${one}`,
    (one) => `http://10.0.0.1:${port}/exec/${one}`,
    (one) => `http://[::1/exec/${one}`,
    (one) => `ftp://127.0.0.1/exec/${one}`,
    (one) => `/exec/${one}`,
    (one) => `http://127.0.0.1:${port}/exec/${one}/${one}`,
  ];
  for (const shape of shapes) {
    fake.streamUrl = ({ token: one }) => {
      (gateway.streamTokens as string[]).push(one);
      return shape(one);
    };
    await asks();
  }
  const logged = gateway.logged.map((entry) => {
    const { error } = entry;
    const causes: string[] = [];
    for (let at = error; at instanceof Error; at = at.cause)
      causes.push(String(at.stack), JSON.stringify(at));
    return JSON.stringify({ ...entry, causes });
  });
  assert.ok(logged.length >= 20, `${logged.length} entries`);
  assert.ok(gateway.streamTokens.length >= 20);
  for (const text of [...told, ...logged]) {
    for (const secret of [...gateway.streamTokens, token, Buffer.from(token).toString("base64url")]) {
      assert.ok(!text.includes(secret), text);
    }
  }
});

test("the token of a browser comes as a subprotocol, and only the real one is echoed", async (t) => {
  const gateway = await sessionGateway(t);
  gateway.streams.behaviour = command({ stdout: "hello" });
  for (const [path, real] of [
    [`${gateway.container}/exec?command=ls`, v5],
    [`${gateway.container}/attach`, v4],
    [`${gateway.container}/exec?command=ls`, base64],
  ] as const) {
    for (const subprotocols of [
      [real, encoded(token)],
      [encoded(token), real],
    ]) {
      const client = gateway.open(path, { subprotocols, withToken: false });
      await client.opened;
      assert.equal(client.socket.protocol, real);
      assert.equal((await client.closed).code, 1000);
      assert.equal(client.text(1), "hello");
    }
  }
});

test("of several subprotocols the preferred one is spoken, whatever their order", async (t) => {
  const gateway = await sessionGateway(t);
  for (const [path, offered, chosen] of [
    [`${gateway.container}/exec?command=ls`, [base64, v4, v5], v5],
    [`${gateway.container}/exec?command=ls`, ["unknown", base64, v4], v4],
    [`${gateway.container}/attach`, [base64, "v3.channel.k8s.io"], base64],
    [`${gateway.pod}/portforward?ports=80`, [v5, base64, v4], v4],
    [`${gateway.container}/attach`, [], ""],
  ] as const) {
    const client = gateway.open(path, { subprotocols: [...offered] });
    await client.opened;
    assert.equal(client.socket.protocol, chosen);
    client.socket.terminate();
  }
});

test("kubectl's SPDY is pointed to the WebSocket, where there is one", async (t) => {
  const gateway = await sessionGateway(t);
  const headers = { connection: "Upgrade", upgrade: "SPDY/3.1" };
  for (const path of [
    `${gateway.container}/exec?command=ls&stdout=true`,
    `${gateway.container}/attach?stdout=true`,
    `${gateway.pod}/portforward`,
  ]) {
    const { problem } = await refused(gateway, path, [426, "upgrade_required"], { method: "POST", headers });
    assert.match(problem.detail ?? "", /SPDY.*WebSocket: GET \/v1\//);
  }
});

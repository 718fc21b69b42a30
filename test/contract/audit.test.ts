/** The audit log: a line for each decision, before it takes effect and at its end. */
import assert from "node:assert/strict";
import { mkdir, readFile, rename, rm } from "node:fs/promises";
import { type TestContext, test } from "node:test";
import { status } from "@grpc/grpc-js";
import { type AuditLine, type TestAuditOptions, testAudit } from "../support/audit-log.ts";
import { eventually } from "../support/eventually.ts";
import { GrpcFault } from "../support/fake-runtime.ts";
import { cat } from "../support/spdy-behaviours.ts";
import { channel, sessionGateway } from "../support/spdy-gateway.ts";
import { type LiveOptions, liveGateway } from "./live-gateway.ts";

async function audited(t: TestContext, options: LiveOptions = {}, auditing: TestAuditOptions = {}) {
  const log = await testAudit(t, auditing);
  return { log, gateway: await liveGateway(t, "containerd-2.1", { ...options, audit: log.audit }) };
}

const managed = { "crest/managed": "true" };
const as = (id: string) => ({ "x-request-id": id, "user-agent": "audit-test" });

/** A line without what differs from run to run. */
function steady(line: AuditLine | undefined): object {
  const { auditID, requestReceivedTimestamp, stageTimestamp, annotations, ...rest } = (line ??
    {}) as AuditLine & {
    readonly [member: string]: unknown;
  };
  assert.match(auditID, /^[0-9a-f-]{36}$/);
  for (const time of [requestReceivedTimestamp, stageTimestamp])
    assert.match(String(time), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
  const { "latency.crest/total": latency, "request.crest/id": _id, ...steadyOnes } = annotations;
  if (line?.stage === "ResponseComplete") assert.match(String(latency), /^[\d.]+ms$/);
  return { ...rest, annotations: steadyOnes };
}

const common = {
  ...{ kind: "Event", apiVersion: "audit.k8s.io/v1", level: "Metadata" },
  ...{ sourceIPs: ["127.0.0.1"], userAgent: "audit-test" },
};
const allow = (grant: string) => ({
  "authorization.crest/decision": "allow",
  "authorization.crest/grant": grant,
});

test("a change has a line before it takes effect, and one when it has ended", async (t) => {
  const { gateway, log } = await audited(t);
  let before: readonly AuditLine[] = [];
  gateway.fake.on("RuntimeService/StopPodSandbox", async (_request, call) => {
    before = await log.lines();
    return call.next();
  });
  const { podId } = gateway.fake.addContainer({
    pod: gateway.fake.addPod({ name: "web", namespace: "demo", labels: managed }),
  });
  await gateway.ask(`POST /v1/pods/${podId.slice(0, 12)}/stop?timeout=0`, undefined, as("stop"));
  const [received, ended] = await log.linesOf("stop", 2);
  assert.deepEqual(before, [received]);
  const request = {
    ...common,
    ...{ verb: "create", requestURI: `/v1/pods/${podId.slice(0, 12)}/stop?timeout=0` },
    user: { username: "token" },
    objectRef: { resource: "pods", subresource: "stop", namespace: "demo", name: "web", uid: podId },
  };
  assert.deepEqual(steady(received), { ...request, stage: "RequestReceived", annotations: allow("stop") });
  assert.deepEqual(steady(ended), {
    ...{ ...request, stage: "ResponseComplete" },
    responseStatus: { metadata: {}, status: "Success", code: 204 },
    annotations: { ...allow("stop"), "session.crest/bytes-sent": "0" },
  });
  assert.equal(received?.auditID, ended?.auditID);
});

test("what is created has its name and image, and its id at the end", async (t) => {
  const { gateway, log } = await audited(t);
  const made = await gateway.ask(
    "POST /v1/pods",
    { metadata: { name: "web", namespace: "demo" } },
    as("pod"),
  );
  const podId = String(made.at("podSandboxId"));
  const [received, ended] = await log.linesOf("pod", 2);
  assert.deepEqual(received?.objectRef, { resource: "pods", namespace: "demo", name: "web" });
  assert.equal(ended?.annotations["object.crest/created"], `pods/${podId}`);
  const body = { metadata: { name: "app" }, image: "busybox:1.36", envs: [{ key: "A", value: "s3cret" }] };
  await gateway.ask(`POST /v1/pods/${podId}/containers`, body, as("container"));
  const [created] = await log.linesOf("container", 2);
  assert.deepEqual(created?.objectRef, {
    ...{ resource: "pods", subresource: "containers", namespace: "demo", name: "web", uid: podId },
  });
  assert.equal(created?.annotations["object.crest/container"], "app");
  assert.equal(created?.annotations["object.crest/image"], "busybox:1.36");
  await gateway.ask("POST /v1/images/pull", { image: "busybox:1.36" }, as("pull"));
  const [pulled] = await log.linesOf("pull", 2);
  assert.deepEqual(pulled?.objectRef, { resource: "images", subresource: "pull", name: "busybox:1.36" });
  assert.ok(!JSON.stringify(await log.lines()).includes("s3cret"));
});

test("the grants that decided are named, with those of fields, host words and foreign pods", async (t) => {
  const host = ["port:8000-8010", "network"];
  const { gateway, log } = await audited(t, {
    grants: {
      all: false,
      allow: { read: true, run: true, stop: true, unmanaged: true, verbose: true, host },
      deny: {},
    } as never,
  });
  const config = { metadata: { name: "web" }, portMappings: [{ hostPort: 8001, containerPort: 80 }] };
  await gateway.ask("POST /v1/pods", config, as("port"));
  const [made] = await log.linesOf("port", 2);
  assert.equal(made?.annotations["authorization.crest/grant"], "run,host=port:8000-8010");
  const { id } = gateway.fake.addPod({ name: "dns", namespace: "kube-system" });
  await gateway.ask(`POST /v1/pods/${id}/stop`, undefined, as("foreign"));
  const [stopped] = await log.linesOf("foreign", 2);
  assert.equal(stopped?.annotations["authorization.crest/grant"], "stop,unmanaged");
});

test("a refusal has one line with what was missing, and nothing runs", async (t) => {
  const { gateway, log } = await audited(t, {
    grants: { all: false, allow: { read: ["pods"], run: true }, deny: {} },
  });
  const { id, podId } = gateway.fake.addContainer({ state: "running" });
  await gateway.ask(`POST /v1/containers/${id}/exec`, { cmd: ["true"] }, as("exec"));
  const [exec] = await log.linesOf("exec", 1);
  assert.deepEqual(steady(exec), {
    ...{ ...common, stage: "ResponseComplete", verb: "create" },
    ...{ requestURI: `/v1/containers/${id}/exec`, user: { username: "token" } },
    objectRef: { resource: "containers", subresource: "exec", uid: id },
    responseStatus: { metadata: {}, status: "Failure", reason: "not_capable", code: 403 },
    annotations: {
      "authorization.crest/decision": "forbid",
      "authorization.crest/grant": "exec",
      "authorization.crest/reason": "not_capable",
      "session.crest/bytes-sent": exec?.annotations["session.crest/bytes-sent"],
    },
  });
  const pod = { metadata: { name: "web" }, portMappings: [{ hostPort: 8001, containerPort: 80 }] };
  await gateway.ask("POST /v1/pods", pod, as("policy"));
  const [policy] = await log.linesOf("policy", 1);
  assert.equal(policy?.annotations["authorization.crest/grant"], "host");
  assert.equal(policy?.annotations["authorization.crest/reason"], "not_capable --allow-host=port:8001");
  await gateway.ask("GET /v1/images", undefined, as("read"));
  assert.equal((await log.linesOf("read", 1))[0]?.verb, "list");
  await gateway.ask("GET /v1/pods", undefined, {
    ...as("nobody"),
    authorization: "Bearer wrong-token-wrong",
  });
  const [nobody] = await log.linesOf("nobody", 1);
  assert.deepEqual([nobody?.user, nobody?.responseStatus?.reason], [{}, "unauthenticated"]);
  await gateway.ask("GET /v1/pods", undefined, { ...as("rebound"), host: "evil.example" });
  assert.equal(
    (await log.linesOf("rebound", 1))[0]?.annotations["authorization.crest/reason"],
    "host_not_allowed",
  );
  assert.deepEqual(gateway.fake.callsOf("RuntimeService/ExecSync"), []);
  assert.deepEqual(gateway.fake.callsOf("RuntimeService/RunPodSandbox"), []);
  assert.ok(podId);
});

test("what is outside of the caller's scope is recorded like what does not exist, as refused", async (t) => {
  const { gateway, log } = await audited(t, {
    grants: { all: false, allow: { read: ["pods:demo/*"] as never }, deny: {} },
  });
  const seen = gateway.fake.addPod({ name: "web", namespace: "demo" });
  const hidden = gateway.fake.addPod({ name: "web", namespace: "other" });
  assert.equal((await gateway.ask(`GET /v1/pods/${seen.id}`, undefined, as("seen"))).status, 200);
  for (const [name, id] of [
    ["hidden", hidden.id],
    ["absent", "f".repeat(64)],
  ] as const) {
    assert.equal((await gateway.ask(`GET /v1/pods/${id}`, undefined, as(name))).status, 404);
    const [line] = await log.linesOf(name, 1);
    assert.deepEqual(line?.objectRef, { resource: "pods", uid: id });
    assert.equal(line?.annotations["authorization.crest/decision"], "forbid");
    assert.equal(line?.annotations["authorization.crest/reason"], "absent_or_out_of_scope");
  }
  await log.linesOf("seen", 0);
});

test("by default reads have no line, except of logs and of what is not there; with all they have", async (t) => {
  for (const [auditLevel, reads] of [
    ["changes", 0],
    ["all", 2],
  ] as const) {
    const { gateway, log } = await audited(t, {}, { auditLevel });
    const { id } = gateway.fake.addContainer({ state: "running", logPath: "0.log" });
    await gateway.ask("GET /v1/pods?limit=7&labelSelector=app=secret", undefined, as("list"));
    await gateway.ask(`GET /v1/containers/${"f".repeat(64)}`, undefined, as("absent"));
    await gateway.ask(`GET /v1/containers/${id}/logs`, undefined, {
      ...as("logs"),
      accept: "application/json",
    });
    await gateway.ask("GET /livez", undefined, as("probe"));
    await log.linesOf("logs", 2);
    const [...list] = await log.linesOf("list", reads);
    assert.deepEqual([...new Set(list.map(({ requestURI }) => requestURI))], reads === 0 ? [] : ["/v1/pods"]);
    const absent = (await log.linesOf("absent", auditLevel === "all" ? 2 : 1)).at(-1);
    assert.deepEqual(absent?.responseStatus?.reason, "not_found");
    await log.linesOf("probe", 0);
  }
});

test("a failure of the runtime is recorded by its code, without its words", async (t) => {
  const { gateway, log } = await audited(t);
  const { id } = gateway.fake.addContainer({ state: "running" });
  gateway.fake.on("RuntimeService/ExecSync", () => {
    throw new GrpcFault(status.UNKNOWN, "the runtime says s3cret");
  });
  await gateway.ask(`POST /v1/containers/${id}/exec`, { cmd: ["sh", "-c", "s3cret"] }, as("fails"));
  const [, ended] = await log.linesOf("fails", 2);
  assert.deepEqual(ended?.responseStatus, {
    ...{ metadata: {}, status: "Failure", reason: "runtime_error", code: 502 },
  });
  assert.equal(ended?.annotations["authorization.crest/decision"], "allow");
  assert.ok(!JSON.stringify(await log.lines()).includes("s3cret"));
});

test("a disk that is full refuses changes and lets reads through, says so, and recovers", async (t) => {
  const { gateway, log } = await audited(t);
  const { id } = gateway.fake.addPod({ labels: managed });
  const stop = (name: string) => gateway.ask(`POST /v1/pods/${id}/stop`, undefined, as(name));
  assert.equal((await stop("first")).status, 204);
  await log.linesOf("first", 2);
  // Nobody can write to a folder, not even root.
  const full = await makeUnwritable(log.file);
  gateway.fake.calls.length = 0;
  const refused = await stop("second");
  assert.deepEqual(
    [refused.status, refused.at("code"), refused.at("retryable")],
    [503, "audit_failed", true],
  );
  assert.equal(refused.headers["retry-after"], "10");
  assert.deepEqual(gateway.fake.callsOf("RuntimeService/StopPodSandbox"), []);
  assert.equal((await gateway.ask("GET /v1/pods")).status, 200);
  assert.match((await gateway.ask("GET /metrics")).text, /crest_audit_errors_total [12]\n/);
  assert.match(String(log.logged.at(0)?.message), /Cannot write the audit log, so requests are refused/);
  await full.end();
  assert.equal((await stop("third")).status, 204);
  await log.linesOf("third", 2);
  assert.match(String(log.logged.at(-1)?.message), /can be written again; [12] lines were lost/);
});

/** Puts a folder in the place of a file, until `end`. */
async function makeUnwritable(path: string): Promise<{ end(): Promise<void> }> {
  await rename(path, `${path}.away`);
  await mkdir(path);
  return {
    async end() {
      await rm(path, { recursive: true });
      await rename(`${path}.away`, path);
    },
  };
}

test("a session has lines for its start and its end, with the bytes of each direction", async (t) => {
  const log = await testAudit(t);
  const gateway = await sessionGateway(t, { audit: log.audit });
  gateway.streams.behaviour = cat;
  const path = `${gateway.container}/exec?command=sh&command=-c&command=s3cret-word&stdin=true`;
  const session = gateway.open(path, { headers: { "x-request-id": "shell" } });
  await session.opened;
  session.send(channel.stdin, "s3cret typed\n");
  await eventually(() => session.frames.some(({ payload }) => payload.toString() === "s3cret typed\n"));
  session.send(channel.close, Buffer.from([channel.stdin]));
  await session.closed;
  const [received, started, ended] = await log.linesOf("shell", 3);
  assert.deepEqual(
    [received, started, ended].map((line) => [line?.stage, line?.responseStatus?.code]),
    [
      ["RequestReceived", undefined],
      ["ResponseStarted", 101],
      ["ResponseComplete", 101],
    ],
  );
  assert.equal(received?.requestURI, `${gateway.container}/exec?stdin=true`);
  assert.equal(ended?.annotations["session.crest/bytes-received"], "13");
  assert.equal(ended?.annotations["session.crest/bytes-sent"], "13");
  assert.equal(ended?.annotations["session.crest/close-code"], "1000");
  assert.equal(ended?.annotations["authorization.crest/grant"], "exec");
  assert.ok(!JSON.stringify(await log.lines()).includes("s3cret"));
});

test("a session that is refused, or whose client leaves, has an end", async (t) => {
  const log = await testAudit(t);
  const gateway = await sessionGateway(t, {
    audit: log.audit,
    grants: { all: false, allow: { forward: true }, deny: {} },
  });
  const headers = { "x-request-id": "refused" };
  const refused = await gateway.refusal(`${gateway.container}/exec?command=sh`, { headers });
  assert.equal(refused.status, 403);
  const [line] = await log.linesOf("refused", 1);
  assert.deepEqual(
    [line?.stage, line?.verb, line?.responseStatus?.code],
    ["ResponseComplete", "create", 403],
  );
  gateway.streams.behaviour = cat;
  const forward = gateway.open(`${gateway.pod}/portforward?ports=80&ports=8080`, {
    headers: { "x-request-id": "ports" },
    subprotocols: ["v4.channel.k8s.io"],
  });
  await forward.opened;
  forward.socket.terminate();
  const [received, , ended] = await log.linesOf("ports", 3);
  assert.equal(received?.requestURI, `${gateway.pod}/portforward?ports=80&ports=8080`);
  assert.equal(ended?.annotations["session.crest/close-code"], "1006");
});

test("who nobody knows cannot fill the audit log: refusals beyond a hundred are counted", async (t) => {
  const { gateway, log } = await audited(t);
  const headers = { authorization: "Bearer wrong-token-wrong" };
  for (let count = 0; count < 130; count++) await gateway.ask("GET /v1/pods", undefined, headers);
  const { id } = gateway.fake.addPod({ labels: managed });
  await gateway.ask(`POST /v1/pods/${id}/stop`, undefined, as("named"));
  const [, ended] = await log.linesOf("named", 2);
  const omitted = Number(ended?.annotations["audit.crest/omitted"]);
  const written = (await log.lines()).filter(({ user }) => user.username === undefined);
  const told = written.map(({ annotations }) => Number(annotations["audit.crest/omitted"] ?? 0));
  assert.ok(written.length >= 100);
  assert.equal(written.length + told.reduce((sum, one) => sum + one, 0) + omitted, 130);
});

test("no header or path can start a line of its own in the audit log, or move a terminal", async (t) => {
  const { gateway, log } = await audited(t, { grants: { all: false, allow: {}, deny: {} } });
  const agent = `a\u009b2J"}\u00a0${"x".repeat(5000)}`;
  await gateway.ask(`GET /v1/pods/${encodeURIComponent("a\n{}")}`, undefined, {
    ...{ "x-request-id": "odd", "user-agent": agent },
  });
  const [line] = await log.linesOf("odd", 1);
  assert.equal(line?.userAgent, agent.slice(0, 256));
  assert.equal(line?.objectRef?.uid, "a\n{}");
  const text = await readFile(log.file, "utf8");
  assert.equal(text.split("\n").length, 2);
  assert.ok(!text.includes("\u009b"));
});

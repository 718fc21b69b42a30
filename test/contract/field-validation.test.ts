/** What becomes of fields that a message does not have, and bodies in YAML. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { parse } from "yaml";
import { crictlFiles } from "../support/crictl-files.ts";
import { valueAt } from "./live-gateway.ts";
import { type Answer, problemOf, sharedGateway } from "./table-gateway.ts";

const { fake, open } = await sharedGateway();
fake.addImage({ tags: ["busybox:latest"] });

const yaml = "application/yaml";

async function send(target: string, body: string | Buffer, type = "application/json"): Promise<Answer> {
  // The bodies have one name, which a stopped pod leaves free.
  for (const podSandboxId of target.includes("/containers") ? [] : fake.pods.keys())
    await fake.perform("RuntimeService/StopPodSandbox", { podSandboxId });
  fake.calls.length = 0;
  return await open.ask(`POST ${target}`, { body, headers: { "content-type": type } });
}

/** The pointers that an answer's `Warning` headers name. */
function warned({ headers }: Answer): readonly string[] {
  return warningsOf(headers).flatMap((warning) => {
    const text = /^299 - "(.*)"$/s.exec(warning)?.[1]?.replace(/\\(.)/g, "$1") ?? "";
    const pointer = /^unknown field "(.*)"$/.exec(text)?.[1];
    return pointer === undefined ? [] : [pointer];
  });
}

function warningsOf(headers: Answer["headers"]): readonly string[] {
  const value: unknown = headers.warning ?? [];
  return [value].flat().map(String);
}

let pods = 0;
/** Where a file of either kind is sent to. */
function targetOf(kind: "pod" | "container"): string {
  if (kind === "pod") return "/v1/pods";
  pods++;
  return `/v1/pods/${fake.addPod({ name: `pod-${pods}` }).id}/containers`;
}

for (const { what, kind, text, unknown } of crictlFiles) {
  test(`a file of crictl with ${what} is taken, and a Warning names what was left out`, async () => {
    const asJson = JSON.stringify(parse(text, { intAsBigInt: true }), (_, part) =>
      typeof part !== "bigint" ? part : Number.isSafeInteger(Number(part)) ? Number(part) : String(part),
    );
    const sent: object[] = [];
    const bodies: readonly (readonly [body: string, type: string])[] = [
      [asJson, "application/json"],
      [text, yaml],
    ];
    for (const [body, type] of bodies) {
      const unique = body.replace(/hdishd83djaidwnduwk28bcsb/, `uid-${sent.length}-${pods}`);
      const answer = await send(targetOf(kind), unique.replace("name: a\n", `name: a${sent.length}\n`), type);
      assert.equal(answer.status, 201, answer.text);
      assert.deepEqual([...warned(answer)].sort(), [...unknown].sort(), type);
      const rpc = kind === "pod" ? "RunPodSandbox" : "CreateContainer";
      const [call] = fake.callsOf(`RuntimeService/${rpc}`);
      const config = { ...(call?.request.config as object), metadata: {}, labels: {}, logDirectory: "" };
      sent.push({ ...config, linux: { ...(valueAt(config, "linux") as object), cgroupParent: "" } });
    }
    assert.deepEqual(sent[0], sent[1], "JSON and YAML say the same");
    if (unknown.length === 0) return;
    const strict = await send(`${targetOf(kind)}?fieldValidation=Strict`, text, yaml);
    const problem = problemOf(strict, { status: 400, code: "invalid_request" });
    assert.deepEqual(problem.errors?.map(({ pointer }) => pointer).sort(), [...unknown].sort());
    for (const { detail } of problem.errors ?? []) assert.match(detail, /fieldValidation=Warn/);
    assert.deepEqual(fake.calls, []);
  });
}

const cases: readonly (readonly [what: string, body: object, taken: boolean])[] = [
  ["a name in lowerCamelCase", { metadata: { name: "a" }, logDirectory: "", kind: "x" }, false],
  ["no name of either kind", { metadata: { name: "a" }, kind: "x" }, false],
  [
    "names of both kinds",
    { metadata: { name: "a" }, hostname: "", log_directory: "", dnsConfig: {}, kind: "x" },
    false,
  ],
  [
    "a name of both kinds deep inside",
    { log_directory: "", metadata: { name: "a" }, linux: { securityContext: {} }, kind: 1 },
    false,
  ],
  ["a name in snake_case", { metadata: { name: "a" }, log_directory: "", kind: "x" }, true],
  [
    "a name in snake_case deep inside",
    { metadata: { name: "b" }, linux: { security_context: {} }, kind: "x" },
    true,
  ],
  ["a name in snake_case in a list", { metadata: { name: "c" }, port_mappings: [], kind: "x" }, true],
  [
    "snake_case in a label and in an unknown field",
    { metadata: { name: "a" }, labels: { log_directory: "" }, kind: { log_path: "" } },
    false,
  ],
  ["the value null in snake_case", { metadata: { name: "d" }, log_directory: null, kind: "x" }, true],
];

for (const [what, body, taken] of cases) {
  test(`a body with ${what} is ${taken ? "one" : "none"} of crictl's files`, async () => {
    const answer = await send("/v1/pods", JSON.stringify(body));
    assert.equal(answer.status, taken ? 201 : 400, answer.text);
    assert.deepEqual(warned(answer), taken ? ["/kind"] : []);
  });
}

test("fieldValidation decides for a body of either spelling", async () => {
  for (const body of [
    { metadata: { name: "v" }, logDirectory: "", kind: "x" },
    { metadata: { name: "v" }, log_directory: "", kind: "x" },
  ]) {
    const text = JSON.stringify(body);
    problemOf(await send("/v1/pods?fieldValidation=Strict", text), { status: 400, code: "invalid_request" });
    const warn = await send("/v1/pods?fieldValidation=Warn", text);
    assert.equal(warn.status, 201, warn.text);
    assert.deepEqual(warned(warn), ["/kind"]);
    const [call] = fake.callsOf("RuntimeService/RunPodSandbox");
    assert.equal(valueAt(call?.request, "config.kind"), undefined);
    fake.on("RuntimeService/RunPodSandbox", { podSandboxId: "p" }, { once: true });
    const ignore = await send("/v1/pods?fieldValidation=Ignore", text);
    assert.equal(ignore.status, 201, ignore.text);
    assert.equal(ignore.headers.warning, undefined);
    await open.ask(`DELETE /v1/pods/${warn.json<{ podSandboxId: string }>().podSandboxId}`);
  }
});

test("fieldValidation is one of Kubernetes' three words, and belongs to a body", async () => {
  for (const word of ["strict", "None", "", "Warn,Ignore"]) {
    const answer = await send(`/v1/pods?fieldValidation=${word}`, '{"metadata": {"name": "a"}}');
    const problem = problemOf(answer, { status: 400, code: "invalid_request" });
    assert.equal(problem.errors?.[0]?.parameter, "fieldValidation");
    assert.match(problem.errors?.[0]?.detail ?? "", /Strict or Warn or Ignore/);
  }
  for (const target of ["GET /v1/pods?fieldValidation=Warn", "POST /v1/pods/a/stop?fieldValidation=Warn"]) {
    const problem = problemOf(await open.ask(target), { status: 400, code: "invalid_request" });
    assert.equal(problem.errors?.[0]?.parameter, "fieldValidation");
  }
});

test("Warn leaves out nothing else: a wrong type, a missing or a repeated field is refused", async () => {
  for (const [body, pointer] of [
    ['{"metadata": {"name": 5}, "log_directory": "/tmp", "kind": 1}', "/metadata/name"],
    ['{"metadata": {}, "log_directory": "/tmp", "kind": 1}', "/metadata/name"],
    ['{"metadata": {"name": "a"}, "log_directory": 1, "kind": 1}', "/log_directory"],
    ['{"metadata": {"name": "a"}, "log_directory": "/tmp", "logDirectory": "/tmp"}', "/logDirectory"],
  ] as const) {
    const answer = await send("/v1/pods?fieldValidation=Warn", body);
    const problem = problemOf(answer, { status: 400, code: "invalid_request" });
    assert.deepEqual(
      problem.errors?.map((error) => error.pointer),
      [pointer],
      body,
    );
  }
  const twice = await send(
    "/v1/pods?fieldValidation=Ignore",
    '{"metadata": {"name": "a"}, "kind": 1, "kind": 2}',
  );
  problemOf(twice, { status: 400, code: "invalid_json" });
});

test("a Warning stands beside a later refusal too", async () => {
  const body = { metadata: { name: "w" }, image: "absent/image:1", log_path: "a.log", kind: "x" };
  const answer = await send(targetOf("container"), JSON.stringify(body));
  assert.equal(answer.status, 404, answer.text);
  assert.deepEqual(warned(answer), ["/kind"]);
});

test("Warning headers are bounded in number and length, and hold no character that a header may not", async () => {
  const many = Object.fromEntries(Array.from({ length: 50_000 }, (_, index) => [`k${index}`, index]));
  const answer = await send(
    "/v1/pods?fieldValidation=Warn",
    JSON.stringify({ ...many, metadata: { name: "many" } }),
  );
  assert.equal(answer.status, 201, answer.text);
  assert.equal(warned(answer).length, 20);
  assert.equal(warningsOf(answer.headers).at(-1), '299 - "49980 more unknown fields"');
  const odd = ['a"b\\c', "line\r\nInjected: yes", "ü\u0000\u{1f600}", "x".repeat(5000), "a/b~c", ""];
  const body = Object.fromEntries(odd.map((key) => [key, 1]));
  const strange = await send(
    "/v1/pods?fieldValidation=Warn",
    JSON.stringify({ ...body, metadata: { name: "odd" } }),
  );
  assert.equal(strange.status, 201, strange.text);
  const warnings = warningsOf(strange.headers);
  assert.equal(warnings.length, odd.length);
  for (const warning of warnings) {
    assert.match(warning, /^299 - "(?:[^"\\]|\\["\\])*"$/);
    assert.match(warning, /^[ -~]*$/);
    assert.ok(warning.length < 300, warning);
  }
  assert.equal(strange.headers.injected, undefined);
  assert.deepEqual(warned(strange).slice(0, 3), [
    '/a"b\\c',
    "/line\\u000d\\u000aInjected: yes",
    "/\\u00fc\\u0000\\ud83d\\ude00",
  ]);
  assert.equal(warned(strange)[4], "/a~1b~0c");
});

test("YAML is taken by each of its media types, and by no other", async () => {
  const text = "metadata:\n  name: typed\n";
  for (const type of [
    yaml,
    "application/x-yaml",
    "text/yaml",
    "text/x-yaml",
    "application/yaml; charset=utf-8",
  ]) {
    fake.on("RuntimeService/RunPodSandbox", { podSandboxId: "p" }, { once: true });
    const answer = await send("/v1/pods", text, type);
    assert.equal(answer.status, 201, `${type}: ${answer.text}`);
  }
  for (const type of ["text/plain", "application/vnd.yaml", "yaml"])
    problemOf(await send("/v1/pods", text, type), { status: 415, code: "unsupported_media_type" });
});

test("YAML keeps what JSON cannot: digits beyond a double's, and texts that look like other things", async () => {
  const text = `
metadata: {name: exact, uid: "007"}
labels: {version: "1.10", answer: no, on: "yes", 8080: "port"}
linux:
  resources: {memoryLimitInBytes: 9223372036854775807, cpuQuota: -1}
  sysctls: {net.ipv4.ip_forward: "0"}
`;
  const answer = await send("/v1/pods", text, yaml);
  assert.equal(answer.status, 201, answer.text);
  const config = fake.callsOf("RuntimeService/RunPodSandbox")[0]?.request.config;
  assert.deepEqual(valueAt(config, "labels"), {
    version: "1.10",
    answer: "no",
    on: "yes",
    "8080": "port",
    "crest/managed": "true",
  });
  assert.equal(valueAt(config, "metadata.uid"), "007");
  assert.deepEqual(valueAt(config, "linux.resources"), {
    memoryLimitInBytes: "9223372036854775807",
    cpuQuota: "-1",
  });
  const beyond = await send("/v1/pods", text.replace("9223372036854775807", "9223372036854775808"), yaml);
  const problem = problemOf(beyond, { status: 400, code: "invalid_request" });
  assert.equal(problem.errors?.[0]?.pointer, "/linux/resources/memoryLimitInBytes");
  const label = await send("/v1/pods", "metadata: {name: a}\nlabels: {big: 12345678901234567890}", yaml);
  assert.match(
    problemOf(label, { status: 400, code: "invalid_request" }).errors?.[0]?.detail ?? "",
    /string/,
  );
});

test("what is wrong with a body in YAML is a problem with its place", async () => {
  for (const [text, code, pointer] of [
    ["metadata:\n  name: a\n  name: b\n", "invalid_yaml", "/metadata/name"],
    ["metadata: {name: a}\nlabels: {a: !secret b}", "invalid_yaml", "/labels/a"],
    ["metadata: &m {name: a}\nlinux: {<<: *m}", "invalid_yaml", "/linux"],
    ["metadata: {name: a}\n---\nmetadata: {name: b}\n", "invalid_yaml", ""],
    ["metadata: {name: [a]}", "invalid_request", "/metadata/name"],
    ["metadata: {name: a}\nhostnam: b\n", "invalid_request", "/hostnam"],
    ["- a\n", "invalid_request", ""],
    ["# nothing\n", "invalid_request", ""],
    ["just a text", "invalid_request", ""],
  ] as const) {
    const problem = problemOf(await send("/v1/pods", text, yaml), { status: 400, code });
    assert.equal(problem.errors?.[0]?.pointer, pointer, text);
    assert.deepEqual(fake.calls, []);
  }
  const bytes = await send("/v1/pods", Buffer.from([0x61, 0x3a, 0x20, 0xff]), yaml);
  problemOf(bytes, { status: 400, code: "invalid_yaml" });
  const large = await send("/v1/pods", `metadata: {name: a}\n# ${"x".repeat(130 * 1024)}`, yaml);
  const problem = problemOf(large, { status: 413, code: "body_too_large" });
  assert.match(problem.detail, /JSON/);
});

test("a body of aliases upon aliases is refused, and one with an anchor is not", async () => {
  const laughs = Array.from({ length: 9 }, (_, level) =>
    level === 0
      ? "a0: &a0 [x, x, x, x, x, x, x, x, x]"
      : `a${level}: &a${level} [${Array(9)
          .fill(`*a${level - 1}`)
          .join()}]`,
  );
  problemOf(
    await send("/v1/pods?fieldValidation=Ignore", `metadata: {name: a}\n${laughs.join("\n")}`, yaml),
    {
      status: 400,
      code: "invalid_yaml",
    },
  );
  const text = "metadata: {name: anchored}\nlabels: &l {app: web}\nannotations: *l\n";
  const answer = await send("/v1/pods", text, yaml);
  assert.equal(answer.status, 201, answer.text);
  assert.deepEqual(valueAt(fake.callsOf("RuntimeService/RunPodSandbox")[0]?.request, "config.annotations"), {
    app: "web",
  });
});

test("an empty body in YAML is none", async () => {
  const { id } = fake.addPod();
  for (const body of ["", "{}"]) {
    const answer = await send(`/v1/pods/${id}/stop`, body, yaml);
    assert.equal(answer.status, 204, answer.text);
  }
  problemOf(await send(`/v1/pods/${id}/stop`, "a: b", yaml), { status: 400, code: "invalid_request" });
});

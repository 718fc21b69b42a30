/**
 * What a caller sends, and where it may appear: a word in every field of every request, a runtime that answers and one
 * that repeats the request in its errors, and a search of everything that the gateway writes.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { status } from "@grpc/grpc-js";
import { WebSocket } from "ws";
import type { Rpc } from "../../src/gen/methods.ts";
import { openFields } from "../../src/runtimes/open-fields.ts";
import { eventually } from "../support/eventually.ts";
import { type FakeRuntime, GrpcFault } from "../support/fake-runtime.ts";
import { createOtlpReceiver } from "../support/otlp-receiver.ts";
import { tempDir } from "../support/temp-dir.ts";
import {
  type Canaries,
  type CanaryRequest,
  canaryRequests,
  createCanaries,
  type Place,
} from "./canary-requests.ts";
import { type SpawnedGateway, spawnGateway } from "./spawned-gateway.ts";
import { fieldsOf } from "./table-messages.ts";

/** `KeyValue.value[1]` -> `KeyValue`, `value` */
const fieldOf = (place: Place): readonly [string, string] | undefined => {
  const [, message = "", field = ""] = /^(\w+)\.(\w+)(?:\[\d\])?$/.exec(place) ?? [];
  return message === "" ? undefined : [message, field];
};
const isSecret = (place: Place): boolean => {
  const [message = "", field = ""] = fieldOf(place.replace(" of a wrong type", "")) ?? [];
  return message !== "" && fieldsOf(message).some(({ name, redact }) => name === field && redact === true);
};
const isProgram = (place: Place): boolean => /\.(cmd|command)\[0\]$/.test(place);
const isOpen = (place: Place): boolean => {
  const [message = "", field = ""] = fieldOf(place) ?? [];
  return openFields[message]?.includes(field) === true;
};
const isKey = (place: Place): boolean => place.endsWith(" key");
const isQuery = (place: Place): boolean => place.startsWith("query ") && !place.startsWith("query command ");
/** Names by which people know what a request is about. */
const names: ReadonlySet<Place> = new Set([
  ...["PodSandboxMetadata.name", "PodSandboxMetadata.namespace", "ContainerMetadata.name", "ImageSpec.image"],
]);

const requestId = "header x-request-id";

/** Errors: of the problem that is answered, and of the log of errors. */
const inErrors = (place: Place): boolean =>
  isOpen(place) ||
  isKey(place) ||
  isProgram(place) ||
  isQuery(place) ||
  place === "path" ||
  place === requestId ||
  // What was wrong must be said, except of a secret.
  ((place.endsWith(" of a wrong type") || place === "an unknown field") && !isSecret(place));

const inAudit = (place: Place): boolean =>
  names.has(place) || place === "path" || place === "header user-agent" || place === requestId;

/** The allowlist: what may appear where. */
const allowed: { readonly [where: string]: (place: Place) => boolean } = {
  // What the runtime knows of an object belongs to its answer: labels, annotations, mounts, its command.
  answers: (place) => !isSecret(place),
  problems: inErrors,
  "log of errors": inErrors,
  "log of requests": (place) => place === "path" || place === requestId,
  "audit log": inAudit,
  // The flags that would permit it name what was asked for.
  "audit log of a policy": (place) => inAudit(place) || isOpen(place) || isKey(place),
  traces: (place) => place === "path" || place === requestId,
  metrics: () => false,
};

function check(where: string, text: string, canaries: Canaries): void {
  const mayAppear = allowed[where];
  assert.ok(mayAppear, where);
  const wrong = [...canaries.in(text)].filter((place) => !mayAppear(place));
  assert.deepEqual(wrong, [], `the ${where}: ${lineWith(text, canaries, mayAppear)}`);
}

const lineWith = (text: string, canaries: Canaries, mayAppear: (place: Place) => boolean): string =>
  text
    .split("\n")
    .find((line) => [...canaries.in(line)].some((place) => !mayAppear(place)))
    ?.slice(0, 2000) ?? "";

async function send(
  { port, token }: SpawnedGateway,
  { method, path, json }: Pick<CanaryRequest, "method" | "path" | "json">,
  headers: { readonly [name: string]: string } = {},
): Promise<{ readonly status: number; readonly text: string }> {
  const response = await fetch(`http://127.0.0.1:${port}${path}`, {
    ...{ method, signal: AbortSignal.timeout(20_000) },
    ...(json === undefined ? {} : { body: JSON.stringify(json) }),
    headers: {
      authorization: `Bearer ${token}`,
      accept: "application/json",
      ...(json === undefined ? {} : { "content-type": "application/json" }),
      ...headers,
    },
  });
  return { status: response.status, text: await response.text() };
}

/** The texts of a request as a runtime may write them. */
function quotes(request: unknown): readonly string[] {
  const texts = (value: unknown): readonly string[] =>
    typeof value === "string"
      ? [value, Buffer.from(value, "base64").toString("utf8")]
      : typeof value === "object" && value !== null
        ? Object.entries(value).flat().flatMap(texts)
        : [];
  const all = texts(request).filter((text) => /c4n/i.test(text));
  const pieces: string[] = [];
  for (let from = 0; from < all.length; from += 120) {
    const some = all.slice(from, from + 120);
    pieces.push(some.join(" "), some.map((text) => JSON.stringify(text)).join(","));
  }
  return pieces;
}

/** The request without the fields that this runtime does not have, so that it reaches it. */
function withoutRefused(request: CanaryRequest, problem: string): CanaryRequest {
  const { errors = [] } = JSON.parse(problem) as {
    readonly errors?: readonly { readonly pointer?: string }[];
  };
  const json = structuredClone(request.json) as { [name: string]: unknown };
  for (const { pointer = "" } of errors) {
    const keys = pointer.split("/").slice(1);
    const last = keys.pop() ?? "";
    const holder = keys.reduce<unknown>(
      (at, key) => (at as { [name: string]: unknown } | undefined)?.[key],
      json,
    );
    delete (holder as { [name: string]: unknown } | undefined)?.[last];
  }
  return { ...request, json };
}

/** Makes the runtime fail with a part of what it was asked, the next one each time. Returns what it has quoted. */
function quoteIn(fake: FakeRuntime, rpc: Rpc, quoted: string[]): () => void {
  let turn = 0;
  return fake.on(rpc, (request) => {
    const pieces = quotes(request);
    const piece = pieces[turn++ % Math.max(1, pieces.length)] ?? "";
    quoted.push(piece);
    throw new GrpcFault(status.UNKNOWN, `cannot do: ${piece}`);
  });
}

/** What must have been repeated: nothing would be found if nothing was said. */
const secrets: readonly Place[] = [
  ...["AuthConfig.password", "AuthConfig.auth", "KeyValue.value", "ExecSyncRequest.cmd[1]"],
];
const others: readonly Place[] = [
  ...["ContainerConfig.args[1]", "ContainerConfig.annotations", "PodSandboxConfig.labels", "Mount.hostPath"],
];

for (const { name, manner, flags, reached, auditLog } of [
  {
    name: "JSON logs, everything granted",
    manner: "containerd-2.1",
    flags: ["--log-format=json"],
    reached: [...secrets, ...others],
    auditLog: "audit log",
  },
  {
    name: "text logs, nothing of the node granted",
    manner: "cri-o",
    flags: ["--log-format=text", "--deny-host"],
    reached: secrets,
    auditLog: "audit log of a policy",
  },
] as const) {
  test(`nothing appears where the allowlist does not have it: ${name}`, { timeout: 300_000 }, async (t) => {
    const auditFile = join(await tempDir(t), "audit.log");
    const receiver = await createOtlpReceiver();
    t.after(() => receiver.close());
    const gateway = await spawnGateway(t, {
      manner,
      flags: [
        ...flags,
        ...["--log-level=debug", "--audit-level=all", `--audit-file=${auditFile}`],
        `--otlp-endpoint=${receiver.endpoint}`,
      ],
      env: { OTEL_BSP_SCHEDULE_DELAY: "20" },
    });
    const canaries = createCanaries();
    const quoted: string[] = [];
    const requests = canaryRequests(gateway.fake, canaries).filter(({ route }) => !isEndless(route.id));
    const problems: string[] = [];
    const answers: string[] = [];
    const note = ({ status, text }: { readonly status: number; readonly text: string }): void =>
      void (status >= 400 ? problems : answers).push(text);
    for (const made of requests) {
      let request = made;
      if ("rpc" in request.route) {
        const undo = quoteIn(gateway.fake, request.route.rpc, quoted);
        const rounds = request.json === undefined ? 1 : 1 + quotes(request.json).length;
        for (let round = 0; round < rounds; round++) {
          const answer = await send(gateway, request);
          note(answer);
          if (answer.status === 501) request = withoutRefused(request, answer.text);
        }
        undo();
      }
      note(await send(gateway, request, { "user-agent": canaries.at("header user-agent") }));
    }
    await sendHeaders(gateway, canaries, note);
    check("answers", answers.join("\n"), canaries);
    check("problems", problems.join("\n"), canaries);
    check(
      "metrics",
      (await send(gateway, { method: "GET", path: "/metrics", json: undefined })).text,
      canaries,
    );
    const lines = gateway.process.stderr().split("\n");
    const isOfRequest = (line: string): boolean => /"level":"(info|debug)"|Z (info|debug) /.test(line);
    check("log of requests", lines.filter(isOfRequest).join("\n"), canaries);
    check("log of errors", lines.filter((line) => !isOfRequest(line)).join("\n"), canaries);
    const audited = readFileSync(auditFile, "utf8");
    check(auditLog, audited, canaries);
    await eventually(() => receiver.spans.length > 50);
    check("traces", receiver.bodies.join("\n"), canaries);
    const repeated = canaries.in(quoted.join("\n"));
    for (const place of reached) assert.ok(repeated.has(place), `no runtime repeated ${place}`);
    assert.ok(canaries.in(problems.join("\n")).size > 50, "problems repeated nothing");
    assert.ok(canaries.in(audited).has("header user-agent"));
  });
}

/** Streams that have no end as JSON. */
const isEndless = (routeId: string): boolean => routeId === "listEvents";

/** Headers, and tokens in each of their places. */
async function sendHeaders(
  gateway: SpawnedGateway,
  canaries: Canaries,
  note: (answer: { readonly status: number; readonly text: string }) => void,
): Promise<void> {
  const list = { method: "GET", path: "/v1/pods", json: undefined };
  const wrong = { authorization: `Bearer ${canaries.at("header authorization")}` };
  for (const headers of [
    wrong,
    { authorization: `Basic ${Buffer.from(`u:${canaries.at("header authorization")}`).toString("base64")}` },
    { cookie: `session=${canaries.at("header cookie")}` },
    { "x-request-id": canaries.at("header x-request-id") },
    { traceparent: `00-${canaries.at("header traceparent")}`, tracestate: canaries.at("header tracestate") },
    { "last-event-id": canaries.at("header last-event-id") },
    { "if-none-match": canaries.at("header if-none-match") },
    { "accept-language": canaries.at("header accept-language") },
    { "x-forwarded-for": canaries.at("header x-forwarded-for") },
  ])
    note(await send(gateway, list, headers));
  note(await send(gateway, { ...list, path: `/v1/nothing?token=${canaries.at("query of no route")}` }));
  const token = Buffer.from(canaries.at("token of a WebSocket")).toString("base64url");
  await closed(gateway, `/v1/events?unknown=${canaries.at("query of a WebSocket")}`, [
    `base64url.bearer.authorization.k8s.io.${token}`,
  ]);
}

/** Opens a WebSocket and waits for its end. */
async function closed(
  { port }: SpawnedGateway,
  path: string,
  subprotocols: readonly string[],
): Promise<void> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}${path}`, [...subprotocols]);
  socket.on("error", () => undefined);
  await new Promise<void>((resolve) => socket.once("close", () => resolve()));
}

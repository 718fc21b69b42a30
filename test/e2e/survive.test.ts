/** Requests that a runtime would die of, and others that are nearly right: the runtime lives through them all. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { listProcesses } from "../../src/embedded/processes.ts";
import type { VersionResponse } from "../../src/gen/messages.ts";
import { methods } from "../../src/gen/methods.ts";
import { routes } from "../../src/routes/index.ts";
import { createDice } from "../unit/gen/dice.ts";
import { type Answer, anyProblemOf, bodyOf, problemOf } from "./support/api.ts";
import { reasonToSkip } from "./support/machine.ts";
import { type Json, scramble, type Variant, variantsOf } from "./support/mutate.ts";
import { image, newName, type Resource, removePod, runContainer, runPod } from "./support/pods.ts";
import { useGateway } from "./support/suite.ts";

const skip = await reasonToSkip();
const seed = Number(process.env.CREST_TEST_SEED ?? Date.now() % 2 ** 31);
const randomBodies = 300;
/** Requests at once. */
const width = 4;

let pod: Resource;
let container: Resource;
const crest = useGateway(skip, {
  async prepare(gateway) {
    pod = await runPod(gateway);
    container = await runContainer(gateway, pod);
  },
});

/** The one containerd of the gateway, told from one that took its place. */
function containerdNow(): string {
  const ours = listProcesses().filter(({ argv }) => argv.includes(`${crest().dataDir}/containerd.toml`));
  assert.equal(ours.length, 1);
  return `${ours[0]?.pid} since ${ours[0]?.startTicks}`;
}

/** A whole request, with every message that a runtime looks into. Names change so that none is taken. */
const bases: { readonly [routeId: string]: () => Json } = {
  runPod: () => ({
    metadata: { name: newName(), uid: "u", namespace: "n", attempt: 0 },
    hostname: "host",
    dnsConfig: { servers: ["192.0.2.53"], searches: [], options: [] },
    portMappings: [],
    labels: { a: "b" },
    annotations: { c: "d" },
    linux: {
      securityContext: { namespaceOptions: { network: "POD", pid: "CONTAINER" }, readonlyRootfs: false },
      sysctls: {},
      overhead: { cpuShares: "10" },
      resources: { cpuShares: "10" },
    },
  }),
  createContainer: () => ({
    metadata: { name: newName(), attempt: 0 },
    image: { image },
    command: ["sleep"],
    args: ["3600"],
    envs: [{ key: "A", value: "b" }],
    mounts: [],
    labels: {},
    annotations: {},
    linux: {
      resources: { cpuShares: "10", oomScoreAdj: "500" },
      securityContext: { capabilities: { dropCapabilities: ["NET_RAW"] }, namespaceOptions: { pid: "POD" } },
    },
    sandboxConfig: { metadata: { name: "p", uid: "u", namespace: "n" }, linux: {} },
  }),
  execSync: () => ({ cmd: ["true"], timeout: "10" }),
  updateContainerResources: () => ({ linux: { cpuShares: "20" }, annotations: {} }),
  updatePodResources: () => ({ overhead: { cpuShares: "20" }, resources: { cpuShares: "20" } }),
  setNetworkConfig: () => ({ podCidr: "" }),
  // Nobody listens on port 1.
  pullImage: () => ({
    image: { image: "127.0.0.1:1/none/none:none" },
    auth: { username: "u", password: "p" },
    sandboxConfig: { metadata: { name: "p", uid: "u", namespace: "n" } },
  }),
  // A checkpoint is never made: these stand for what is left out, empty and null only.
  checkpointContainer: () => ({ location: "" }),
  checkpointPod: () => ({}),
  restorePod: () => ({}),
};

const mutating = routes.filter(({ http }) => !http.startsWith("GET "));

function pathOf(routeId: string): readonly [method: string, path: string] {
  const route = mutating.find(({ id }) => id === routeId);
  const [method = "", path = ""] = route?.http.split(" ") ?? [];
  const ids: { readonly [name: string]: string } = { podSandboxId: pod.id, containerId: container.id };
  return [method, path.replace(/\{(\w+)\}/g, (_, name: string) => ids[name] ?? "absent")];
}

/** Sends a body to a route, and asserts that the answer is one that a live runtime gives. */
async function send(routeId: string, { what, body }: { what: string; body: unknown }): Promise<Answer> {
  const [method, path] = pathOf(routeId);
  const answer = await crest().send(method, path, { body });
  const where = `${routeId}: ${what}: ${answer.text}`;
  if (answer.status < 300) {
    const { location } = answer.headers;
    if (location?.startsWith("/v1/pods/")) await removePod(crest(), { path: location, id: "" });
    return answer;
  }
  const problem = anyProblemOf(answer);
  assert.ok(problem.code !== "internal" && problem.code !== "runtime_unavailable", where);
  // What the runtime refuses, it refuses in its own words.
  if (problem.grpcCode !== undefined) return answer;
  assert.ok(problem.status < 500, where);
  if (problem.status !== 400) return answer;
  // What the gateway itself refuses names its place.
  const [mistake] = problem.errors ?? [];
  assert.ok(mistake?.pointer !== undefined || mistake?.parameter !== undefined, where);
  return answer;
}

async function sendAll(requests: readonly { readonly routeId: string; readonly variant: Variant }[]) {
  const counts = new Map<number, number>();
  const waiting = [...requests];
  const worker = async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const { status } = await send(next.routeId, next.variant);
      counts.set(status, (counts.get(status) ?? 0) + 1);
    }
  };
  await Promise.all(Array.from({ length: width }, worker));
  return [...counts]
    .sort()
    .map(([status, count]) => `${count} x ${status}`)
    .join(", ");
}

async function assertAlive(before: string): Promise<void> {
  assert.equal(containerdNow(), before);
  const { runtimeName } = bodyOf(await crest().get<VersionResponse>("/v1/version"));
  assert.equal(runtimeName, "containerd");
}

test("without a body, with an empty one and with no object every mutating route answers", {
  skip,
}, async () => {
  const before = containerdNow();
  for (const { id, path } of mutating) {
    // What would stop or remove the pod that the others need is sent to one that is absent.
    if (path !== undefined && bases[id] === undefined) continue;
    for (const body of [undefined, "", {}, "{}", "null", "[]", '""', "0", "{"]) {
      await send(id, { what: `body ${body}`, body });
    }
  }
  await assertAlive(before);
});

test("what a runtime dereferences unchecked is refused at its place", { skip }, async () => {
  const before = containerdNow();
  const metadata = { name: newName() };
  for (const [routeId, body, pointer] of [
    ["runPod", {}, "/metadata"],
    ["runPod", { metadata: null }, "/metadata"],
    ["runPod", { metadata: { name: "" } }, "/metadata/name"],
    ["createContainer", {}, "/metadata"],
    ["createContainer", { metadata: {} }, "/metadata/name"],
    ["createContainer", { metadata }, "/image"],
    ["createContainer", { metadata, image: null }, "/image"],
    ["createContainer", { metadata, image: {} }, "/image/image"],
    ["createContainer", { metadata, image: "" }, "/image"],
    ["createContainer", { metadata, image, sandboxConfig: {} }, "/sandboxConfig/metadata"],
    ["createContainer", { metadata, image, sandboxConfig: { metadata: null } }, "/sandboxConfig/metadata"],
    ["updateContainerResources", {}, "/linux"],
    ["updateContainerResources", { linux: null }, "/linux"],
    ["execSync", {}, "/cmd"],
    ["pullImage", {}, "/image"],
    ["pullImage", { image: null }, "/image"],
    ["pullImage", { image: { image: "" } }, "/image/image"],
  ] as const) {
    const answer = await send(routeId, { what: "", body });
    const problem = problemOf(answer, 400, "invalid_request");
    assert.equal(problem.errors?.[0]?.pointer, pointer, `${routeId} ${JSON.stringify(body)}`);
  }
  await assertAlive(before);
});

test("a container is made where the sandbox config is null, as where it is left out", { skip }, async () => {
  const body = { metadata: { name: newName() }, image, sandboxConfig: null };
  bodyOf(await send("createContainer", { what: "sandboxConfig null", body }), 201);
});

test("each message of each request may be missing, null or empty", { skip }, async (t) => {
  const before = containerdNow();
  const requests = mutating.flatMap((route) => {
    const base = bases[route.id];
    if (route.kind !== "unary" || base === undefined) return [];
    const { request } = methods[route.rpc];
    const spread = typeof route.body === "object" ? route.body.spread : undefined;
    return variantsOf(request, inMessage(spread, base())).map(({ what, body }) => ({
      routeId: route.id,
      variant: { what, body: inBody(spread, { ...body, ...freshName(spread, body) }) },
    }));
  });
  t.diagnostic(`${requests.length} requests: ${await sendAll(requests)}`);
  await assertAlive(before);
});

test("random bodies that are nearly right are done or refused", { skip }, async (t) => {
  t.diagnostic(`CREST_TEST_SEED=${seed}`);
  const dice = createDice(seed);
  const before = containerdNow();
  const ids = [
    "runPod",
    ...Array(4).fill("createContainer"),
    "execSync",
    "updateContainerResources",
    "pullImage",
  ];
  const requests = Array.from({ length: randomBodies }, () => {
    const routeId = dice.pick(ids);
    return { routeId, variant: scramble(bases[routeId]?.() ?? {}, dice) };
  });
  t.diagnostic(await sendAll(requests));
  await assertAlive(before);
});

test("after all that a pod still runs", { skip }, async () => {
  const answer = await crest().post<{ stdout: string }>(`${container.path}/exec`, { cmd: ["echo", "alive"] });
  assert.equal(bodyOf(answer).stdout, "alive\n");
  await removePod(crest(), await runPod(crest()));
  await removePod(crest(), pod);
  assert.ok(!crest().process.output().includes('"level":"error"'), crest().process.output());
});

/** A body as the message that it stands for: members of the spread field are beside the others. */
function inMessage(spread: string | undefined, { sandboxConfig, runtimeHandler, ...rest }: Json): Json {
  if (spread === undefined) return { ...rest, ...(sandboxConfig ? { sandboxConfig } : {}) };
  const others = {
    ...(sandboxConfig ? { sandboxConfig } : {}),
    ...(runtimeHandler ? { runtimeHandler } : {}),
  };
  return { ...others, ...nest(spread.split("."), rest) };
}

function nest([key = "", ...rest]: readonly string[], value: Json): Json {
  return { [key]: rest.length === 0 ? value : nest(rest, value) };
}

/** The way back; a spread message that is missing, null or empty is an empty body. */
function inBody(spread: string | undefined, message: Json): Json {
  if (spread === undefined) return message;
  const [key = ""] = spread.split(".");
  const { [key]: _config, ...others } = message;
  const inside = spread
    .split(".")
    .reduce<unknown>((at, name) => (at as Json | null | undefined)?.[name], message);
  return { ...(inside as Json | null | undefined), ...others };
}

/** Names are taken once: each variant gets its own, where it still has one. */
function freshName(spread: string | undefined, message: Json): Json {
  if (spread !== "config") return {};
  const config = message.config as Json | null | undefined;
  const metadata = config?.metadata as Json | null | undefined;
  return metadata?.name ? { config: { ...config, metadata: { ...metadata, name: newName() } } } : {};
}

/** Nothing that a caller does not see is in any answer to it: not in lists, streams, errors, logs or usage. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { status } from "@grpc/grpc-js";
import type { Route } from "../../src/routes/define.ts";
import { routes } from "../../src/routes/index.ts";
import { eventually } from "../support/eventually.ts";
import { type Answerer, failing, mannerNames, type RpcName } from "../support/fake-runtime.ts";
import { token } from "./live-gateway.ts";
import { askOver, type Form, formsOf } from "./scope-requests.ts";
import { canaryPort, type Group, hiddenMetadata, scopedWorld, views, type World } from "./scope-world.ts";
import { methodOf, patternOf } from "./table-cases.ts";

/** Fails if an answer has anything of what is hidden, besides what was asked for. */
function holdBack(world: World, text: string, asked: string): void {
  const rest = text.replaceAll(asked, "").replaceAll(decodeURIComponent(asked), "");
  for (const word of ["canary", ...world.hiddenIds])
    assert.ok(!rest.includes(word), `${asked} tells of ${word}: ${text}`);
}

async function ask(world: World, target: string, form: Form = "application/json", json?: object) {
  const [method = "", path = ""] = target.split(" ");
  const until = new Promise((resolve) => setTimeout(resolve, 100));
  const where = { port: world.port, authorization: `Bearer ${token}` };
  return await askOver(where, { method, path, json }, { form, until });
}

/** Parameters that ask for what is hidden, or for as much as possible. */
const parameters: { readonly [name: string]: readonly string[] } = {
  id: ["POD", "RUNNING", "abcd1", "abcd"],
  pod: ["POD", "abcd1a00", "canary-pod", "canary-gone"],
  container: ["RUNNING", "canary-running"],
  namespace: ["secret"],
  labelSelector: ["team%3Dothers", "note%3Dcanary-label", "team"],
  state: ["exited", "ready", "notready"],
  verbose: ["true"],
  history: ["15m"],
  since: ["10m"],
  tailLines: ["5"],
  limit: ["1"],
  unmanaged: ["true"],
  previous: ["true"],
  grep: ["canary"],
  timeout: ["0"],
};

/** What is asked for in any case: the wait for a running container would last, and readings come slowly by default. */
const required: { readonly [id: string]: string } = {
  execContainer: "command=true&",
  forwardPorts: "ports=80&",
  waitContainer: "timeout=0&",
  watchContainerStats: "interval=1s&",
  watchPodStats: "interval=1s&",
};

/** The queries of a route: none, each of these that it has, and an unknown one, which an error is about. */
function queriesOf(route: Route, { pod, running }: Group): readonly string[] {
  const own = { ...route.query, ...("filters" in route ? route.filters : {}), ...route.gatewayParams };
  const names = [...Object.keys(own), ...(route.kind === "list" ? ["limit", "labelSelector"] : [])];
  const base = `?${required[route.id] ?? ""}`;
  return [
    base.slice(0, -1),
    `${base}unknown=1`,
    ...names.flatMap((name) =>
      (parameters[name] ?? []).map(
        (value) => `${base}${name}=${value.replace("POD", pod).replace("RUNNING", running)}`,
      ),
    ),
  ];
}

/** What the path of a route may name: what is hidden, by every name that it has, and what is seen. */
function namesFor(route: Route, { hidden, seen }: World): readonly string[] {
  const fields = Object.values(route.path ?? {});
  if (fields.includes("image.image")) return ["used-by-others:1"];
  if (fields.includes("pullId")) return ["none"];
  if (fields.length === 0) return [""];
  const isPod = fields.includes("podSandboxId");
  return [
    ...[hidden.pod, hidden.running, hidden.exited, hidden.removed, hidden.removedPod],
    ...["abcd1", "abcd1a", "abcd1b", "abcd1d", "abcd", "secret%2Fcanary-pod"],
    ...(isPod ? ["canary-pod", "canary-gone"] : ["canary-running", "canary-removed"]),
    isPod ? seen.pod : seen.running,
  ];
}

const bodies: { readonly [id: string]: object } = {
  execSync: { cmd: ["true"] },
  createContainer: { metadata: { name: "another" }, image: "tiny:1" },
  runPod: { metadata: { namespace: "demo", name: "another" }, labels: { team: "demo" } },
  pullImage: { image: "none:1" },
};

const bodyOf = (route: Route): object | undefined =>
  bodies[route.id] ?? (route.kind === "unary" && route.body !== undefined ? {} : undefined);

const reads = (route: Route): boolean => methodOf(route) === "GET";

interface Question {
  readonly target: string;
  readonly form: Form;
  readonly asked: string;
}

/** What to ask of a route: what is hidden in each form; the rest in one form, and what is seen with each parameter. */
function* questions(route: Route, world: World): Generator<Question> {
  const { hidden, seen } = world;
  // JSON of what lasts is its second item.
  const form: Form = route.kind === "stream" ? "application/x-ndjson" : "application/json";
  for (const name of namesFor(route, world)) {
    const path = `${methodOf(route)} ${patternOf(route).replace(/\{\w+\}/, name)}`;
    const isOwn = name === seen.pod || name === seen.running;
    // What is seen would be changed, and cannot be asked about again.
    if (isOwn && !reads(route)) continue;
    const [base = "", ...queries] = queriesOf(route, hidden);
    const forms = isOwn || [hidden.pod, hidden.running, ""].includes(name) ? formsOf(route) : [form];
    for (const one of forms) yield { target: `${path}${base}`, form: one, asked: name || "?" };
    if (!isOwn && name !== "") continue;
    for (const query of queries)
      yield { target: `${path}${query}`, form, asked: query.split("=").at(-1) ?? "?" };
  }
}

for (const [view, grants] of Object.entries(views)) {
  // The rules of runtimes differ where names, filters and errors do; the ways to narrow a grant do not.
  for (const manner of view === "denied by label" ? mannerNames : mannerNames.slice(2, 3)) {
    test(`no route tells of what is hidden, ${view}, on ${manner}`, async (t) => {
      const world = await scopedWorld(t, manner, grants);
      let found = 0;
      const lasting: Promise<void>[] = [];
      for (const route of routes) {
        if (route.id === "setNetworkConfig") continue;
        const check = async ({ target, form, asked }: Question): Promise<void> => {
          const { text } = await ask(world, target, form, bodyOf(route));
          holdBack(world, text, asked);
          if (text.includes(world.seen.pod) || text.includes(world.seen.running)) found++;
        };
        // Answers that last are read while the other routes are asked.
        for (const question of questions(route, world))
          if (route.kind === "stream") lasting.push(check(question));
          else await check(question);
      }
      await Promise.all(lasting);
      assert.ok(found > 20, "what is seen is told");
      for (const path of ["/metrics/cadvisor", "/metrics", "/readyz?verbose"])
        holdBack(world, (await ask(world, `GET ${path}`)).text, "?");
    });
  }
}

/** What others do with a pod that is hidden. Its ids are hidden from the beginning. */
async function liveElsewhere({ fake, hiddenIds }: World): Promise<void> {
  const metadata = { ...hiddenMetadata, name: "canary-late", uid: "canary-late-uid" };
  const labels = { team: "others" };
  const { podSandboxId } = await fake.perform("RuntimeService/RunPodSandbox", {
    config: { metadata, labels },
  });
  hiddenIds.add(String(podSandboxId));
  const config = {
    metadata: { name: "canary-app" },
    image: { image: "tiny:1", userSpecifiedImage: "tiny:1" },
    labels: { team: "demo", note: "canary-label" },
    args: ["canary-arg"],
  };
  const created = await fake.perform("RuntimeService/CreateContainer", {
    podSandboxId,
    config,
    sandboxConfig: { metadata, labels },
  });
  const containerId = String(created.containerId);
  hiddenIds.add(containerId);
  await fake.perform("RuntimeService/StartContainer", { containerId });
  await fake.perform("RuntimeService/ExecSync", { containerId, cmd: ["true"] });
  await fake.exitContainer(containerId, 3);
  await fake.perform("RuntimeService/RemoveContainer", { containerId });
  await fake.perform("RuntimeService/StopPodSandbox", { podSandboxId });
  await fake.perform("RuntimeService/RemovePodSandbox", { podSandboxId });
}

const streamed: readonly string[] = [
  "/v1/events?watch=true",
  "/v1/events?watch=true&labelSelector=team%3Ddemo",
  "/v1/logs?follow=true",
  "/v1/stats/containers/watch?interval=1s",
  "/v1/stats/pods/watch?interval=1s",
];

for (const [view, grants] of Object.entries(views)) {
  for (const manner of view === "given by label" ? mannerNames : mannerNames.slice(2, 3)) {
    test(`no stream tells of what comes and goes elsewhere, ${view}, on ${manner}`, async (t) => {
      const world = await scopedWorld(t, manner, grants);
      const { fake, seen, port } = world;
      const leaving = new AbortController();
      const until = new Promise((resolve) => leaving.signal.addEventListener("abort", resolve));
      const forms: readonly Form[] = ["application/x-ndjson", "text/event-stream", "text/plain", "websocket"];
      const texts = new Map<string, string>();
      const answers = streamed.flatMap((path) =>
        forms.map(async (form) => {
          const key = `${form} ${path}`;
          const answer = await askOver(
            { port, authorization: `Bearer ${token}` },
            { method: "GET", path, json: undefined },
            { form, until, came: (text) => texts.set(key, text) },
          );
          return { path, ...answer };
        }),
      );
      await eventually(() => texts.size === answers.length, { timeoutMs: 20_000 });
      await liveElsewhere(world);
      // Later than what happened elsewhere.
      await fake.exitContainer(seen.running, 7);
      const ofEvents = [...texts.keys()].filter((key) => key.includes("/v1/events"));
      const isTold = (key: string): boolean => /"exitCode":7|exitCode=7/.test(texts.get(key) ?? "");
      await eventually(() => ofEvents.every(isTold), { timeoutMs: 30_000 });
      leaving.abort();
      for (const { path, text } of await Promise.all(answers)) holdBack(world, text, path);
      for (const since of ["10m", "1s"]) {
        const target = `GET /v1/events?since=${since}`;
        holdBack(world, (await ask(world, target)).text, target);
      }
      for (const id of world.hiddenIds)
        holdBack(world, (await ask(world, `GET /v1/containers/${id}/post-mortem`)).text, id);
    });
  }
}

/** Fails for requests about this id, and does the rest. */
const failingFor =
  (id: string, answer: Answerer): Answerer =>
  (request, call) =>
    JSON.stringify(request).includes(id) ? answer(request, call) : call.next();

for (const manner of mannerNames) {
  test(`no error tells of what is hidden on ${manner}`, async (t) => {
    const world = await scopedWorld(t, manner, views["given by label"] ?? assert.fail());
    const { fake, hidden, seen } = world;
    const check = async (target: string, json: object | undefined, expected: number, asked = "?") => {
      const answer = await world.ask(target, json);
      holdBack(world, answer.text, asked);
      assert.equal(answer.status, expected, answer.text);
      return answer;
    };

    // A name that another pod has, by a caller that may make a pod of this name.
    const labels = { team: "demo" };
    const taken = { namespace: "secret", name: "taken", uid: "taken-uid", attempt: 0 };
    world.hiddenIds.add(fake.addPod({ ...taken, labels: { team: "others" } }).id);
    const reserved = await check("POST /v1/pods", { metadata: taken, labels }, 409);
    assert.equal(reserved.at("code"), "name_reserved", reserved.text);
    // A port that another pod has.
    const portMappings = [{ hostPort: canaryPort, containerPort: 80 }];
    const metadata = { namespace: "demo", name: "port" };
    const inUse = await check("POST /v1/pods", { metadata, labels, portMappings }, 409);
    assert.equal(inUse.at("code"), "port_in_use", inUse.text);
    // An image that others use.
    const user = await check("DELETE /v1/images/used-by-others:1", undefined, 409, "used-by-others:1");
    assert.match(String(user.at("detail")), /a container uses it$/);
    await check("POST /v1/images/prune?dryRun=false", undefined, 200);

    // Words of the runtime about others, and about what was asked for.
    const quoting = failing(status.UNKNOWN, `busy with "${hidden.running}" of ${hidden.pod} and ${seen.pod}`);
    for (const [rpc, target, json] of [
      ["RuntimeService/StopPodSandbox", `POST /v1/pods/${seen.pod}/stop`, undefined],
      ["RuntimeService/CreateContainer", `POST /v1/pods/${seen.pod}/containers`, bodies.createContainer],
      ["RuntimeService/ContainerStatus", `GET /v1/containers/${seen.running}`, undefined],
      ["RuntimeService/ListContainers", "GET /v1/containers", undefined],
    ] as const) {
      const stop = fake.on(rpc, quoting);
      const { text } = await check(target, json, 502);
      assert.ok(text.includes('busy with \\"(out of scope)\\" of (out of scope) and '), text);
      stop();
    }

    // Members that cannot be read: of what is hidden they are not told, of what is seen they are.
    const broken = failing(status.UNKNOWN, "cgroups: cgroup deleted");
    const rpcs: readonly RpcName[] = [
      ...(["RuntimeService/ListContainerStats", "RuntimeService/StreamContainerStats"] as const),
    ];
    for (const [id, failures] of [
      [hidden.running, undefined],
      [seen.running, seen.running],
    ] as const) {
      const stops = [
        ...rpcs.map((rpc) => fake.on(rpc, broken)),
        fake.on("RuntimeService/ContainerStats", failingFor(id, broken)),
      ];
      await check("GET /v1/stats/containers", undefined, 200);
      const answer = await world.ask("GET /v1/stats/containers");
      // CRI-O leaves it out by itself.
      if (manner !== "cri-o") assert.equal(answer.at("failures.0.id"), failures, answer.text);
      for (const stop of stops) stop();
    }
  });
}

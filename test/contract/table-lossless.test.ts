/**
 * Nothing of a request is lost: every field can be set and arrives. Messages are derived from the descriptor
 * table, the other side of the wire is read by protobuf-es.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { methods, type Rpc } from "../../src/gen/methods.ts";
import type { UnaryRoute } from "../../src/routes/define.ts";
import {
  asBody,
  caseOf,
  plainRoutes,
  sessionRoutes,
  subjectOf,
  targetOf,
  unaryRoutes,
} from "./table-cases.ts";
import { ignoreNothing } from "./table-checks.ts";
import { seed, sharedGateway } from "./table-gateway.ts";
import {
  fieldAt,
  fullMessage,
  keepRules,
  leafPaths,
  type Message,
  messageArbitrary,
  pathsIn,
  putAt,
  recordedForm,
  responseBytes,
  valueAt,
} from "./table-messages.ts";

const runs = { seed, numRuns: 15, includeErrorInReport: true };

const { gateway, fake, open } = await sharedGateway();

ignoreNothing(fake);

const withBody = unaryRoutes.filter(({ body }) => body !== undefined);

/** The message without what path and query set. */
function settable(route: UnaryRoute, message: Message): Message {
  const taken = new Set(Object.values({ ...route.path, ...route.query }));
  return Object.fromEntries(Object.entries(message).filter(([name]) => !taken.has(name)));
}

const joins = "config.linux.securityContext.namespaceOptions";

/** What the gateway asks for or fills in when it is absent: given here, so that nothing is filled in. */
function complete(route: UnaryRoute, message: Message): Message {
  const folder = join(gateway.dataDir, "logs of the test");
  const pod = (at: string): void => {
    putAt(message, `${at}.metadata`, { name: "a name", uid: "an uid", namespace: "a namespace", attempt: 3 });
    putAt(message, `${at}.linux.cgroupParent`, "/a/parent");
    putAt(message, `${at}.logDirectory`, folder);
  };
  switch (route.rpc) {
    case "RuntimeService/RunPodSandbox":
    case "RuntimeService/RestorePod":
      pod("config");
      break;
    case "RuntimeService/CreateContainer":
      pod("sandboxConfig");
      if (valueAt(message, "sandboxConfig.linux.securityContext") === undefined)
        putAt(message, "sandboxConfig.linux.securityContext", {});
      // The pod has a label, which would be recalled.
      if (Object.keys((valueAt(message, "sandboxConfig.labels") as object | undefined) ?? {}).length === 0)
        putAt(message, "sandboxConfig.labels", { app: "web" });
      putAt(message, "config.metadata.name", "a name");
      putAt(message, "config.image.image", "an/image:1");
      putAt(message, "config.image.userSpecifiedImage", "image:1");
      putAt(message, "config.logPath", "a name/0.log");
      for (const { image } of (valueAt(message, "config.mounts") ?? []) as { image?: Message }[])
        if (image) image.userSpecifiedImage = "image:1";
      // A container joins its pod's namespaces when it names none.
      if (valueAt(message, joins) === undefined) putAt(message, joins, { pid: "CONTAINER" });
      break;
    case "ImageService/PullImage":
      putAt(message, "image.image", "an/image:1");
      putAt(message, "image.userSpecifiedImage", "image:1");
      completeCredentials(message.auth as Message | undefined);
      break;
  }
  return message;
}

/** So that there is nothing to choose between, and nothing that this runtime, containerd, would ignore. */
function completeCredentials(auth: Message | undefined): void {
  if (auth === undefined) return;
  if (auth.serverAddress) auth.serverAddress = "https://registry.example";
  auth.password = "a password";
  delete auth.registryToken;
}

/** Refused by containerd's gateway; `registry-credentials.test.ts` has the others. */
const refused: ReadonlySet<string> = new Set(["auth.registryToken"]);

/** What the gateway adds of its own: the label of what it made. */
function withOwn(route: UnaryRoute, message: Message): Message {
  const copy = structuredClone(message);
  if (route.rpc !== "RuntimeService/RunPodSandbox" && route.rpc !== "RuntimeService/RestorePod") return copy;
  const { labels } = copy.config as Message;
  putAt(copy, "config.labels", { ...(labels as object | undefined), "crest/managed": "true" });
  return copy;
}

/** Sends `message` through a route's path and body, and gives what the fake recorded. */
async function sendBody(route: UnaryRoute, message: Message): Promise<{ sent: Message; recorded: object }> {
  const lands: Message = {};
  const it = caseOf(fake, route);
  for (const [field, value] of it.lands)
    if (!route.query || valueAtPath(route, field)) putAt(lands, field, value);
  const lawful = keepRules(methods[route.rpc].request, structuredClone(message));
  const body = complete(route, settable(route, lawful));
  const stop = fake.on(route.rpc, responseBytes(route.rpc, fullMessage(methods[route.rpc].response)));
  fake.calls.length = 0;
  const answer = await open.ask(targetOf(it), { json: asBody(route, body) });
  stop();
  assert.equal(answer.status, route.success, answer.text);
  const [call] = fake.callsOf(route.rpc);
  assert.ok(call, `${route.rpc} was not asked`);
  return { sent: withOwn(route, { ...body, ...lands }), recorded: call.request };
}

const valueAtPath = (route: UnaryRoute, field: string): boolean =>
  Object.values(route.path ?? {}).includes(field);

test("every field of every body arrives as it was sent", async (t) => {
  for (const route of withBody) {
    await t.test(`${route.id}: ${route.rpc}`, async () => {
      const { request } = methods[route.rpc];
      const { sent, recorded } = await sendBody(route, fullMessage(request));
      assert.deepEqual(recorded, recordedForm(route.rpc, sent));
      const queryOnly = new Set(Object.values(route.query ?? {}));
      const missing = leafPaths(request).filter(
        (path) =>
          !queryOnly.has(path) && !refused.has(path) && !pathsIn(request, recorded as Message).has(path),
      );
      assert.deepEqual(missing, [], "fields that no body can set");
    });
  }
});

test(`random bodies arrive as they were sent (seed ${seed})`, async (t) => {
  for (const route of withBody) {
    await t.test(`${route.id}: ${route.rpc}`, async () => {
      const property = fc.asyncProperty(messageArbitrary(methods[route.rpc].request), async (message) => {
        const { sent, recorded } = await sendBody(route, message);
        assert.deepEqual(recorded, recordedForm(route.rpc, sent));
      });
      await fc.assert(property, runs);
    });
  }
});

test("each field of a request is set by path, query, labels or body, or its omission has a reason", async (t) => {
  for (const route of [...plainRoutes, ...sessionRoutes]) {
    await t.test(`${route.id}: ${route.rpc}`, () => {
      const { request } = methods[route.rpc];
      const bound = new Set(Object.values({ ...route.path, ...route.query }));
      if (route.kind === "list") {
        for (const path of Object.values(route.filters ?? {})) bound.add(path);
        if (route.labels !== undefined) bound.add(route.labels);
      }
      for (const [path, reason] of Object.entries(route.omit ?? {})) {
        assert.ok(!bound.has(path), `${path} is bound and omitted`);
        assert.match(reason, /\S/, `${path} is omitted without a reason`);
      }
      for (const path of bound) assert.ok(fieldAt(request, path), path);
      if (route.kind === "unary" && route.body !== undefined) return;
      const open = leafPaths(request).filter((path) => !bound.has(path) && !(path in (route.omit ?? {})));
      assert.deepEqual(open, []);
    });
  }
});

test("no other field is set than path and query say", async (t) => {
  for (const route of plainRoutes.filter((route) => route.kind === "list" || route.body === undefined)) {
    await t.test(`${route.id}: ${route.rpc}`, async () => {
      const it = caseOf(fake, route);
      const full = responseBytes(route.rpc, fullMessage(methods[route.rpc].response));
      // The gateway looks whether a stop or a removal has been done.
      const stop = fake.on(route.rpc, /\/(Stop|Remove)/.test(route.rpc) ? (_, call) => call.next() : full);
      fake.calls.length = 0;
      const answer = await open.ask(targetOf(it, it.query));
      stop();
      assert.ok(answer.status < 300, answer.text);
      const expected: Message = {};
      for (const [field, value] of it.lands) putAt(expected, field, value);
      assert.deepEqual(fake.callsOf(route.rpc)[0]?.request, recordedForm(route.rpc, expected));
    });
  }
});

test(`any text in path and query arrives as it was sent (seed ${seed})`, async (t) => {
  // The gateway takes no NUL.
  const text = fc
    .string({ unit: "binary", minLength: 1, maxLength: 30 })
    .map((value) => value.replaceAll("\0", "\x01"));
  // A URL's dot segments are gone before anything is sent.
  const name = text.filter((value) => !value.split(/[/\\]/).some((part) => /^\.{0,2}$/.test(part)));
  const stop = fake.on("ImageService/ImageStatus", { image: { id: "sha256:1" } });
  t.after(stop);
  await fc.assert(
    fc.asyncProperty(name, text, fc.boolean(), async (image, runtimeHandler, verbose) => {
      fake.calls.length = 0;
      const query = new URLSearchParams({ runtimeHandler, verbose: String(verbose) });
      const answer = await open.ask(`GET /v1/images/${encodeURIComponent(image)}?${query}`);
      assert.equal(answer.status, 200, answer.text);
      const request = { image: { image, runtimeHandler }, verbose };
      assert.deepEqual(fake.calls[0]?.request, recordedForm("ImageService/ImageStatus", request));
    }),
    { ...runs, numRuns: 100 },
  );
});

test("parameters that are numbers arrive as they were sent, and others are refused", async () => {
  const id = subjectOf(
    fake,
    unaryRoutes.find(({ id }) => id === "stopContainer") as UnaryRoute,
    "containerId",
  );
  const stop = fake.on("RuntimeService/StopContainer", (_, call) => call.next());
  for (const timeout of ["0", "9007199254", "9223372036"]) {
    fake.calls.length = 0;
    const answer = await open.ask(`POST /v1/containers/${id}/stop?timeout=${timeout}`);
    assert.equal(answer.status, 204, answer.text);
    assert.deepEqual(
      fake.callsOf("RuntimeService/StopContainer")[0]?.request,
      recordedForm("RuntimeService/StopContainer", { containerId: id, timeout }),
    );
  }
  fake.calls.length = 0;
  for (const timeout of [
    "9223372037",
    "9223372036854775808",
    "-1",
    "1e3",
    "0x10",
    "1.0",
    " 1",
    "+1",
    "01",
    "",
  ]) {
    const answer = await open.ask(`POST /v1/containers/${id}/stop?timeout=${encodeURIComponent(timeout)}`);
    assert.equal(answer.status, 400, timeout);
    assert.equal(answer.json<{ errors: { parameter: string }[] }>().errors[0]?.parameter, "timeout");
  }
  assert.deepEqual(fake.callsOf("RuntimeService/StopContainer"), []);
  stop();
});

test("unary routes and lists speak of RPCs that answer once", () => {
  const rpcs: readonly Rpc[] = plainRoutes.map(({ rpc }) => rpc);
  for (const rpc of rpcs) assert.equal(methods[rpc].stream, false, rpc);
});
